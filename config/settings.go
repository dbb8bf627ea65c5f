package config

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"mcpproxy/upstream/oauth"
)

// setting is what the document takes for a setting of package oauth.
type setting struct {
	into func(*entry) any
	constraints
}

func settings() map[oauth.Setting]setting {
	return map[oauth.Setting]setting{
		oauth.AssumePKCE: {into: func(e *entry) any { return &e.OAuth.AssumePKCE }},
		oauth.MetadataIssuer: {into: func(e *entry) any { return &e.OAuth.MetadataIssuer },
			constraints: constraints{check: checkURL}},
		oauth.RedirectHost: {into: func(e *entry) any { return &e.OAuth.RedirectHost },
			constraints: constraints{values: []string{"127.0.0.1", "localhost"}}},
		oauth.RedirectPath: {into: func(e *entry) any { return &e.OAuth.RedirectPath },
			constraints: constraints{check: checkRedirectPath}},
		oauth.Resource:     {into: func(e *entry) any { return &e.OAuth.Resource }},
		oauth.OmitResource: {into: func(e *entry) any { return &e.OAuth.OmitResource }},
		oauth.TokenParameters: {into: func(e *entry) any { return &e.OAuth.TokenParameters },
			constraints: constraints{checkName: checkTokenParameter}},
		oauth.OmitOfflineAccess: {into: func(e *entry) any { return &e.OAuth.OmitOfflineAccess }},
		oauth.AssertionAudience: {into: func(e *entry) any { return &e.OAuth.AssertionAudience }},
	}
}

// settingKeys are the keys for servers that do not keep to the specifications, with the
// words of the table that the errors take theirs from.
func settingKeys() []key[entry] {
	var all []key[entry]
	of := settings()
	for _, g := range oauth.Guides() {
		s := of[g.Setting]
		doc := "where " + g.Where + ": " + g.Does
		all = append(all, key[entry]{path: "oauth." + string(g.Setting), doc: doc, into: s.into, constraints: s.constraints})
	}
	return all
}

// checkRedirectPath wants a path for the browser to come back to, without a query or
// anything that browsers and servers spell otherwise.
func checkRedirectPath(raw, text string) error {
	u, err := url.Parse(text)
	clean := path.Clean(text)
	asItIs := err == nil && u.Path == text && strings.HasPrefix(text, "/") && (clean == text || clean+"/" == text)
	if !asItIs || strings.HasPrefix(clean+"/", "/callback/outcome/") {
		return fmt.Errorf("%q is not a path as /oauth/callback, without a query", raw)
	}
	return nil
}

// checkTokenParameter leaves to the protocol what is its own.
func checkTokenParameter(name string) error {
	own := []string{"grant_type", "code", "code_verifier", "redirect_uri", "refresh_token", "device_code", "client_id", "client_secret",
		"client_assertion", "client_assertion_type", "assertion", "scope", "resource", "subject_token", "subject_token_type",
		"requested_token_type"}
	if slices.Contains(own, name) {
		return errors.New("is the protocol's own and may not be set; there are keys for what of it may be " +
			"(oauth.clientId, oauth.scopes, oauth.resource)")
	}
	return nil
}
