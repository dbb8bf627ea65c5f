package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pb33f/jsonschema/v6"

	"mcpproxy/admin/api"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
)

// A whole life through the interface: every answer is as described, and none has a
// secret.
func TestEveryAnswerIsAsDescribed(t *testing.T) {
	w := newWorld(t, oauthserver.Options{AutoApprove: true})
	w.awaitCredential(states.LoginRequired)
	events := w.follow("", "")
	const u = "/v1/upstreams/u"
	secrets := map[string]string{}
	for _, step := range []struct {
		method, path string
		form         url.Values
		status       int
		words        string
		then         func(body string)
	}{
		{method: "GET", path: "/v1/version", status: 200, words: `"version":"test"`},
		{method: "GET", path: "/v1/openapi", status: 200, words: `"openapi": "3.1.1"`},
		{method: "POST", path: "/v1/reload", status: 200},
		{method: "POST", path: "/v1/page", status: 200, words: "/ui/open"},
		{method: "POST", path: "/v1/yield", form: url.Values{"started": {"yes"}}, status: 200, words: `"yields":false`},
		{method: "GET", path: "/v1/inactive", status: 200, words: "[]"},
		{method: "GET", path: "/v1/upstreams", status: 200, words: `"phase":"LoginRequired"`},
		{method: "GET", path: u, status: 200, words: `"phase":"LoginRequired"`},
		{method: "GET", path: u + "/explain", status: 200, words: `"can":[{"request":"login"`},
		{method: "GET", path: u + "/journal?limit=2", status: 200, words: `"event":`},
		{method: "GET", path: u + "/journal?limit=-1", status: 400, words: "is not a number from 0 on"},
		{method: "GET", path: "/v1/upstreams/x", status: 404, words: api.KindUnknown},
		{method: "GET", path: "/v1/events?upstream=x", status: 404, words: api.KindUnknown},
		{method: "POST", path: u + "/cancel", status: 409, words: api.KindIllegal},
		{method: "POST", path: u + "/retry", status: 409, words: `"event":"RetryRequested"`},
		{method: "POST", path: "/v1/paste", form: url.Values{"address": {"hello"}}, status: 400, words: "is not the address"},
		{method: "POST", path: u + "/login", form: url.Values{"wait": {"no"}}, status: 200, words: `"disposition":"moved"`, then: func(string) { w.awaitCredential(states.AwaitingBrowser) }},
		{method: "POST", path: u + "/login", form: url.Values{"wait": {"no"}}, status: 200, words: `"disposition":"updated"`},
		{method: "POST", path: u + "/cancel", status: 200, words: `"to":"LoginRequired"`},
		{method: "POST", path: u + "/disconnect", status: 200, words: `"to":"Disconnected"`},
		{method: "POST", path: u + "/connect", status: 200, words: `"disposition":"moved"`, then: func(string) {
			w.awaitCredential(states.LoginRequired)
			w.logIn(secrets)
		}},
		{method: "GET", path: u, status: 200, words: `"generation":1`},
		{method: "POST", path: u + "/logout", status: 200, words: `"to":"LoggingOut"`},
		{method: "POST", path: u + "/logout", status: 200, words: `"disposition":"ignored"`},
	} {
		status, body := w.ask(step.method, step.path, step.form)
		if status != step.status || !strings.Contains(body, step.words) {
			t.Errorf("%s %s %v answers %d %s; want %d with %q", step.method, step.path, step.form, status, body, step.status, step.words)
		}
		if step.then != nil {
			step.then(body)
		}
	}
	events.stop()
	w.shown.WriteString(events.text())
	for name, secret := range secrets {
		if secret == "" || strings.Contains(w.shown.String(), secret) {
			t.Errorf("%s (%d bytes) was shown", name, len(secret))
		}
	}
	if w.shown.Len() < 10_000 {
		t.Errorf("only %d bytes were looked at", w.shown.Len())
	}
}

// logIn logs in as a user whose browser is elsewhere, through the interface, and
// notes the secrets of it.
func (w *world) logIn(secrets map[string]string) {
	w.Helper()
	schema := reportSchema(w.T)
	visited := false
	err := w.client.Login(w.Context(), "u", true, func(r api.Report) {
		text, err := json.Marshal(r)
		if err != nil {
			w.Fatal(err)
		}
		line, _ := jsonschema.UnmarshalJSON(bytes.NewReader(text)) // it was written just now
		if err := schema.Validate(line); err != nil {
			w.Errorf("the report %s: %v", text, err)
		}
		if visited {
			return
		}
		visited = true
		flow := w.snapshot().Data.Flow
		secrets["the state"], secrets["the verifier"] = flow.State.Reveal(), flow.Verifier.Reveal()
		person := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if code := r.URL.Query().Get("code"); code != "" {
				secrets["the code"] = code
			}
			return nil
		}}
		response, err := person.Get(r.URL)
		if err != nil {
			w.Fatal(err)
		}
		_ = response.Body.Close()
	})
	if err != nil {
		w.Fatal(err)
	}
	token := w.snapshot().Data.Token
	secrets["the access token"], secrets["the refresh token"] = token.Access.Reveal(), token.Refresh.Reveal()
}

func reportSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	var d document
	if err := json.Unmarshal(description, &d); err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.Components.Schemas["Report"]))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("report.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}
