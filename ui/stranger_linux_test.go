package ui_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"mcpproxy/tests/stranger"
	"mcpproxy/ui"
)

// Another user who has read the invitation from the list of processes gets no session,
// and does not spoil it for the one who is invited (fault J14).
func TestAnInvitationIsForItsUser(t *testing.T) {
	page := ui.New(http.NotFoundHandler(), "1.0")
	server := httptest.NewServer(page.Handler())
	defer server.Close()
	address, err := page.Invite(server.Listener.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		client *http.Client
		status int
	}{{stranger.Client(t), http.StatusForbidden}, {server.Client(), http.StatusOK}} {
		response, err := test.client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != test.status || (len(response.Cookies()) > 0) != (test.status == http.StatusOK) {
			t.Errorf("the answer is %d with %d cookies, want %d", response.StatusCode, len(response.Cookies()), test.status)
		}
	}
}
