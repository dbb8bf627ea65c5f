package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The example as it is: a login in the user's browser at one upstream, none at the other,
// a client that lists the tools of both, and an interrupt that ends everything.
func TestTheExampleServesBoth(t *testing.T) {
	var urls []string
	for _, o := range []oauthserver.Options{{AutoApprove: true}, {NoAuth: true}} {
		server, err := oauthserver.Start(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		urls = append(urls, server.MCPURL())
	}
	path := filepath.Join(t.TempDir(), "store.db")
	automatic := states.Settings{AutomaticLogin: true}
	o := instance.Options{
		StorePath: path,
		Keys:      store.FileKeys(path + ".key"),
		Open:      browse,
		Connect:   true,
		Configs:   []upstream.Config{{Name: "first", URL: urls[0], Settings: automatic}, {Name: "second", URL: urls[1], Settings: automatic}},
		Observe:   journals.Watch(t),
	}
	ctx, interrupt := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, write, "127.0.0.1:0", o)
		_ = write.Close() // the scanner below ends with it
		ended <- err
	}()
	lines, said := bufio.NewScanner(read), ""
	for lines.Scan() {
		said += lines.Text() + "\n"
		if _, address, served := strings.Cut(lines.Text(), "clients find both at "); served {
			if got := tools(t, address); !strings.Contains(got, `"first__echo"`) || !strings.Contains(got, `"second__echo"`) {
				t.Errorf("a client finds %s", got)
			}
			interrupt()
		}
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	for _, want := range []string{"first is Connected and has", "second is Connected and has", "tools (<nil>)"} {
		if !strings.Contains(said, want) {
			t.Errorf("it says %q, without %q", said, want)
		}
	}
}

// browse is a user's browser.
func browse(ctx context.Context, page string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// tools is what a client of the stateless protocol is told of the tools.
func tools(t *testing.T, address string) string {
	t.Helper()
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{
		"io.modelcontextprotocol/protocolVersion":"2026-07-28",
		"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},
		"io.modelcontextprotocol/clientCapabilities":{}}}}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list",
	} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(text)
}
