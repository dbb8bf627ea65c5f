package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"mcpproxy/tests/oauthserver"
)

// The page is not there until its command asks for it, and the address that the
// command gives opens it once.
func TestThePageIsOpenedByItsCommand(t *testing.T) {
	m := newMachine(t, oauthserver.Options{})
	m.start("--no-browser", "--metrics")
	proxy, err := url.Parse(m.address)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	status := func(address string) int {
		t.Helper()
		response, err := browser.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	base := "http://" + proxy.Host
	if got := status(base + "/ui/"); got != http.StatusNotFound {
		t.Errorf("before it is asked for: %d", got)
	}
	address := strings.TrimSpace(m.mustRun("mcpproxy", "ui", "--no-browser"))
	if !strings.HasPrefix(address, base+"/ui/open?") {
		t.Fatalf("the proxy is at %s and the page at %s", base, address)
	}
	for _, step := range []struct {
		address string
		want    int
	}{{address, http.StatusOK}, {base + "/ui/", http.StatusOK}, {base + "/ui/api/v1/upstreams", http.StatusOK}, {address, http.StatusUnauthorized}, {base + "/metrics", http.StatusOK}} {
		if got := status(step.address); got != step.want {
			t.Errorf("%s: %d, want %d", strings.Split(step.address, "=")[0], got, step.want)
		}
	}
	if invitation := address[strings.Index(address, "=")+1:]; strings.Contains(m.logs.String(), invitation) {
		t.Error("the invitation is in the log")
	}
}
