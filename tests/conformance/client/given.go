package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/upstream"
)

// given is what the suite hands over for some scenarios.
type given struct {
	ClientID     string     `json:"client_id"`
	ClientSecret string     `json:"client_secret"`
	PrivateKey   string     `json:"private_key_pem"`
	ToolCalls    []toolCall `json:"toolCalls"`

	WorkloadJWT string `json:"valid_jwt"`

	IdentityProviderEndpoint string `json:"idp_token_endpoint"`
	IdentityProviderClient   string `json:"idp_client_id"`
	IDToken                  string `json:"idp_id_token"`
}

type toolCall struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

func readGiven(text string) (given, error) {
	var g given
	if text == "" {
		return g, nil
	}
	return g, json.Unmarshal([]byte(text), &g)
}

// upstream is the configuration that a user would write for the server.
// Secrets that come in files are put into directory.
func (g given) upstream(server, scenario, directory string) (upstream.Config, error) {
	settings := states.DefaultSettings()
	settings.AutomaticLogin = true
	c := upstream.Config{Name: upstreamName, Transport: upstream.HTTP, URL: server, Settings: settings, OAuth: upstream.OAuth{
		ClientID: g.ClientID, ClientSecret: credential.NewSecret(g.ClientSecret), PrivateKey: credential.NewSecret(g.PrivateKey),
		ClientMetadataURL: "https://conformance-test.local/client-metadata.json",
		LegacyFallback:    true,
	}}
	secret := filepath.Join(directory, "secret")
	switch {
	case strings.HasPrefix(scenario, "auth/client-credentials"):
		c.OAuth.Grant = upstream.ClientCredentials
	case g.WorkloadJWT != "":
		c.OAuth.Grant, c.OAuth.AssertionFile = upstream.WorkloadIdentity, secret
		return c, os.WriteFile(secret, []byte(g.WorkloadJWT), 0o600)
	case g.IDToken != "":
		c.OAuth.Grant = upstream.EnterpriseManaged
		c.OAuth.IdentityProvider = upstream.IdentityProvider{TokenEndpoint: g.IdentityProviderEndpoint, ClientID: g.IdentityProviderClient,
			IDTokenFile: secret}
		return c, os.WriteFile(secret, []byte(g.IDToken), 0o600)
	}
	return c, nil
}
