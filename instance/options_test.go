package instance_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/instance"
	"mcpproxy/proxy"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"
	"mcpproxy/upstream/turns"
)

// Every option that cannot be used is named, all at once, and nothing is begun: there is
// no store afterwards.
func TestEachOptionIsChecked(t *testing.T) {
	broken := states.DefaultSettings()
	broken.LoginDeadline, broken.ConnectDeadline, broken.BrowserInterval, broken.BrowserBudget = 0, -1, -1, -1
	broken.RefreshAttempts, broken.RefreshBudget, broken.ForcedRefreshes, broken.ForcedWindow = -1, -1, -1, -1
	path := filepath.Join(t.TempDir(), "store.db")
	for _, test := range []struct {
		name    string
		options instance.Options
		fields  []string
	}{
		{"nothing", instance.Options{}, []string{"StorePath"}},
		{"numbers", instance.Options{
			StorePath:   path,
			LockTimeout: -1,
			Limits: upstream.Limits{
				Connecting: turns.Limits{Total: -1, PerHost: -1}, Refreshing: turns.Limits{Total: -1, PerHost: -1}, CallWait: -1, CallsPerUpstream: -1,
			},
			ClientLimits: proxy.Limits{Sessions: -1, CallsPerSession: -1, AbandonedAfter: -1, RequestMiB: -1, QueuedMiB: -1, QueuedPerClientMiB: -1},
		}, []string{
			"LockTimeout", "Limits.Connecting.Total", "Limits.Connecting.PerHost", "Limits.Refreshing.Total", "Limits.Refreshing.PerHost",
			"Limits.CallWait", "Limits.CallsPerUpstream", "ClientLimits.Sessions", "ClientLimits.CallsPerSession", "ClientLimits.AbandonedAfter",
			"ClientLimits.RequestMiB", "ClientLimits.QueuedMiB", "ClientLimits.QueuedPerClientMiB",
		}},
		{"clients", instance.Options{
			StorePath: path, Token: credential.NewSecret("short"), AllowedHosts: []string{"https://a"}, AllowedOrigins: []string{"https://a/"},
		}, []string{"Token", "AllowedHosts", "AllowedOrigins"}},
		{"a token of two lines", instance.Options{StorePath: path, Token: credential.NewSecret("sixteen characters\nand more")}, []string{"Token"}},
		{"upstreams", instance.Options{StorePath: path, Configs: []upstream.Config{
			{Name: "a__b"},
			{Name: "both", URL: "https://a", Command: "a"},
			{Name: "kind", URL: "https://a", Transport: "carrier-pigeon"},
			{Name: "other", Command: "a", Transport: upstream.HTTP},
			{Name: "address", URL: "ftp://a"},
			{Name: "user", URL: "https://a:b@c"},
			{Name: "user", URL: "https://a", Settings: broken, OAuth: upstream.OAuth{
				Grant: "wishing", AuthMethod: "handshake", CallbackPort: 65536, Resource: "a", OmitResource: true,
			}},
			{Name: "client", URL: "https://a", OAuth: upstream.OAuth{Grant: upstream.ClientCredentials}},
			{Name: "workload", URL: "https://a", OAuth: upstream.OAuth{Grant: upstream.WorkloadIdentity}},
			{Name: "enterprise", URL: "https://a", OAuth: upstream.OAuth{Grant: upstream.EnterpriseManaged}},
			{Name: "told already", Problem: "it says so itself"},
		}}, []string{
			"Name", "URL", "Command", "Transport", "Transport", "URL", "URL", "Name", "OAuth.Grant", "OAuth.AuthMethod", "OAuth.CallbackPort",
			"OAuth.Resource", "Settings.LoginDeadline", "Settings.ConnectDeadline", "Settings.BrowserInterval", "Settings.BrowserBudget",
			"Settings.RefreshAttempts", "Settings.RefreshBudget", "Settings.ForcedRefreshes", "Settings.ForcedWindow", "OAuth.ClientID",
			"OAuth.ClientSecret", "OAuth.AssertionFile", "OAuth.ClientID", "OAuth.IdentityProvider.TokenEndpoint", "OAuth.IdentityProvider.IDTokenFile",
		}},
	} {
		i, err := instance.Start(t.Context(), test.options)
		if err == nil {
			t.Errorf("%s: it started: %v", test.name, i.Close())
			continue
		}
		if got := fields(err); !slices.Equal(got, test.fields) {
			t.Errorf("%s: %v\nnames %q,\nwant  %q", test.name, err, got, test.fields)
		}
		for line := range strings.Lines(err.Error()) {
			if strings.Contains(line, "%!") || strings.HasSuffix(strings.TrimSpace(line), ":") {
				t.Errorf("%s: %q", test.name, line)
			}
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a store was made: %v", err)
	}
}

// fields are those that an error names, in its order.
func fields(err error) (all []string) {
	switch e := err.(type) { //nolint:errorlint // the tree is walked here
	case *instance.OptionError:
		return []string{e.Field}
	case *upstream.FieldError:
		return []string{e.Field}
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			all = append(all, fields(one)...)
		}
	case interface{ Unwrap() error }:
		return fields(e.Unwrap())
	}
	return all
}

// A name and an address are enough for an upstream, a store's path for the rest. What
// was started outlives the context of the start, and Close ends it, as often as it is called.
func TestWhatIsStartedOutlivesTheContextAndEndsWithClose(t *testing.T) {
	server, err := oauthserver.Start(t.Context(), oauthserver.Options{NoAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	directory := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	i, err := instance.Start(ctx, instance.Options{
		StorePath: filepath.Join(directory, "made", "store.db"),
		Keys:      store.FileKeys(filepath.Join(directory, "key")),
		Configs:   []upstream.Config{{Name: "u", URL: server.MCPURL()}},
		Connect:   true,
		Observe:   journals.Watch(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	u, err := i.Manager.Get("u")
	if err != nil {
		t.Fatal(err)
	}
	if c := u.Config(); c.Transport != upstream.HTTP || c.Settings != states.DefaultSettings() {
		t.Errorf("it runs with %+v", c)
	}
	call := relay.Call{Method: "tools/call", Params: []byte(`{"name":"echo","arguments":{"text":"still there"}}`)}
	if answer, err := u.Call(t.Context(), call); err != nil || !strings.Contains(string(answer), "still there") {
		t.Errorf("a call after the end of the start's context: %s, %v", answer, err)
	}

	broken := []upstream.Config{{Name: "u", URL: server.MCPURL()}, {Name: "other"}}
	var field *upstream.FieldError
	if err := i.Manager.Apply(t.Context(), broken, true); !errors.As(err, &field) || field.Field != "URL" {
		t.Errorf("applying a configuration that cannot be used: %v", err)
	}
	if err := i.Manager.Apply(t.Context(), broken[:1], true); err != nil {
		t.Error(err)
	}
	if same, err := i.Manager.Get("u"); err != nil || same != u || len(i.Manager.Names()) != 1 {
		t.Errorf("the upstream was replaced though nothing of it differs: %v, %v", i.Manager.Names(), err)
	}

	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- i.Close() }()
	}
	if err := errors.Join(<-ended, <-ended, i.Close()); err != nil {
		t.Errorf("closing: %v", err)
	}
	if _, err := u.Call(t.Context(), call); err == nil {
		t.Error("a call after Close went through")
	}
	if err := i.Manager.Apply(t.Context(), broken[:1], true); err == nil {
		t.Error("an upstream was started after Close")
	}
}

// The context bounds the start: a store that another has is not waited for any longer, and
// who has it is said.
func TestTheContextBoundsTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	o := instance.Options{StorePath: path, Keys: store.FileKeys(path + ".key"), LockTimeout: 20 * time.Second}
	first, err := instance.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = instance.Start(ctx, o)
	var held *store.LockedError
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("with a store that is held, and 50 ms: %v", err)
	}
}

// Two upstreams, of which one needs nothing and the other a login; the page would be shown
// to the user, and is visited by the example itself here.
func Example() {
	ctx := context.Background()
	urls, end := servers()
	defer end()
	directory, err := os.MkdirTemp("", "embedded")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)

	i, err := instance.Start(ctx, instance.Options{
		StorePath: filepath.Join(directory, "store.db"),
		Keys:      store.FileKeys(filepath.Join(directory, "key")),
		Configs:   []upstream.Config{{Name: "notes", URL: urls["notes"]}, {Name: "mail", URL: urls["mail"]}},
		Connect:   true,
	})
	if err != nil {
		panic(err)
	}
	defer i.Close()
	for _, u := range i.Manager.All() {
		call := relay.Call{Method: "tools/call", Params: []byte(`{"name": "echo", "arguments": {"text": "hello"}}`)}
		answer, err := u.Call(ctx, call)
		if u.Status().Phase == states.Phase(states.LoginRequired) {
			fmt.Println(u.Name(), "is", u.Status().Phase)
			if err := u.Login(ctx, visitOnce()); err != nil { // shows the user p.URL
				panic(err)
			}
			answer, err = u.Call(ctx, call)
		}
		fmt.Println(u.Name(), "says", strings.Contains(string(answer), "hello"), err)
	}
	// Output:
	// mail is LoginRequired
	// mail says true <nil>
	// notes says true <nil>
}

// An option that cannot be used is named by its field.
func ExampleOptionError() {
	_, err := instance.Start(context.Background(), instance.Options{
		LockTimeout: -time.Second,
		Configs:     []upstream.Config{{Name: "notes", URL: "notes.example.com/mcp"}},
	})
	fmt.Println(err)
	// Output:
	// instance.Options: StorePath is empty; name the file that keeps the tokens
	// instance.Options: LockTimeout is less than 0; 0 is a second
	// instance.Options: Configs: upstream 1 ("notes"): URL is no http or https address without a user's name; write it as https://host/path
}

// servers are two MCP servers of this machine.
func servers() (urls map[string]string, end func()) {
	urls = map[string]string{}
	var all []*oauthserver.Server
	for name, o := range map[string]oauthserver.Options{"notes": {NoAuth: true}, "mail": {AutoApprove: true}} {
		s, err := oauthserver.Start(context.Background(), o)
		if err != nil {
			panic(err)
		}
		all, urls[name] = append(all, s), s.MCPURL()
	}
	return urls, func() {
		for _, s := range all {
			_ = s.Close() // the example is over
		}
	}
}

// visitOnce is a user who opens the page that is shown.
func visitOnce() func(upstream.Progress) {
	var once sync.Once
	return func(p upstream.Progress) {
		if p.URL == "" {
			return
		}
		once.Do(func() {
			page, err := http.Get(p.URL)
			if err != nil {
				panic(err)
			}
			_ = page.Body.Close() // only that it was visited counts
		})
	}
}
