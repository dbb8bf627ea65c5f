package credential_test

import (
	"testing"
	"time"

	"mcpproxy/credential"
)

// What was found out about an authorization server is used for a while, and not after
// a clock that was set back.
func TestDiscoveryHasALife(t *testing.T) {
	found := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	known := &credential.Discovery{FetchedAt: found}
	fresh := func(life time.Duration) *credential.Discovery {
		return &credential.Discovery{FetchedAt: found, FreshUntil: found.Add(life)}
	}
	for _, test := range []struct {
		name string
		d    *credential.Discovery
		at   time.Time
		want bool
	}{
		{"just now", known, found, true},
		{"within the hour", known, found.Add(59 * time.Minute), true},
		{"an hour later", known, found.Add(time.Hour), false},
		{"before it was found", known, found.Add(-time.Second), false},
		{"nothing was found", nil, found, false},
		{"within the time that the servers say", fresh(time.Minute), found.Add(59 * time.Second), true},
		{"after it", fresh(time.Minute), found.Add(time.Minute), false},
		{"it is not to be kept", fresh(0), found, false},
		{"an hour later, whatever they say", fresh(24 * time.Hour), found.Add(time.Hour), false},
	} {
		if got := test.d.UsableAt(test.at); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestDiscoverySaysWhereItWasFound(t *testing.T) {
	for _, test := range []struct {
		d    credential.Discovery
		want string
	}{
		{credential.Discovery{Issuer: "https://as.example", ResourceMetadataURL: "https://mcp.example/meta?key=1", Challenged: true, ServerMetadataURL: "https://as.example/.well-known/oauth-authorization-server"},
			"issuer https://as.example; resource metadata that the challenge named, https://mcp.example/meta; server metadata at https://as.example/.well-known/oauth-authorization-server"},
		{credential.Discovery{Issuer: "https://mcp.example"},
			"issuer https://mcp.example; no resource metadata, so that the server's own origin is asked (MCP 2025-03-26); no server metadata, so that the default endpoints are used (MCP 2025-03-26)"},
	} {
		if got := test.d.Sources(); got != test.want {
			t.Errorf("%q\nwant %q", got, test.want)
		}
	}
}
