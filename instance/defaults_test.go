package instance_test

import (
	"net/http"
	"path/filepath"
	"testing"

	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"
)

// Who embeds the proxy may leave out the logger and the opener; a login then shows its
// page's address (fault J7).
func TestNothingButAStoreIsNeeded(t *testing.T) {
	server, err := oauthserver.Start(t.Context(), oauthserver.Options{AutoApprove: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	directory := t.TempDir()
	i, err := instance.Start(t.Context(), instance.Options{StorePath: filepath.Join(directory, "store.db"),
		Keys: store.FileKeys(filepath.Join(directory, "key")), Connect: true, Observe: journals.Watch(t),
		Configs: []upstream.Config{{Name: "u", Transport: upstream.HTTP, URL: server.MCPURL(), Settings: states.DefaultSettings()}}})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	u, err := i.Manager.Get("u")
	if err != nil {
		t.Fatal(err)
	}
	page := ""
	err = u.Login(t.Context(), func(p upstream.Progress) {
		if page == "" && p.URL != "" {
			page = p.URL
			visit(t, page)
		}
	})
	if err != nil || page == "" {
		t.Errorf("the login ended with %v; its page is %q", err, page)
	}
}

// visit is the user's browser.
func visit(t *testing.T, page string) {
	t.Helper()
	response, err := http.Get(page)
	if err != nil {
		t.Error(err)
		return
	}
	_ = response.Body.Close()
}
