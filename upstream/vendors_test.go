package upstream_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/tests/golden"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// vendor is one answer of a vendor's authorization server, and what comes of it.
type vendor struct {
	name, at, says string
	fault          oauthserver.Fault
	becomes        string
}

// vendorAnswer is an answer of an endpoint; a token endpoint's is to a grant.
func vendorAnswer(at string, status int, body string) oauthserver.Fault {
	f := oauthserver.Fault{Endpoint: at, Kind: "answer", Status: status, Body: body}
	switch at {
	case "refresh":
		f.Endpoint, f.Grant = "token", "refresh_token"
	case "token":
		f.Kind = "taken"
	case "discovery":
		f.Endpoint = "metadata"
	case "registration":
		f.Endpoint = "register"
	case "revocation":
		f.Endpoint = "revoke"
	}
	return f
}

// vendorMetadata is authorization server metadata with what a vendor adds or leaves out.
func vendorMetadata(members string) string {
	return `{"issuer":"{{url}}","authorization_endpoint":"{{url}}/authorize","token_endpoint":"{{url}}/token"` + members + `}`
}

const (
	atOnce       = "a login is required at once, and the refresh token is not sent again"
	noSelf       = "no login is begun: no client can register itself there"
	withPKCE     = `,"code_challenge_methods_supported":["S256"],"response_types_supported":["code"]`
	tokenMembers = `"access_token":"{{access_token}}","refresh_token":"{{refresh_token}}"`
)

// vendors are answers that vendors document, or that their users report in public.
func vendors() []vendor {
	return []vendor{
		{"GitHub", "discovery", "no registration endpoint", vendorAnswer("discovery", 200, vendorMetadata(withPKCE)), noSelf},
		{"GitHub", "token", "a form; scopes with commas", vendorAnswer("token", 200, "access_token={{access_token}}&refresh_token={{refresh_token}}&expires_in=28800&scope=repo%2Cgist&token_type=bearer"), "logged in, for gist repo"},
		{"GitHub", "refresh", "200 `bad_refresh_token`", vendorAnswer("refresh", 200, `{"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired.","error_uri":"https://docs.github.com"}`), atOnce},
		{"GitHub", "refresh", "200 `incorrect_client_credentials`", vendorAnswer("refresh", 200, `{"error":"incorrect_client_credentials","error_description":"The client_id and/or client_secret passed are incorrect."}`), "the client is registered again with the next login"},
		{"Entra", "discovery", "no PKCE in the metadata, no registration endpoint", vendorAnswer("discovery", 200, vendorMetadata(`,"response_types_supported":["code"]`)), "no login is begun: the error names `oauth.assumePKCE`"},
		{"Entra", "token", "a life as a string, and a second one", vendorAnswer("token", 200, `{"token_type":"Bearer","expires_in":"3599","ext_expires_in":3599,"scope":"User.Read",`+tokenMembers+`}`), "logged in, for User.Read"},
		{"Entra", "refresh", "400 `interaction_required`", vendorAnswer("refresh", 400, `{"error":"interaction_required","error_description":"AADSTS50076: Due to a configuration change made by your administrator you must use multi-factor authentication.","error_codes":[50076],"suberror":"basic_action"}`), atOnce},
		{"Entra", "refresh", "400 `invalid_grant`", vendorAnswer("refresh", 400, `{"error":"invalid_grant","error_description":"AADSTS700082: The refresh token has expired due to inactivity.","error_codes":[700082]}`), atOnce},
		{"Google", "discovery", "no registration endpoint", vendorAnswer("discovery", 200, vendorMetadata(withPKCE)), noSelf},
		{"Google", "refresh", "400 `invalid_grant`", vendorAnswer("refresh", 400, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`), atOnce},
		{"Google", "revocation", "400 `invalid_token` for one that is over", vendorAnswer("revocation", 400, `{"error":"invalid_token","error_description":"Token expired or revoked"}`), "logged out here, and it is said that the server did not confirm it"},
		{"Atlassian", "refresh", "403 `unauthorized_client`, with words about the refresh token", vendorAnswer("refresh", 403, `{"error":"unauthorized_client","error_description":"refresh_token is invalid"}`), atOnce},
		{"Atlassian", "refresh", "403 `invalid_grant`", vendorAnswer("refresh", 403, `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`), atOnce},
		{"Slack", "token", "the user's token in `authed_user`; a type of its own; scopes with commas", vendorAnswer("token", 200, `{"ok":true,"app_id":"A1","authed_user":{"id":"U1","scope":"search:read,chat:write","token_type":"user","expires_in":43200,`+tokenMembers+`},"team":{"id":"T1"},"is_enterprise_install":false}`), "logged in, for chat:write search:read; the type `user` is used as Bearer"},
		{"Slack", "refresh", "200 `invalid_refresh_token`", vendorAnswer("refresh", 200, `{"ok":false,"error":"invalid_refresh_token"}`), atOnce},
		{"Okta", "registration", "401 with an `errorCode`", vendorAnswer("registration", 401, `{"errorCode":"E0000005","errorSummary":"Invalid session","errorLink":"E0000005","errorCauses":[]}`), "the registration fails with the server's words"},
		{"Okta", "refresh", "400 `invalid_grant`", vendorAnswer("refresh", 400, `{"error":"invalid_grant","error_description":"The refresh token is invalid or expired."}`), atOnce},
		{"Okta", "revocation", "200 and nothing", vendorAnswer("revocation", 200, ``), "logged out, here and there"},
		{"Auth0", "refresh", "403 `invalid_grant`", vendorAnswer("refresh", 403, `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`), atOnce},
		{"Keycloak", "registration", "403 by its policy of trusted hosts", vendorAnswer("registration", 403, `{"error":"insufficient_scope","error_description":"Policy 'Trusted Hosts' rejected request to client-registration service. Details: Host not trusted."}`), "the registration fails with the server's words"},
		{"Keycloak", "refresh", "400 `invalid_grant`", vendorAnswer("refresh", 400, `{"error":"invalid_grant","error_description":"Session not active"}`), atOnce},
		{"Cognito", "discovery", "no PKCE in the metadata, no registration endpoint", vendorAnswer("discovery", 200, vendorMetadata(`,"response_types_supported":["code","token"]`)), "no login is begun: the error names `oauth.assumePKCE`"},
		{"Cognito", "refresh", "400 `invalid_grant`, without words", vendorAnswer("refresh", 400, `{"error":"invalid_grant"}`), atOnce},
		{"Cognito", "refresh", "400 `NotAuthorizedException`, by its own API", vendorAnswer("refresh", 400, `{"__type":"NotAuthorizedException","message":"Invalid Refresh Token."}`), atOnce},
		{"Salesforce", "token", "no life", vendorAnswer("token", 200, `{"signature":"s","instance_url":"https://example.my.salesforce.com","id":"i","token_type":"Bearer","issued_at":"1735689600000","scope":"api refresh_token",`+tokenMembers+`}`), "logged in, for api refresh_token; renewed when the server refuses it"},
		{"Salesforce", "refresh", "400 `invalid_grant`", vendorAnswer("refresh", 400, `{"error":"invalid_grant","error_description":"expired access/refresh token"}`), atOnce},
		{"Shopify", "token", "scopes with commas, two lives, no type", vendorAnswer("token", 200, `{"scope":"read_orders,write_products","expires_in":3600,"refresh_token_expires_in":7776000,`+tokenMembers+`}`), "logged in, for read_orders write_products"},
		{"Shopify", "refresh", "200 without `expires_in`", oauthserver.Fault{Endpoint: "token", Kind: "taken", Grant: "refresh_token", Body: `{"scope":"read_orders",` + tokenMembers + `}`}, "renewed"},
		{"Supabase", "refresh", "400 with an `error_code`", vendorAnswer("refresh", 400, `{"code":400,"error_code":"refresh_token_not_found","msg":"Invalid Refresh Token: Refresh Token Not Found"}`), atOnce},
		{"Strava", "refresh", "400 with the field and `invalid`", vendorAnswer("refresh", 400, `{"message":"Bad Request","errors":[{"resource":"RefreshToken","field":"refresh_token","code":"invalid"}]}`), atOnce},
		{"Firebase", "refresh", "400 `TOKEN_EXPIRED`, as a message", vendorAnswer("refresh", 400, `{"error":{"code":400,"message":"TOKEN_EXPIRED","status":"INVALID_ARGUMENT"}}`), atOnce},
		{"Apigee", "refresh", "401 with a `fault`", vendorAnswer("refresh", 401, `{"fault":{"faultstring":"Refresh Token expired","detail":{"errorcode":"keymanagement.service.refresh_token_expired"}}}`), atOnce},
		{"Zoom", "refresh", "401 with a `reason`", vendorAnswer("refresh", 401, `{"reason":"Invalid Token!","error":"invalid_request"}`), atOnce},
		{"CAS", "refresh", "400 and the bare code", vendorAnswer("refresh", 400, `invalid_grant`), atOnce},
		{"HubSpot", "discovery", "no registration endpoint", vendorAnswer("discovery", 200, vendorMetadata(withPKCE)), noSelf},
		{"HubSpot", "refresh", "400 with a `status`", vendorAnswer("refresh", 400, `{"status":"BAD_REFRESH_TOKEN","message":"missing or invalid refresh token","correlationId":"1"}`), atOnce},
	}
}

// What vendors answer has the outcome that docs/authorization-servers.md says it has.
func TestWhatVendorsAnswer(t *testing.T) {
	t.Parallel()
	for _, v := range vendors() {
		t.Run(v.name+" "+v.at+" "+v.says, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			if v.at == "discovery" || v.at == "registration" || v.at == "token" {
				r.setFaults(v.fault)
			}
			err := r.up.Login(r.context(), nil)
			r.setFaults(v.fault)
			if got := r.outcome(v.at, err); got != v.becomes {
				t.Errorf("%s\nwant %s", got, v.becomes)
			}
		})
	}
}

// outcome is what has come of a vendor's answer, where a login ended with err.
func (r *rig) outcome(at string, err error) string {
	var failed *upstream.LoginError
	switch errors.As(err, &failed); {
	case at == "discovery" && err != nil && strings.Contains(err.Error(), "assumePKCE"):
		return "no login is begun: the error names `oauth.assumePKCE`"
	case at == "discovery" && err != nil && strings.Contains(err.Error(), "oauth.clientId"):
		return noSelf
	case at == "registration" && failed != nil && failed.Reason == states.RegistrationFailed &&
		(strings.Contains(err.Error(), "Invalid session") || strings.Contains(err.Error(), "Trusted Hosts")):
		return "the registration fails with the server's words"
	case err != nil:
		return err.Error()
	}
	r.mustCall()
	switch at {
	case "token":
		return r.loggedIn()
	case "revocation":
		r.logout()
		r.wantEntry("LogoutDone", func(e fsm.Entry) bool { return e.Event == string(transitions.LogoutDone) })
		for _, e := range r.entries() {
			if e.Event == string(transitions.LogoutDone) && strings.Contains(e.Note, "did not confirm") {
				return "logged out here, and it is said that the server did not confirm it"
			}
		}
		return "logged out, here and there"
	}
	r.server.RevokeAccess()
	before := r.server.Counters().TokenRefresh
	if r.call() == nil {
		return "renewed"
	}
	r.awaitCredential(states.LoginRequired)
	switch sent := r.server.Counters().TokenRefresh - before; r.up.Snapshot().Data.Reason {
	case states.RefreshRejected:
		if sent == 1 {
			return atOnce
		}
		return fmt.Sprintf("a login is required after %d tries", sent)
	case states.ClientForgotten:
		r.setFaults()
		r.login()
		if r.server.Counters().Register == 2 {
			return "the client is registered again with the next login"
		}
	}
	return string(r.up.Snapshot().Data.Reason)
}

func (r *rig) loggedIn() string {
	token := r.up.Snapshot().Data.Token
	said := "logged in, for " + strings.Join(token.Scopes, " ")
	if token.StatedType != "" {
		said += "; the type `" + token.StatedType + "` is used as Bearer"
	}
	if token.ExpiresAt.IsZero() {
		r.server.RevokeAccess()
		r.setFaults()
		r.mustCall()
		said += "; renewed when the server refuses it"
	}
	return said
}

// The document has the table, between its marks.
func TestTheDocumentHasWhatVendorsAnswer(t *testing.T) {
	const path, begin, end = "../docs/authorization-servers.md", "<!-- vendors -->\n", "<!-- /vendors -->\n"
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(document), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no %q and %q", path, begin, end)
	}
	var table strings.Builder
	table.WriteString("| vendor | at | answers | what comes of it |\n|---|---|---|---|\n")
	for _, v := range vendors() {
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", v.name, v.at, v.says, v.becomes)
	}
	golden.Compare(t, path, before+begin+table.String()+end+after)
}
