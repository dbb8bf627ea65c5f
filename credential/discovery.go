package credential

import (
	"strings"
	"time"
)

// Discovery is what was learnt about a protected resource and its authorization
// server: protected resource metadata (RFC 9728) joined with authorization
// server metadata (RFC 8414). It is immutable, holds no secret and may be cached.
type Discovery struct {
	// Resource is the resource indicator to send, byte for byte as published.
	Resource            string `json:"resource"`
	ResourceMetadataURL string `json:"resource_metadata_url,omitempty"`
	ServerMetadataURL   string `json:"server_metadata_url,omitempty"`
	// Challenged: the server's challenge named ResourceMetadataURL.
	Challenged bool   `json:"challenged,omitempty"`
	Issuer     string `json:"issuer"`

	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	RegistrationEndpoint  string `json:"registration_endpoint,omitempty"`
	RevocationEndpoint    string `json:"revocation_endpoint,omitempty"`
	DeviceEndpoint        string `json:"device_authorization_endpoint,omitempty"`
	// PushEndpoint takes authorization requests beforehand, PushRequired no others (RFC 9126).
	PushEndpoint string `json:"pushed_authorization_request_endpoint,omitempty"`
	PushRequired bool   `json:"require_pushed_authorization_requests,omitempty"`

	// ScopesSupported are the resource's, ServerScopes the authorization server's.
	ScopesSupported      []string `json:"scopes_supported,omitempty"`
	ServerScopes         []string `json:"server_scopes_supported,omitempty"`
	CodeChallengeMethods []string `json:"code_challenge_methods_supported,omitempty"`
	AuthMethods          []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	// SigningAlgorithms are those of client assertions.
	SigningAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	GrantTypes        []string `json:"grant_types_supported,omitempty"`
	// ClientIDMetadataDocument: the server takes a URL as client_id.
	// ProofRequired: the resource takes tokens that are bound to a key only (RFC 9449).
	ProofRequired            bool `json:"dpop_bound_access_tokens_required,omitempty"`
	ClientIDMetadataDocument bool `json:"client_id_metadata_document_supported,omitempty"`
	// IssuerInResponse: the server puts iss into its authorization responses (RFC 9207).
	IssuerInResponse bool `json:"authorization_response_iss_parameter_supported,omitempty"`
	// OpenID: the server speaks OpenID Connect.
	OpenID    bool      `json:"openid,omitempty"`
	FetchedAt time.Time `json:"fetched_at"`
	// FreshUntil is until when it may be used without asking again, as the servers of the
	// documents say; zero where they say nothing.
	FreshUntil time.Time `json:"fresh_until,omitzero"`
}

// discoveryLife is how long what was found is used without asking again, at most.
const discoveryLife = time.Hour

// UsableAt reports whether what was found is fresh enough at now to ask for the next
// token of a grant that needs no user. A login asks again, however fresh it is.
func (d *Discovery) UsableAt(now time.Time) bool {
	if d == nil || now.Before(d.FetchedAt) || now.Sub(d.FetchedAt) >= discoveryLife {
		return false
	}
	return d.FreshUntil.IsZero() || now.Before(d.FreshUntil)
}

// Sources says where what was learnt comes from, without the queries of addresses.
func (d *Discovery) Sources() string {
	resource := "no resource metadata, so that the server's own origin is asked (MCP 2025-03-26)"
	switch {
	case d.Challenged:
		resource = "resource metadata that the challenge named, " + withoutQuery(d.ResourceMetadataURL)
	case d.ResourceMetadataURL != "":
		resource = "resource metadata at its well-known place, " + withoutQuery(d.ResourceMetadataURL)
	}
	server := "no server metadata, so that the default endpoints are used (MCP 2025-03-26)"
	if d.ServerMetadataURL != "" {
		server = "server metadata at " + withoutQuery(d.ServerMetadataURL)
	}
	return "issuer " + withoutQuery(d.Issuer) + "; " + resource + "; " + server
}

func withoutQuery(address string) string {
	bare, _, _ := strings.Cut(address, "?")
	return bare
}
