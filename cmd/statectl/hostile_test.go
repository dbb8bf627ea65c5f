package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"mcpproxy/tests/oauthserver"
)

// hostile is what a server says to a terminal: its clipboard, its title, a line of its
// own, and text that is read from the other side.
const hostile = "ok\x1b]52;c;cm0gLXJm\a\x1b]0;title\x1b\\\r\nforged: Connected\t\u009b31m\u202egnp.exe"

// speaks has the test server say it: as the scope of tokens, as the error of
// the MCP server's initialize and as the page of a refused logout.
func speaks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said, _ := json.Marshal(hostile) // it is a string
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		body := answer.Body.String()
		switch {
		case r.URL.Path == "/token":
			body = strings.Replace(body, `"scope":"mcp"`, `"scope":`+string(said), 1)
		case r.URL.Path == "/mcp" && answer.Code == http.StatusOK:
			answer.Header().Set("Content-Type", "application/json")
			body = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"error":{"code":-32603,"message":%s}}`, 1, said)
		case r.URL.Path == "/revoke":
			answer.Code, body = http.StatusBadRequest, fmt.Sprintf(`{"error":"invalid_request","error_description":%s}`, said)
		}
		maps.Copy(w.Header(), answer.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		_, _ = io.WriteString(w, body) // the client went away
	})
}

// Whatever a server says, statectl prints lines of its own and nothing but text; what
// JSON says is exact (fault J10).
func TestWhatServersSayIsOnlyText(t *testing.T) {
	w := newWorldOf(t, oauthserver.Options{AutoApprove: true, Front: speaks})
	w.awaitPhase("LoginRequired")
	w.run("fire", "github", "login")
	w.visit()
	w.eventually("the server's error", func() bool {
		_, out, _ := w.run("dump")
		return strings.Contains(out, `\x1b]52`) && strings.Contains(out, "last error")
	})
	shown := 0
	look := func(args ...string) {
		t.Helper()
		_, out, errs := w.run(args...)
		for line := range strings.Lines(out + errs) {
			if text := strings.TrimSuffix(line, "\n"); strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) ||
				strings.HasPrefix(text, "forged") {
				t.Errorf("%v printed the line %q", args, line)
			}
		}
		shown += strings.Count(out, "gnp.exe")
	}
	for range 2 { // of a running proxy, and then of a stopped one
		for _, args := range [][]string{{"dump"}, {"explain", "github"}, {"history", "github"}, {"stats"}, {"replay"},
			{"wait", "github", "--for", "Connected", "--timeout", "1ms"},
			{"dump", "--json"}, {"explain", "github", "--json"}, {"history", "github", "--json"}} {
			look(args...)
		}
		w.stop()
	}
	if shown < 8 {
		t.Errorf("what the server says was shown %d times only", shown)
	}
	w.start()
	var all []struct {
		ConnectionError struct{ Text string } `json:"connection_error"`
	}
	w.eventually("the error in JSON", func() bool {
		_, out, _ := w.run("dump", "--json")
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(all[0].ConnectionError.Text, hostile)
	})
}
