package instance_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"
)

// start runs a proxy in front of a server that wants a login; no browser is ever
// opened by it.
func start(t *testing.T) (server *oauthserver.Server, url string) {
	t.Helper()
	server, err := oauthserver.Start(t.Context(), oauthserver.Options{AutoApprove: true})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url = "http://" + listener.Addr().String()
	directory := t.TempDir()
	i, err := instance.Start(t.Context(), instance.Options{
		StorePath: filepath.Join(directory, "store.db"), Keys: store.FileKeys(filepath.Join(directory, "key")), Connect: true,
		Configs:  []upstream.Config{{Name: "u", Transport: upstream.HTTP, URL: server.MCPURL(), Settings: states.DefaultSettings()}},
		Open:     func(context.Context, string) error { t.Error("a browser was opened"); return errors.New("none") },
		LoginURL: func(name string) string { return url + "/login/" + name }, Logger: slog.New(slog.DiscardHandler), Version: "test",
		Observe: journals.Watch(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	face := &http.Server{Handler: i.Proxy.Handler(), ReadHeaderTimeout: time.Second}
	go func() { _ = face.Serve(listener) }() // ends with Close
	t.Cleanup(func() {
		_ = face.Close()
		if err := errors.Join(i.Close(), server.Close()); err != nil {
			t.Error(err)
		}
	})
	return server, url
}

func post(t *testing.T, url, session, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Mcp-Session-Id", session)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// A client that opens addresses is offered the login page when a call needs one;
// the user logs in there, in the same browser, and the call goes on.
func TestACallOffersTheLoginToItsClient(t *testing.T) {
	server, url := start(t)
	session := post(t, url+"/mcp/u", "", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"url":{}}},"clientInfo":{"name":"t","version":"1"}}}`).Header.Get("Mcp-Session-Id")
	call := post(t, url+"/mcp/u", session, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"after the login"}}}`)
	lines := bufio.NewScanner(call.Body)
	next := func() (m struct {
		ID     json.RawMessage
		Method string
		Params struct{ Mode, URL string }
		Result json.RawMessage
	}) {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &m); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		return m
	}
	offer := next()
	if offer.Method != "elicitation/create" || offer.Params.Mode != "url" || offer.Params.URL != url+"/login/u" {
		t.Fatalf("the client was offered %+v", offer)
	}
	post(t, url+"/mcp/u", session, `{"jsonrpc":"2.0","id":`+string(offer.ID)+`,"result":{"action":"accept"}}`)

	// The user opens the page and presses its button; the browser does the rest.
	page, err := http.Get(offer.Params.URL)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(page.Body)
	_ = page.Body.Close()
	if !strings.Contains(string(text), `<form method="post">`) {
		t.Fatalf("the page is %s", text)
	}
	end := post(t, offer.Params.URL, "", "")
	if text, _ := io.ReadAll(end.Body); end.StatusCode != http.StatusOK || !strings.Contains(string(text), "Logged in to u") {
		t.Errorf("the browser ended with %s: %s", end.Status, text)
	}
	if answer := next(); !strings.Contains(string(answer.Result), "after the login") {
		t.Errorf("the call ended with %+v", answer)
	}
	if c := server.Counters(); c.Authorize != 1 || c.TokenCode != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestTheLoginPageRefuses(t *testing.T) {
	_, url := start(t)
	for _, test := range []struct {
		name, method, path, origin string
		status                     int
		words                      string
	}{
		{"an unknown upstream", http.MethodGet, "/login/x", "", http.StatusNotFound, "There is no upstream of this name. Configured are: u."},
		{"a form of another site", http.MethodPost, "/login/u", "https://evil.example", http.StatusForbidden, "not served"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, url+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.origin != "" {
			request.Header.Set("Origin", test.origin)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != test.status || !strings.Contains(string(text), test.words) {
			t.Errorf("%s: %s %s", test.name, response.Status, text)
		}
	}
}
