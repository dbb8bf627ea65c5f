package upstream_test

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"
)

// Whatever comes to the callback listener that is not the response of the open
// login gets a page that says so, and the login goes on.
func TestForeignRequestsDoNotDisturbTheOpenLogin(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	page, outcome := r.openLogin()
	before := r.up.Snapshot()
	asked, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	callback, state := asked.Query().Get("redirect_uri"), asked.Query().Get("state")
	for name, test := range map[string]struct {
		method, address, host, mode string
		status                      int
	}{
		"no state":               {http.MethodGet, callback + "?code=x", "", "", http.StatusBadRequest},
		"a wrong state":          {http.MethodGet, callback + "?code=x&state=wrong", "", "", http.StatusBadRequest},
		"an error, wrong state":  {http.MethodGet, callback + "?error=access_denied&state=wrong", "", "", http.StatusBadRequest},
		"two states":             {http.MethodGet, callback + "?code=x&state=" + state + "&state=wrong", "", "", http.StatusBadRequest},
		"neither code nor error": {http.MethodGet, callback + "?state=" + state, "", "", http.StatusBadRequest},
		"another path":           {http.MethodGet, strings.TrimSuffix(callback, "/callback") + "/?code=x&state=" + state, "", "", http.StatusNotFound},
		"a POST":                 {http.MethodPost, callback + "?code=x&state=" + state, "", "", http.StatusMethodNotAllowed},
		"another host":           {http.MethodGet, callback + "?code=x&state=" + state, "attacker.example", "", http.StatusMisdirectedRequest},
		"a page's script":        {http.MethodGet, callback + "?code=x&state=" + state, "", "cors", http.StatusForbidden},
	} {
		request, err := http.NewRequestWithContext(r.context(), test.method, test.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = test.host
		if test.mode != "" {
			request.Header.Set("Sec-Fetch-Mode", test.mode)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != test.status {
			t.Errorf("%s: %d, want %d", name, response.StatusCode, test.status)
		}
	}
	if now := r.up.Snapshot(); now.Region(states.Credential).Epoch != before.Region(states.Credential).Epoch ||
		now.Data.FlowID != before.Data.FlowID {
		t.Error("the open login was disturbed")
	}
	if status, text := r.visit(page); status != http.StatusOK {
		t.Errorf("the login ended with %d: %s", status, text)
	}
	if err := <-outcome; err != nil {
		t.Error(err)
	}
	r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// A response that names another issuer ends the login and redeems nothing
// (RFC 9207).
func TestResponseOfAnotherIssuerRedeemsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.setFaults(oauthserver.Fault{Endpoint: "authorize", Kind: "wrong-issuer"})
	var failed *upstream.LoginError
	if err := r.up.Login(r.context(), nil); !errors.As(err, &failed) {
		t.Fatalf("login = %v", err)
	}
	r.wantCounts(want{Authorize: 1, Register: 1})
}

// keepListening lets the listener of a redirect address last until the function that
// it returns is called, for a browser that comes late on however busy a machine.
func (r *rig) keepListening(back string) (release func()) {
	r.Helper()
	address, err := url.Parse(back)
	if err != nil {
		r.Fatal(err)
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		r.Fatal(err)
	}
	reservation, err := r.callbacks.Reserve(r.context(), port)
	if err != nil {
		r.Fatal(err)
	}
	return reservation.Release
}
