package loopback_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"mcpproxy/loopback"
	"mcpproxy/tests/stranger"
)

func serve(t *testing.T) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if loopback.Foreign(r) {
			http.Error(w, "foreign", http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func status(t *testing.T, client *http.Client, address string) int {
	t.Helper()
	response, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

// A request of this user's program is not foreign.
func TestOwnRequests(t *testing.T) {
	if got := status(t, http.DefaultClient, serve(t)); got != http.StatusOK {
		t.Errorf("the answer is %d", got)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A request of another user's program is foreign: who has read a one-time address from
// the list of processes cannot use it (fault J14).
func TestAnothersRequestIsForeign(t *testing.T) {
	if got := status(t, stranger.Client(t), serve(t)); got != http.StatusForbidden {
		t.Errorf("the answer is %d", got)
	}
}

// What did not come over loopback is not looked for.
func TestRequestsFromElsewhere(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, remote := range []string{"192.0.2.1:1234", "not an address", ""} {
		if r.RemoteAddr = remote; loopback.Foreign(r) {
			t.Errorf("a request from %q is foreign", remote)
		}
	}
}
