package oauth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mcpproxy/credential"
)

// Setting is a key of the configuration, below oauth, for a server that does not keep to
// the specifications or wants more than they say. Without it such a server is refused; the
// error then names the key. What errors, the configuration and the documents say of it
// comes from one table.
type Setting string

// The settings.
const (
	AssumePKCE        Setting = "assumePKCE"
	MetadataIssuer    Setting = "metadataIssuer"
	RedirectHost      Setting = "redirectHost"
	RedirectPath      Setting = "redirectPath"
	Resource          Setting = "resource"
	OmitResource      Setting = "omitResource"
	TokenParameters   Setting = "tokenParameters"
	OmitOfflineAccess Setting = "omitOfflineAccess"
	AssertionAudience Setting = "assertionAudience"
)

// Guide is what is said of a setting.
type Guide struct {
	Setting Setting
	// Value is an example of what it is set to, as JSON; in an error the very value
	// stands in its place, where it is known.
	Value string
	// Where says of which server it is for, and goes on "where ...".
	Where string
	// Does says what it does.
	Does string
}

// Guides is the table of settings.
func Guides() []Guide {
	return []Guide{
		{AssumePKCE, `true`,
			"the server supports PKCE with S256 and its metadata does not say so (Microsoft Entra ID, Amazon Cognito)",
			"it is taken, and PKCE is used all the same; metadata that lists other methods only is refused as before"},
		{MetadataIssuer, `"https://auth.example.com"`,
			"that issuer is the server's too (Atlassian, SmartBear)",
			"the issuer that the metadata may name in place of the one that the MCP server names; responses and tokens are " +
				"then held to it"},
		{RedirectHost, `"localhost"`,
			"the client is registered with that host in its redirect address",
			"`127.0.0.1` (the default) or `localhost`"},
		{RedirectPath, `"/oauth/callback"`,
			"the client is registered with another path in its redirect address",
			"the path of the redirect address (`/callback`)"},
		{Resource, `"https://api.example.com"`,
			"the server knows the resource by another name",
			"sent as `resource` in place of what the metadata says, and taken where the metadata is about it"},
		{OmitResource, `true`,
			"the server knows no resource indicators (RFC 8707)",
			"no `resource` is sent"},
		{TokenParameters, `{"audience": "https://api.example.com"}`,
			"the token endpoint wants a parameter that no specification has (Auth0: `audience`)",
			"added to each token request; what the protocol itself sends cannot be replaced"},
		{OmitOfflineAccess, `true`,
			"the server lists the scope `offline_access` and gives it to nobody",
			"it is asked for only where `oauth.scopes` has it"},
		{AssertionAudience, `"https://auth.example.com/token"`,
			"the server wants its token endpoint, or something else, as `aud` of client assertions (`private_key_jwt`)",
			"the `aud` of client assertions in place of the issuer"},
	}
}

// Suggestion is a setting that may help, with the value to give it; "" for any.
type Suggestion struct {
	Setting Setting
	Value   string
}

// advice is what an error says of the settings that may help.
func advice(suggestions []Suggestion) string {
	var all strings.Builder
	for _, g := range Guides() {
		for _, s := range suggestions {
			if s.Setting != g.Setting {
				continue
			}
			value := g.Value
			if s.Value != "" {
				value = fmt.Sprintf("%q", s.Value)
			}
			fmt.Fprintf(&all, "; where %s, put oauth.%s: %s into the configuration", strings.ReplaceAll(g.Where, "`", ""), g.Setting, value)
			break
		}
	}
	return all.String()
}

// suggested are the settings that a server's refusal speaks of.
func suggested(code, description string) []Suggestion {
	said := strings.ToLower(code + " " + description)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(said, word) })
	}
	switch {
	case code == "":
		return nil
	case code == "invalid_target":
		return []Suggestion{{Resource, ""}, {OmitResource, ""}}
	case has("assertion"):
		return []Suggestion{{AssertionAudience, ""}}
	case has("audience"):
		return []Suggestion{{TokenParameters, ""}}
	case has("redirect"):
		return []Suggestion{{RedirectHost, ""}, {RedirectPath, ""}}
	case has("offline_access"):
		return []Suggestion{{OmitOfflineAccess, ""}}
	case has("resource"):
		return []Suggestion{{Resource, ""}, {OmitResource, ""}}
	case code == "invalid_request" && has("missing", "required", "parameter"):
		return []Suggestion{{TokenParameters, ""}}
	}
	return nil
}

// Advise adds to an error what is known of the request: that the client showed an
// assertion, that a scope was asked for that nobody configured. It returns the error.
func Advise(err error, r credential.Registration, tokenEndpoint string, scopes []string) error {
	var failure *Error
	if !errors.As(err, &failure) {
		return err
	}
	if failure.Class == InvalidClient && r.AuthMethod == privateKeyJWT {
		failure.Suggest = append(failure.Suggest, Suggestion{AssertionAudience, tokenEndpoint})
	}
	if failure.Code == "invalid_scope" && slices.Contains(scopes, "offline_access") {
		failure.Suggest = append(failure.Suggest, Suggestion{OmitOfflineAccess, ""})
	}
	return err
}

// Suggestions are the settings that an error names.
func Suggestions(err error) []Suggestion {
	var failure *Error
	var response *CallbackError
	switch {
	case errors.As(err, &failure):
		return failure.suggestions()
	case errors.As(err, &response):
		return response.suggestions()
	}
	return nil
}

// refreshing is the operation of a refresh, as its errors call it.
const refreshing = "the refresh"

func (e *Error) suggestions() []Suggestion {
	all := append(slices.Clone(e.Suggest), suggested(e.Code, e.Description)...)
	if e.Operation == refreshing {
		// Its request has no redirect address, though the words of RFC 6749 speak of one.
		all = slices.DeleteFunc(all, func(s Suggestion) bool { return s.Setting == RedirectHost || s.Setting == RedirectPath })
	}
	return all
}

func (e *CallbackError) suggestions() []Suggestion {
	return append(slices.Clone(e.Suggest), suggested(e.Code, e.Description)...)
}
