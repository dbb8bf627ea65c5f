package upstream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"
)

// Metadata that changes while a login is open changes nothing of that login.
func TestOpenLoginKeepsItsEndpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	page, outcome := r.openLogin()
	r.setFaults(oauthserver.Fault{Endpoint: "metadata", Kind: "wrong-issuer"}, oauthserver.Fault{Endpoint: "prm", Kind: "status", Status: 404})
	if status, text := r.visit(page); status != http.StatusOK {
		t.Errorf("the login ended with %d: %s", status, text)
	}
	if err := <-outcome; err != nil {
		t.Error(err)
	}
	if c := r.server.Counters(); c.ServerMetadata != 1 || c.TokenCode != 1 {
		t.Errorf("counted %+v", c)
	}
}

// A code whose answer is lost is not sent again: a new login gets a new one.
func TestCodeIsSentOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "cut-after", Count: 1})
	var failed *upstream.LoginError
	if err := r.up.Login(r.context(), nil); !errors.As(err, &failed) {
		t.Fatalf("login = %v", err)
	}
	r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
	r.login()
	r.mustCall()
}

// The page of the outcome is the browser's alone: it loads nothing, is kept by
// nobody, has no code in its address, and shows what a server says as text.
func TestPageOfTheOutcome(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	for _, test := range []struct {
		name   string
		change func(back *url.URL)
		status int
		words  string
	}{
		{"a login that fails at the end", func(*url.URL) {
			r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "status", Status: 500, Count: 1})
		}, http.StatusBadGateway, "Not logged in to u"},
		{"an error with a script in it", func(back *url.URL) {
			q := back.Query()
			q.Del("code")
			q.Set("error", "server_error")
			q.Set("error_description", `<script>alert(1)</script>`)
			q.Set("next", "https://evil.example/")
			back.RawQuery = q.Encode()
		}, http.StatusBadGateway, "&lt;script&gt;"},
		{"a login", func(*url.URL) {}, http.StatusOK, "Logged in to u"},
	} {
		page, outcome := r.openLogin()
		back, err := url.Parse(r.redirected(page))
		if err != nil {
			t.Fatal(err)
		}
		test.change(back)
		response, err := http.Get(back.String())
		if err != nil {
			t.Fatal(err)
		}
		text := new(strings.Builder)
		_, _ = copyText(text, response)
		if response.StatusCode != test.status || !strings.Contains(text.String(), test.words) || strings.Contains(text.String(), "<script") {
			t.Errorf("%s: %s %s", test.name, response.Status, text)
		}
		if end := response.Request.URL; end.RawQuery != "" || end.Host != back.Host {
			t.Errorf("%s: the browser ends at %s", test.name, end)
		}
		for header, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store",
			"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
			if !strings.Contains(response.Header.Get(header), want) {
				t.Errorf("%s: %s is %q", test.name, header, response.Header.Get(header))
			}
		}
		if err := <-outcome; (err == nil) != (test.status == http.StatusOK) {
			t.Errorf("%s: the login ended with %v", test.name, err)
		}
	}
}

func TestBusyCallbackPortIsNamed(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, oauthserver.Options{AutoApprove: true}, func(c *upstream.Config) { c.OAuth.CallbackPort = busy.Addr().(*net.TCPAddr).Port })
	var failed *upstream.LoginError
	if err := r.up.Login(r.context(), nil); !errors.As(err, &failed) || failed.Reason != states.ListenerFailed ||
		!strings.Contains(err.Error(), busy.Addr().String()) {
		t.Errorf("login = %v", err)
	}
	r.wantCounts(want{})
	_ = busy.Close()
	r.login()
}

// stored opens the store of a stopped proxy.
func (r *rig) stored(use func(*store.Store)) {
	r.Helper()
	kept, err := store.Open(context.Background(), r.path, store.Options{Keys: store.FileKeys(r.path + ".key")})
	if err != nil {
		r.Fatal(err)
	}
	use(kept)
	if err := kept.Close(); err != nil {
		r.Error(err)
	}
}

// A registration is used again after a restart, at its port; where another program
// has taken that, the client registers the new one.
func TestRegistrationFollowsThePort(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.restart()
	r.login()
	r.wantCounts(want{Authorize: 2, Code: 2, Register: 1})
	token := r.up.Snapshot().Data.Token
	r.stopped()
	var address string
	r.stored(func(s *store.Store) {
		registration, err := s.Registration(token.Issuer, token.ClientID)
		if err != nil || registration == nil {
			t.Fatalf("%+v, %v", registration, err)
		}
		redirect, _ := url.Parse(registration.RedirectURIs[0])
		address = redirect.Host
	})
	taken, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r.start()
	r.login()
	r.wantCounts(want{Authorize: 3, Code: 3, Register: 2})
}

// Upstreams of one authorization server register once, also all at the same time.
func TestUpstreamsShareOneRegistration(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.stopped()
	for _, name := range []string{"v", "w", "x", "y"} {
		other := r.config
		other.Name = name
		r.others = append(r.others, other)
	}
	r.start()
	logins := make(chan *upstream.Upstream, 5)
	for _, u := range r.manager.All() {
		logins <- u
	}
	if failed := r.parallel(5, func() error { return (<-logins).Login(r.context(), nil) }); failed != 0 {
		t.Errorf("%d of 5 logins failed", failed)
	}
	r.wantCounts(want{Authorize: 5, Code: 5, Register: 1})
}

// A configured client that got its token from one issuer is not shown to another.
func TestConfiguredClientStaysWithItsIssuer(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, Clients: map[string]string{"known": "client-secret"}}, func(c *upstream.Config) {
		c.OAuth.ClientID, c.OAuth.ClientSecret = "known", credential.NewSecret("client-secret")
	})
	r.login()
	r.mustCall()
	r.stopped()
	r.stored(func(s *store.Store) {
		kept, err := s.Load("u")
		if err != nil {
			t.Fatal(err)
		}
		moved := *kept.Token
		moved.Generation++
		moved.Issuer, moved.TokenEndpoint = "https://former.example", "https://former.example/token"
		if err := s.SaveToken("u", moved, kept.Generation, func() bool { return true }); err != nil {
			t.Fatal(err)
		}
	})
	r.start()
	r.mustCall()
	if err := r.up.Login(r.context(), nil); err == nil || !strings.Contains(err.Error(), "oauth.issuer") {
		t.Errorf("login = %v", err)
	}
	r.wantCounts(want{Authorize: 1, Code: 1})
}

func copyText(into *strings.Builder, response *http.Response) (int64, error) {
	defer response.Body.Close()
	return io.Copy(into, response.Body)
}
