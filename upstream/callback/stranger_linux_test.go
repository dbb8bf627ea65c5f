package callback_test

import (
	"net/http"
	"strings"
	"testing"

	"mcpproxy/tests/stranger"
)

// A response that another user's program brings, which may have read the state from the
// list of processes, reaches no login; the login stays open (fault J14).
func TestAnotherUsersResponse(t *testing.T) {
	s := newServer(t)
	f := begin(t, s, "state")
	response, err := stranger.Client(t).Get(f.RedirectURI() + "?code=another&state=state")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusForbidden || f.handled.Load()+f.late.Load() != 0 {
		t.Errorf("the answer is %d, the login was asked %d times", response.StatusCode, f.handled.Load()+f.late.Load())
	}
	own, _ := send(t, http.MethodGet, f.RedirectURI()+"?code=c0de&state=state", nil)
	if next := own.Header.Get("Location"); !strings.Contains(next, "/outcome/") {
		t.Errorf("the user's own response leads to %q with %d", next, own.StatusCode)
	}
}
