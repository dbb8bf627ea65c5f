package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
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
	}{{address, http.StatusOK}, {base + "/ui/", http.StatusOK}, {base + "/ui/api/v1/upstreams", http.StatusOK},
		{address, http.StatusUnauthorized}, {base + "/metrics", http.StatusOK}} {
		if got := status(step.address); got != step.want {
			t.Errorf("%s: %d, want %d", strings.Split(step.address, "=")[0], got, step.want)
		}
	}
	if invitation := address[strings.Index(address, "=")+1:]; strings.Contains(m.logs.String(), invitation) {
		t.Error("the invitation is in the log")
	}
}

// The invitation is not in the list of processes: the browser is given it in a file that
// only its user can read, which is removed when the browser has come (fault J14).
func TestTheInvitationIsNoArgument(t *testing.T) {
	m := newMachine(t, oauthserver.Options{})
	given := filepath.Join(m.dir, "given")
	m.environment = []string{"GIVEN=" + given, "TMPDIR=" + m.dir}
	m.start("--no-browser")
	look := func(how string) {
		t.Helper()
		var arguments []byte
		var err error
		m.eventually("the browser", func() bool { arguments, err = os.ReadFile(given); return len(arguments) > 0 })
		if err != nil || strings.Contains(string(arguments), "invitation") || !strings.Contains(string(arguments), "file://"+m.dir) {
			t.Errorf("%s: the browser was given %q, %v", how, arguments, err)
		}
		m.eventually("the file to be gone", func() bool {
			left, err := filepath.Glob(filepath.Join(m.dir, "mcpproxy-page-*"))
			return err == nil && len(left) == 0
		})
	}
	if out := m.mustRun("mcpproxy", "ui", "--browser", m.browser()); out != "" {
		t.Errorf("it says %q", out)
	}
	look("--browser")
	m.environment = append(m.environment, "BROWSER="+m.browser())
	m.mustRun("mcpproxy", "ui")
	look("$BROWSER")
	m.kill()
	if err := os.Remove(given); err != nil {
		t.Fatal(err)
	}
	m.start("--ui")
	look("serve --ui")
	if strings.Contains(m.logs.String(), "invitation") {
		t.Error("the invitation is in the log")
	}

	// A browser that does not come: users are told, and can go by themselves.
	code, out, errs := m.run("mcpproxy", "ui", "--browser", "true")
	if code != 0 || !strings.Contains(out, "/ui/open?invitation=") || !strings.Contains(errs, "has not come yet") {
		t.Errorf("%d: %q, %q", code, out, errs)
	}
}
