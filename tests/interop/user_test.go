package interop

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"
)

// answers are what the user fills into fields that are not filled in.
var answers = map[string]string{"login": "user", "username": "test-user@127.0.0.1", "password": "verysecure"}

// user is at a browser and fills in the pages of authorization servers.
type user struct {
	browser *http.Client
	mu      sync.Mutex
	pages   int
	last    string // what the last page says
	work    sync.WaitGroup
}

func newUser(t *testing.T) *user {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u := &user{browser: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
	t.Cleanup(func() {
		u.work.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
	return u
}

// open is a browser.Opener.
func (u *user) open(_ context.Context, target string) error {
	u.work.Go(func() {
		last, err := u.complete(target)
		if err != nil {
			last = err.Error()
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.last = last
	})
	return nil
}

// seen returns how many forms the user has filled in, and what the last page says.
func (u *user) seen() (pages int, last string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pages, u.last
}

var (
	form  = regexp.MustCompile(`(?is)<form\b([^>]*)>`)
	input = regexp.MustCompile(`(?is)<input\b([^>]*)>`)
	value = regexp.MustCompile(`(?is)\b(action|name|value|type)\s*=\s*"([^"]*)"`)
)

func attributes(tag []byte) map[string]string {
	all := map[string]string{}
	for _, m := range value.FindAllSubmatch(tag, -1) {
		all[string(bytes.ToLower(m[1]))] = html.UnescapeString(string(m[2]))
	}
	return all
}

// complete sends every form until a page has none, and returns that page.
func (u *user) complete(target string) (string, error) {
	response, err := u.browser.Get(target)
	for range 8 {
		if err != nil {
			return "", err
		}
		page, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return "", err
		}
		shown := form.FindSubmatch(page)
		if shown == nil {
			return fmt.Sprintf("%s: %s", response.Status, page), nil
		}
		fields := url.Values{}
		for _, tag := range input.FindAllSubmatch(page, -1) {
			of := attributes(tag[1])
			if name := of["name"]; name != "" && !fields.Has(name) {
				fields.Set(name, of["value"])
				if of["value"] == "" {
					fields.Set(name, answers[name])
				}
			}
		}
		at, err := response.Request.URL.Parse(attributes(shown[1])["action"])
		if err != nil {
			return "", err
		}
		u.mu.Lock()
		u.pages++
		u.mu.Unlock()
		response, err = u.browser.PostForm(at.String(), fields)
		if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("the pages of %s do not end", target)
}
