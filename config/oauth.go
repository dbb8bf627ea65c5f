package config

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"

	"mcpproxy/credential"
	"mcpproxy/upstream"
)

// oauth is the object of that name in an entry.
type oauth struct {
	Disabled                bool              `json:"disabled"`
	Login                   string            `json:"login"`
	Grant                   string            `json:"grant"`
	ClientID                string            `json:"clientId"`
	ClientSecret            string            `json:"clientSecret"`
	PrivateKeyFile          string            `json:"privateKeyFile"`
	KeyID                   string            `json:"keyId"`
	AuthMethod              string            `json:"tokenEndpointAuthMethod"`
	AssertionFile           string            `json:"assertionFile"`
	IdentityProvider        json.RawMessage   `json:"identityProvider"`
	DPoP                    bool              `json:"dpop"`
	Scopes                  []string          `json:"scopes"`
	Issuer                  string            `json:"issuer"`
	ClientMetadataURL       string            `json:"clientMetadataUrl"`
	CallbackPort            int               `json:"callbackPort"`
	AuthorizationParameters map[string]string `json:"authorizationParameters"`
	SendScopeOnRefresh      bool              `json:"sendScopeOnRefresh"`
	OmitResource            bool              `json:"omitResource"`
	LegacyFallback          bool              `json:"legacyFallback"`
	BrowserInterval         string            `json:"browserInterval"`
	LoginTimeout            string            `json:"loginTimeout"`
	RefreshAttempts         int               `json:"refreshAttempts"`
}

type identityProvider struct {
	TokenEndpoint string `json:"tokenEndpoint"`
	ClientID      string `json:"clientId"`
	ClientSecret  string `json:"clientSecret"`
	IDTokenFile   string `json:"idTokenFile"`
}

func authMethods() []string {
	return []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}
}

func (r *reader) oauth(c *upstream.Config, o *oauth) {
	c.OAuth = upstream.OAuth{Disabled: o.Disabled, ClientID: r.expand("oauth.clientId", o.ClientID), ClientSecret: credential.NewSecret(r.expand("oauth.clientSecret", o.ClientSecret)),
		AuthMethod: o.AuthMethod, KeyID: o.KeyID, DPoP: o.DPoP, Scopes: o.Scopes, Issuer: o.Issuer, ClientMetadataURL: o.ClientMetadataURL, CallbackPort: o.CallbackPort,
		AuthorizationParameters: o.AuthorizationParameters, SendScopeOnRefresh: o.SendScopeOnRefresh, OmitResource: o.OmitResource, LegacyFallback: o.LegacyFallback}
	switch o.Login {
	case "", "manual":
	case "automatic":
		c.Settings.AutomaticLogin = true
	default:
		r.problem("oauth.login", "%q is not one of manual, automatic", o.Login)
	}
	if o.AuthMethod != "" && !slices.Contains(authMethods(), o.AuthMethod) {
		r.problem("oauth.tokenEndpointAuthMethod", "%q is not one of %s", o.AuthMethod, strings.Join(authMethods(), ", "))
	}
	if o.ClientMetadataURL != "" {
		if err := checkClientMetadataURL(o.ClientMetadataURL); err != nil {
			r.problem("oauth.clientMetadataUrl", "%q %v", o.ClientMetadataURL, err)
		}
	}
	if o.CallbackPort < 0 || o.CallbackPort > 65535 {
		r.problem("oauth.callbackPort", "%d is not a port (0 to 65535)", o.CallbackPort)
	}
	if o.RefreshAttempts < 0 || o.RefreshAttempts > 10 {
		r.problem("oauth.refreshAttempts", "%d is not a number from 1 to 10", o.RefreshAttempts)
	} else if o.RefreshAttempts > 0 {
		c.Settings.RefreshAttempts = o.RefreshAttempts
	}
	r.duration("oauth.browserInterval", o.BrowserInterval, &c.Settings.BrowserInterval)
	r.duration("oauth.loginTimeout", o.LoginTimeout, &c.Settings.LoginDeadline)
	r.privateKey(c, o)
	var p identityProvider
	if o.IdentityProvider == nil || r.object("oauth.identityProvider", o.IdentityProvider, &p) {
		r.grant(c, o, &p)
	}
}

// privateKey reads the key of private_key_jwt; it is kept in memory only.
func (r *reader) privateKey(c *upstream.Config, o *oauth) {
	if o.PrivateKeyFile == "" {
		if o.AuthMethod == "private_key_jwt" {
			r.problem("oauth.privateKeyFile", "is missing; private_key_jwt signs with it (PEM)")
		}
		return
	}
	text, err := os.ReadFile(r.expand("oauth.privateKeyFile", o.PrivateKeyFile))
	if err != nil {
		r.problem("oauth.privateKeyFile", "%v", err)
		return
	}
	c.OAuth.PrivateKey = credential.NewSecret(string(text))
}

// grant checks that what belongs to a grant is there.
func (r *reader) grant(c *upstream.Config, o *oauth, p *identityProvider) {
	c.OAuth.Grant = upstream.Grant(o.Grant)
	if o.Grant != "" && !slices.Contains(upstream.Grants(), c.OAuth.Grant) {
		var known []string
		for _, g := range upstream.Grants() {
			known = append(known, string(g))
		}
		r.problem("oauth.grant", "%q is not one of %s", o.Grant, strings.Join(known, ", "))
		return
	}
	need := func(key, value, what string) {
		if value == "" {
			r.problem(key, "is missing; the grant %s needs %s", o.Grant, what)
		}
	}
	switch c.OAuth.Grant {
	case upstream.ClientCredentials:
		need("oauth.clientId", o.ClientID, "a client that is registered at the authorization server")
		need("oauth.clientSecret", o.ClientSecret+o.PrivateKeyFile, "this or oauth.privateKeyFile")
	case upstream.WorkloadIdentity:
		need("oauth.assertionFile", o.AssertionFile, "a file with the platform's JWT")
		c.OAuth.AssertionFile = r.expand("oauth.assertionFile", o.AssertionFile)
	case upstream.EnterpriseManaged:
		need("oauth.clientId", o.ClientID, "a client that is registered at the authorization server")
		need("oauth.identityProvider.tokenEndpoint", p.TokenEndpoint, "the identity provider's token endpoint")
		need("oauth.identityProvider.idTokenFile", p.IDTokenFile, "a file with the person's ID token")
		c.OAuth.IdentityProvider = upstream.IdentityProvider{TokenEndpoint: p.TokenEndpoint, ClientID: r.expand("oauth.identityProvider.clientId", p.ClientID),
			ClientSecret: credential.NewSecret(r.expand("oauth.identityProvider.clientSecret", p.ClientSecret)), IDTokenFile: r.expand("oauth.identityProvider.idTokenFile", p.IDTokenFile)}
	}
}

// checkClientMetadataURL says what a client id that is the address of a metadata
// document has to be (client ID metadata documents, section 3).
func checkClientMetadataURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return errors.New("is not an https URL")
	case u.User != nil || u.Fragment != "" || strings.HasSuffix(text, "#"):
		return errors.New("has user information or a fragment")
	case u.Path == "" || u.Path == "/":
		return errors.New("has no path")
	}
	for _, segment := range strings.Split(u.Path, "/") {
		if segment == "." || segment == ".." {
			return errors.New("has a dot segment in its path")
		}
	}
	return nil
}
