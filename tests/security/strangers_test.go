package security

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A web page can make a browser send requests to this machine: none is carried out,
// none is answered with a word that lets the page read the answer.
func TestAWebPageGetsNothing(t *testing.T) {
	r := start(t)
	const form, plain, json = "application/x-www-form-urlencoded", "text/plain", "application/json"
	for _, path := range []string{"/mcp", "/mcp/u", "/login/u", "/metrics"} {
		for _, test := range []struct{ name, method, kind, origin, host string }{
			{"a preflight", http.MethodOptions, "", "https://evil.example", ""},
			{"a simple request", http.MethodPost, plain, "https://evil.example", ""},
			{"a form", http.MethodPost, form, "https://evil.example", ""},
			{"a sandboxed frame's form", http.MethodPost, form, "null", ""},
			{"JSON", http.MethodPost, json, "https://evil.example", ""},
			{"a rebound name", http.MethodPost, json, "", "evil.example"},
			{"a rebound name, read", http.MethodGet, "", "", "evil.example:80"},
		} {
			request, err := http.NewRequestWithContext(t.Context(), test.method, r.clients.URL+path, strings.NewReader(initialize))
			if err != nil {
				t.Fatal(err)
			}
			request.Host = test.host
			request.Header.Set("Authorization", "Bearer "+clientToken)
			request.Header.Set("Content-Type", test.kind)
			if test.origin != "" {
				request.Header.Set("Origin", test.origin)
				request.Header.Set("Sec-Fetch-Site", "cross-site")
				request.Header.Set("Access-Control-Request-Method", http.MethodPost)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode < 400 {
				t.Errorf("%s to %s is answered %s", test.name, path, response.Status)
			}
			for name := range response.Header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Mcp-Session-Id" {
					t.Errorf("%s to %s is answered with %s", test.name, path, name)
				}
			}
		}
	}
}

// Many guesses of the state neither end the login nor get in its way, and none sends
// the browser anywhere else.
func TestGuessesDoNotDisturbALogin(t *testing.T) {
	r := start(t)
	r.login(func(page string) {
		asked, err := url.Parse(page)
		if err != nil {
			t.Error(err)
			return
		}
		callback := asked.Query().Get("redirect_uri")
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		defer client.CloseIdleConnections()
		for guess := range 500 {
			query := url.Values{"code": {"guess"}, "state": {fmt.Sprintf("guess-%d", guess)}, "iss": {r.server.URL()},
				"redirect_uri": {"https://evil.example/"}, "next": {"//evil.example"}}
			response, err := client.Get(callback + "?" + query.Encode())
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusBadRequest || response.Header.Get("Location") != "" {
				t.Errorf("a guess is answered %s, and leads to %q", response.Status, response.Header.Get("Location"))
			}
		}
	})
	if c := r.server.Counters(); c.Authorize != 1 || c.TokenCode != 1 {
		t.Errorf("counted %+v", c)
	}
}

// What is on disk is its user's alone.
func TestFilesAreTheirUsersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no modes")
	}
	r := start(t)
	r.login(nil)
	entries := 0
	err := filepath.WalkDir(r.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		// The directory of the store was there before it, and is left as it was.
		if err == nil && path != r.dir && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %04o", filepath.Base(path), info.Mode().Perm())
		}
		entries++
		return err
	})
	if err != nil || entries < 3 {
		t.Errorf("%d files and directories were looked at: %v", entries, err)
	}
}
