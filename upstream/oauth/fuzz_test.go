package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"
)

// Whatever a server or a browser sends gets an answer of its own kind, and never a
// panic or a half-read value.

func FuzzChallenge(f *testing.F) {
	f.Add(`Bearer resource_metadata="https://a/b", scope="x y", error="invalid_token"`)
	f.Add(`Basic realm="a,b", DPoP algs="ES256", Bearer error=insufficient_scope`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, c := range oauth.ParseChallenges(http.Header{"Www-Authenticate": {line}}) {
			if c.Scheme == "" || strings.ContainsAny(c.Scheme, " ,\"=") {
				t.Errorf("%q has the scheme %q", line, c.Scheme)
			}
		}
	})
}

// answering serves the same body to every request.
func answering(f interface{ Cleanup(func()) }) (server *httptest.Server, body *string) {
	body = new(string)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(*body))
	}))
	f.Cleanup(server.Close)
	return server, body
}

func FuzzMetadata(f *testing.F) {
	server, body := answering(f)
	f.Add(`{"resource":"` + server.URL + `","authorization_servers":["` + server.URL + `"]}`)
	f.Add(`{"issuer":"` + server.URL + `","token_endpoint":"x","authorization_endpoint":"javascript:1","code_challenge_methods_supported":["S256"]}`)
	f.Add(`<html>`)
	f.Fuzz(func(t *testing.T, text string) {
		*body = text
		d, err := oauth.Discover(context.Background(), server.Client(), oauth.DiscoveryRequest{ServerURL: server.URL + "/mcp"})
		var failure *oauth.Error
		if err != nil && !errors.As(err, &failure) {
			t.Errorf("%q: an error of no class: %v", text, err)
		}
		if err == nil && (d.TokenEndpoint == "" || d.AuthorizationEndpoint == "" || !strings.HasPrefix(d.AuthorizationEndpoint, "http")) {
			t.Errorf("%q yields %+v", text, d)
		}
	})
}

func FuzzTokenResponse(f *testing.F) {
	server, body := answering(f)
	f.Add(`{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"b"}`)
	f.Add(`{"access_token":"a","token_type":"DPoP","expires_in":"1e400"}`)
	f.Add(`{"error":"invalid_grant"}`)
	f.Fuzz(func(t *testing.T, text string) {
		*body = text
		before := credential.Token{Generation: 1, Refresh: credential.NewSecret("spent-secret"), TokenEndpoint: server.URL, ClientID: "c"}
		token, err := oauth.Refresh(context.Background(), server.Client(), before, credential.Registration{ClientID: "c", AuthMethod: "none"},
			oauth.RefreshOptions{})
		switch {
		case err != nil && strings.Contains(err.Error(), "spent-secret"):
			t.Errorf("%q: the error shows the secret: %v", text, err)
		case err == nil && (token.Access.IsZero() || token.Generation != 2 || token.Refresh.IsZero()):
			t.Errorf("%q yields %+v", text, token)
		}
	})
}

func FuzzCallback(f *testing.F) {
	flow := credential.Flow{State: credential.NewSecret("the-state"), Issuer: "https://as.example", IssuerInResponse: true}
	f.Add("code=c&state=the-state&iss=https%3A%2F%2Fas.example")
	f.Add("error=access_denied&state=the-state&iss=https%3A%2F%2Fas.example")
	f.Add("code=a&code=b&state=the-state")
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		code, err := oauth.CheckCallback(flow, query)
		genuine := len(query["state"]) == 1 && query.Get("state") == "the-state" && query.Get("iss") == flow.Issuer && query.Get("code") != "" &&
			query.Get("error") == ""
		var refused *oauth.CallbackError
		switch {
		case err == nil && (!genuine || code.Reveal() != query.Get("code")):
			t.Errorf("%q was taken", raw)
		case err != nil && !errors.As(err, &refused):
			t.Errorf("%q: %v", raw, err)
		}
	})
}

func TestCallbackIsChecked(t *testing.T) {
	flow := credential.Flow{State: credential.NewSecret("s"), Issuer: "https://as.example", Deadline: time.Now().Add(time.Minute)}
	naming := flow
	naming.IssuerInResponse = true
	for _, test := range []struct {
		name  string
		flow  credential.Flow
		query string
		want  oauth.CallbackClass // empty: the code is taken
	}{
		{"as it should be", flow, "code=c&state=s", ""},
		{"it names the right issuer unasked", flow, "code=c&state=s&iss=https://as.example", ""},
		{"it names the issuer, as it said", naming, "code=c&state=s&iss=https://as.example", ""},
		{"it does not name the issuer, and said it would", naming, "code=c&state=s", oauth.CallbackWrongIssuer},
		{"it names another issuer", flow, "code=c&state=s&iss=https://evil.example", oauth.CallbackWrongIssuer},
		{"a slash more is another issuer", flow, "code=c&state=s&iss=https://as.example/", oauth.CallbackWrongIssuer},
		{"an error of another issuer", flow, "error=access_denied&state=s&iss=https://evil.example", oauth.CallbackWrongIssuer},
		{"another state", flow, "code=c&state=x", oauth.CallbackWrongState},
		{"no state", flow, "code=c", oauth.CallbackWrongState},
		{"two codes", flow, "code=c&code=d&state=s", oauth.CallbackMalformed},
		{"neither code nor error", flow, "state=s", oauth.CallbackMalformed},
		{"both", flow, "code=c&error=x&state=s", oauth.CallbackMalformed},
		{"declined", flow, "error=access_denied&state=s", oauth.CallbackDenied},
		{"another error", flow, "error=server_error&state=s", oauth.CallbackFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			query, err := url.ParseQuery(test.query)
			if err != nil {
				t.Fatal(err)
			}
			_, err = oauth.CheckCallback(test.flow, query)
			var refused *oauth.CallbackError
			if errors.As(err, &refused) != (test.want != "") || refused != nil && refused.Class != test.want {
				t.Errorf("CheckCallback = %v, want the class %q", err, test.want)
			}
		})
	}
}
