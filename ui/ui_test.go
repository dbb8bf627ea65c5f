package ui_test

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/ui"
)

const host = "127.0.0.1:8930"

// visitor is a browser with what a test needs of one.
type visitor struct {
	*testing.T
	page   *ui.Page
	passed []string // what reached the admin interface
	cookie *http.Cookie
	csrf   string
}

func newVisitor(t *testing.T) *visitor {
	v := &visitor{T: t}
	v.page = ui.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.passed = append(v.passed, r.Method+" "+r.URL.Path)
	}), "1.0")
	return v
}

func (v *visitor) invite() string {
	v.Helper()
	address, err := v.page.Invite(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8930})
	if err != nil {
		v.Fatal(err)
	}
	at, err := url.Parse(address)
	if err != nil || at.Host != host {
		v.Fatal(address, err)
	}
	return at.RequestURI()
}

// ask sends a request as the page does; changes make it another one.
func (v *visitor) ask(method, path string, changes ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host, r.RemoteAddr = host, "127.0.0.1:4711"
	if v.cookie != nil {
		r.AddCookie(v.cookie)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("X-Mcpproxy-Csrf", v.csrf)
	for _, change := range changes {
		change(r)
	}
	w := httptest.NewRecorder()
	v.page.Handler().ServeHTTP(w, r)
	return w
}

// enter follows an invitation.
func (v *visitor) enter() {
	v.Helper()
	w := v.ask("GET", v.invite(), header("Sec-Fetch-Site", "none"))
	if w.Code != http.StatusOK || len(w.Result().Cookies()) != 1 {
		v.Fatal(w.Code, w.Body)
	}
	v.cookie = w.Result().Cookies()[0]
	if !v.cookie.HttpOnly || v.cookie.SameSite != http.SameSiteStrictMode || v.cookie.Path != "/ui/" {
		v.Errorf("the cookie is %v", v.cookie)
	}
	found := regexp.MustCompile(`name="csrf-token" content="([A-Z2-7]+)"`).FindStringSubmatch(v.ask("GET", "/ui/").Body.String())
	if found == nil {
		v.Fatal("the page has no token")
	}
	v.csrf = found[1]
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func TestThePageIsOffUntilSomebodyIsInvited(t *testing.T) {
	v := newVisitor(t)
	for _, path := range []string{"/ui/", "/ui/open?invitation=x", "/ui/static/page.js", "/ui/api/v1/upstreams"} {
		if w := v.ask("GET", path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	v.enter()
	if w := v.ask("GET", "/ui/static/page.js"); w.Code != http.StatusOK {
		t.Error(w.Code)
	}
	if w := v.ask("POST", "/ui/leave"); w.Code != http.StatusOK {
		t.Error(w.Code)
	}
	if w := v.ask("GET", "/ui/"); w.Code != http.StatusNotFound {
		t.Errorf("after the last one left: %d", w.Code)
	}
}

func TestAnInvitationIsGoodOnceAndForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisitor(t)
		again, late := v.invite(), v.invite()
		for _, method := range []string{"HEAD", "HEAD", "GET"} { // to ask is not to follow it
			if w := v.ask(method, again); w.Code != http.StatusOK || (len(w.Result().Cookies()) == 1) != (method == "GET") {
				t.Errorf("%s: %d", method, w.Code)
			}
		}
		if w := v.ask("HEAD", again); w.Code != http.StatusUnauthorized {
			t.Errorf("asked after it was followed: %d", w.Code)
		}
		if w := v.ask("GET", again); w.Code != http.StatusUnauthorized || len(w.Result().Cookies()) != 0 {
			t.Errorf("a second time: %d", w.Code)
		}
		time.Sleep(time.Minute + time.Second)
		if w := v.ask("GET", late); w.Code != http.StatusUnauthorized || len(w.Result().Cookies()) != 0 {
			t.Errorf("after a minute: %d", w.Code)
		}
	})
}

func TestASessionThatIsNotUsedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisitor(t)
		v.enter()
		time.Sleep(11 * time.Hour)
		if w := v.ask("GET", "/ui/"); w.Code != http.StatusOK {
			t.Errorf("after 11 h: %d", w.Code)
		}
		time.Sleep(13 * time.Hour)
		if w := v.ask("GET", "/ui/"); w.Code != http.StatusNotFound {
			t.Errorf("13 h after that: %d", w.Code)
		}
	})
}

func TestOnlyThisPageIsServed(t *testing.T) {
	v := newVisitor(t)
	v.enter()
	const command = "/ui/api/v1/upstreams/notes/logout"
	for _, test := range []struct {
		name, method, path string
		change             func(*http.Request)
		want               int
	}{
		{"the page reads", "GET", "/ui/api/v1/upstreams", header("X-Mcpproxy-Csrf", ""), http.StatusOK},
		{"the page asks", "POST", command, header("Origin", "http://"+host), http.StatusOK},
		{"without the token", "POST", command, header("X-Mcpproxy-Csrf", ""), http.StatusForbidden},
		{"with a wrong token", "POST", command, header("X-Mcpproxy-Csrf", "x"), http.StatusForbidden},
		{"without a session", "GET", "/ui/api/v1/upstreams", header("Cookie", ""), http.StatusUnauthorized},
		{"with a wrong session", "GET", "/ui/api/v1/upstreams", header("Cookie", "mcpproxy_page=x"), http.StatusUnauthorized},
		{"DNS rebinding", "GET", "/ui/", func(r *http.Request) { r.Host = "evil.example:8930" }, http.StatusForbidden},
		{"another machine", "GET", "/ui/", func(r *http.Request) { r.RemoteAddr = "192.0.2.1:4711" }, http.StatusForbidden},
		{"another origin", "POST", command, header("Origin", "http://evil.example"), http.StatusForbidden},
		{"another port", "POST", command, header("Origin", "http://127.0.0.1:9999"), http.StatusForbidden},
		{"a sandboxed frame", "POST", command, header("Origin", "null"), http.StatusForbidden},
		{"a link of another site", "GET", "/ui/", header("Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
		{"another port's page", "GET", "/ui/api/v1/upstreams", header("Sec-Fetch-Site", "same-site"), http.StatusForbidden},
		{"not passed on: streams", "POST", "/ui/api/v1/stdio", nil, http.StatusNotFound},
		{"not passed on: reload", "POST", "/ui/api/v1/reload", nil, http.StatusNotFound},
		{"not passed on: invitations", "POST", "/ui/api/v1/page", nil, http.StatusNotFound},
		{"no way out of the files", "GET", "/ui/static/..%2fui.go", nil, http.StatusNotFound},
	} {
		v.passed = nil
		changes := []func(*http.Request){}
		if test.change != nil {
			changes = append(changes, test.change)
		}
		w := v.ask(test.method, test.path, changes...)
		if w.Code != test.want || (w.Code == http.StatusOK) != (len(v.passed) == 1) {
			t.Errorf("%s: %d, want %d; passed on %v", test.name, w.Code, test.want, v.passed)
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") ||
			strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", test.name, policy)
		}
	}
}

func TestAProxyThatIsNotOnLoopbackInvitesNobody(t *testing.T) {
	page := newVisitor(t).page
	if _, err := page.Invite(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}); !errors.Is(err, ui.ErrNotLoopback) {
		t.Error(err)
	}
	if address, err := page.Invite(&net.TCPAddr{IP: net.IPv4zero, Port: 8930}); err != nil ||
		!strings.HasPrefix(address, "http://127.0.0.1:8930/ui/open?") {
		t.Error(address, err)
	}
}

// The page's files load nothing from elsewhere, and have nothing that its policy
// would keep from working.
func TestTheFilesReferToNothingOutside(t *testing.T) {
	foreign := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9-]+\.[a-z]|style=|<script>|<style|\bon[a-z]+="`)
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		names := strings.NewReplacer("http://www.w3.org/2000/svg", "", "http://www.w3.org/1999/xlink", "")
		if found := foreign.FindString(names.Replace(string(text))); found != "" {
			t.Errorf("%s has %q", path, found)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
