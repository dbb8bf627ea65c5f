package troubleshooting

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcpproxy/admin/client"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"
)

// requests are a user's that are refused, and the pages that a browser is shown.
func requests(t *testing.T) []message {
	var all []message
	s := newScene(t, oauthserver.Options{AutoApprove: true})
	say := func(name, state string, err error) {
		t.Helper()
		all = append(all, message{name, state, s.normal(heard(s.fails(err)))})
	}
	shown := func(name, state, page string) { all = append(all, message{name, state, s.normal(page)}) }
	pages := make(chan string, 2)
	s.browse = func(target string) { pages <- target }
	s.start()
	_, err := s.instance.Manager.Get("nots")
	say("an unknown upstream", "", err)
	s.awaitReason(states.NeverLoggedIn)

	outcome := s.begin()
	back := redirected(t, <-pages)
	shown("a response with a state that nobody gave", "", visit(t, strings.Replace(back, "state=", "state=x", 1)))
	shown("a response without its parameters", "", visit(t, back[:strings.Index(back, "?")]))
	shown("a login that is completed", "", visit(t, back))
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	shown("a login that is completed twice", "Fresh", visit(t, back))

	s.await(states.Connection, states.Connected)
	s.faults(oauthserver.Fault{Endpoint: "mcp", Kind: "status", Status: 500, Method: "tools/call"})
	say("a call that the server fails at", "Connected", s.call("echo"))
	s.faults(oauthserver.Fault{Endpoint: "mcp", Kind: "cut-before", Method: "tools/call"})
	say("a call whose answer is lost", "Connected", s.call("echo"))

	local := newScene(t, oauthserver.Options{})
	local.config = upstream.Config{Name: "notes", Transport: upstream.Stdio, Command: "mcp-notes-that-is-not-installed"}
	local.start()
	say("a login where there is none", "NotNeeded", local.up.Login(local.context(), nil))

	say("no proxy is running", "", client.New(filepath.Join(t.TempDir(), "mcpproxy.sock")).Get(t.Context(), "/v1/upstreams", nil))
	all[len(all)-1].text = regexp.MustCompile(`/\S+/mcpproxy\.sock`).ReplaceAllString(all[len(all)-1].text, "~/.local/share/mcpproxy/mcpproxy.sock")
	return all
}

// redirected is where the authorization server sends the browser back to.
func redirected(t *testing.T, page string) string {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.Header.Get("Location")
}

var (
	visible = regexp.MustCompile(`(?s)<main>(.*)</main>`)
	markup  = regexp.MustCompile(`(?s)<[^>]*>`)
)

// visit is what the page says at an address.
func visit(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.FieldsFunc(markup.ReplaceAllString(visible.FindString(string(body)), "\n"),
		func(r rune) bool { return r == '\n' }), " | ")
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&quot;", `"`).Replace(text)
}
