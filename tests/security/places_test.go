package security

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"mcpproxy/admin"
	"mcpproxy/credential"
	"mcpproxy/instance"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/telemetry"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/tests/output"
	"mcpproxy/transitions"
	"mcpproxy/ui"
	"mcpproxy/upstream"
)

const (
	registrationToken = "canary-registration-access-token-e1"
	childSecret       = "canary-child-environment-40c7"
	parameterSecret   = "canary-call-parameter-b2d9"
)

// bindsToKeys makes of the test server one whose tokens are bound to a key (RFC 9449),
// and which gives clients that register a registration access token (RFC 7592).
func bindsToKeys(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token, bound := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP "); bound {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if r.URL.Path != "/token" && r.URL.Path != "/register" {
			next.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		body := strings.Replace(answer.Body.String(), `"Bearer"`, `"DPoP"`, 1)
		if r.URL.Path == "/register" {
			body = strings.Replace(body, "{", `{"registration_access_token":"`+registrationToken+`","registration_client_uri":"`+"http://"+r.Host+`/register/1",`, 1)
		}
		maps.Copy(w.Header(), answer.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		_, _ = io.WriteString(w, body) // the client went away
	})
}

// The secrets that come in elsewhere than by a plain login (a key that tokens are bound
// to, a registration's token, a child's environment, the page for users, what a call
// says), and the ways out that are open for long: the events and the traces.
func TestNoCanaryComesOutOfTheOtherPlaces(t *testing.T) {
	server, err := oauthserver.Start(t.Context(), oauthserver.Options{AutoApprove: true, Front: bindsToKeys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	var traced, followed output.Buffer
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(&traced, r.Body) }))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	var traces *telemetry.Telemetry
	r := start(t, func(o *instance.Options) {
		if traces, err = telemetry.Start(t.Context(), os.LookupEnv, "test", o.Logger); err != nil {
			t.Fatal(err)
		}
		o.Telemetry, o.Logger = traces, traces.Logger(o.Logger)
		bound := upstream.Config{Name: "bound", Transport: upstream.HTTP, URL: server.MCPURL(), Settings: states.DefaultSettings(),
			OAuth: upstream.OAuth{DPoP: true}}
		child := upstream.Config{Name: "child", Transport: upstream.Stdio, Command: "cat", Settings: states.DefaultSettings(),
			Env: map[string]credential.Secret{"API_KEY": credential.NewSecret(childSecret)}}
		gone := child
		gone.Name, gone.Command = "gone", filepath.Join(t.TempDir(), "no-such-program")
		o.Configs = append(o.Configs, bound, child, gone)
	})
	api := admin.Handler(r.instance, "test", admin.Options{})
	page := ui.New(api, "test")
	pages := httptest.NewServer(page.Handler())
	t.Cleanup(pages.Close)
	following, stop := context.WithCancel(t.Context())
	var follower sync.WaitGroup
	follower.Go(func() { follow(following, r.users.URL+"/v1/events", &followed) })

	secrets := map[string]string{"the registration's token": registrationToken, "the child's environment": childSecret,
		"a call's parameter": parameterSecret,
		"the clients' token": clientToken, "a configured header": headerSecret, "the client secret": clientSecret}
	shown := map[string]string{}
	show := func(place, text string) { shown[place] += text + "\n" }

	for _, name := range []string{"child", "gone"} {
		u, err := r.instance.Manager.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := u.Machine().Wait(t.Context(), func(s *transitions.Snapshot) bool { return s.Data.ConnectionError.Text != "" })
		if err != nil {
			t.Fatal(err)
		}
		show("the machines' data", fmt.Sprintf("%v %+v %#v %+v", s, s.Data, s.Data, u.Config()))
	}
	if r.up, err = r.instance.Manager.Get("bound"); err != nil {
		t.Fatal(err)
	}
	r.login(nil)
	token := r.up.Snapshot().Data.Token
	if token.Type != "DPoP" || token.Key.IsZero() {
		t.Fatal("the token is bound to no key, so that nothing is shown")
	}
	for i, line := range strings.Split(token.Key.Reveal(), "\n") {
		if len(line) > 32 && !strings.HasPrefix(line, "--") {
			secrets[fmt.Sprintf("line %d of the private key", i)] = line
		}
	}
	secrets["the access token"], secrets["the refresh token"] = token.Access.Reveal(), token.Refresh.Reveal()
	call := relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"echo","arguments":{"text":"` + parameterSecret + `"}}`)}
	for range 2 {
		if _, err := r.up.Call(t.Context(), call); err != nil {
			t.Error(err)
		}
		server.RevokeAccess() // the next one renews the token
	}
	show("the machines' data", fmt.Sprintf("%v %+v %#v", r.up.Snapshot(), r.up.Snapshot().Data, r.up.Snapshot().Data))
	browser(r, page, pages, secrets, func(text string) { show("the page's answers", text) })
	for _, u := range []string{"u", "bound", "child", "gone"} {
		for _, path := range []string{"", "/journal", "/explain"} {
			_, text := r.ask(http.MethodGet, r.users.URL+"/v1/upstreams/"+u+path, "")
			show("the interface's answers", text)
		}
	}
	_, text := r.ask(http.MethodGet, r.clients.URL+"/metrics", "")
	show("the metrics", text)
	if err := server.SetFaults(oauthserver.Fault{Endpoint: "token", Kind: "malformed"}); err != nil {
		t.Fatal(err)
	}
	_, err = r.up.Call(t.Context(), call)
	show("errors", fmt.Sprintf("%v %+v", err, err))

	stop()
	follower.Wait()
	if err := traces.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	show("the traces", traced.String())
	show("the events", followed.String())
	show("the log", r.logs.String())
	files, err := filepath.Glob(filepath.Join(r.dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		show("the file "+filepath.Base(file), string(content))
	}
	searched(t, secrets, shown, "the traces", "the events", "the log", "the machines' data", "the page's answers", "the interface's answers",
		"the metrics", "the file store.db")
}

// browser opens the page for users as a browser does, and asks for something.
func browser(r *running, page *ui.Page, pages *httptest.Server, secrets map[string]string, show func(string)) {
	r.Helper()
	address, err := page.Invite(pages.Listener.Addr())
	if err != nil {
		r.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	defer client.CloseIdleConnections()
	get := func(method, address, csrf string) string {
		request, err := http.NewRequestWithContext(r.Context(), method, address, nil)
		if err != nil {
			r.Fatal(err)
		}
		request.Header.Set("X-Mcpproxy-Csrf", csrf)
		response, err := client.Do(request)
		if err != nil {
			r.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			r.Fatal(err)
		}
		return string(body)
	}
	_, secrets["the page's invitation"], _ = strings.Cut(address, "invitation=")
	show(get(http.MethodGet, address, ""))
	show(get(http.MethodGet, address, "")) // it is good once
	at, err := url.Parse(pages.URL + "/ui/")
	if err != nil {
		r.Fatal(err)
	}
	for _, cookie := range jar.Cookies(at) {
		secrets["the page's cookie"] = cookie.Value
	}
	// The page itself has to have its CSRF token; nothing else has.
	found := regexp.MustCompile(`[A-Z2-7]{26}`).FindAllString(get(http.MethodGet, pages.URL+"/ui/", ""), -1)
	if len(found) != 1 || secrets["the page's cookie"] == "" {
		r.Fatalf("the page has %d tokens", len(found))
	}
	secrets["the page's CSRF token"] = found[0]
	for _, csrf := range []string{"another", found[0]} {
		show(get(http.MethodPost, pages.URL+"/ui/api/v1/upstreams/child/connect", csrf))
	}
	show(get(http.MethodGet, pages.URL+"/ui/api/v1/upstreams", ""))
}

// follow reads the events until ctx ends.
func follow(ctx context.Context, address string, into io.Writer) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	_, _ = io.Copy(into, response.Body) // it ends with ctx
}

// searched fails the test for each secret that is anywhere, and where a place has so
// little that nothing was shown.
func searched(t *testing.T, secrets, shown map[string]string, places ...string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if len(secrets[name]) < 16 {
			t.Errorf("%s is too short to be searched for", name)
			continue
		}
		for place, text := range shown {
			if holds(text, secrets[name]) {
				t.Errorf("%s is in %s", name, place)
			}
		}
	}
	for _, place := range places {
		if len(shown[place]) < 500 {
			t.Errorf("%s has only %d bytes", place, len(shown[place]))
		}
	}
}
