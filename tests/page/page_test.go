// Package page drives the proxy's page in a real Chromium, as a person does.
package page

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mcpproxy/admin"
	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/golden"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/ui"
	"mcpproxy/upstream"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// limit bounds each test, the start of the browser included.
const limit = 90 * time.Second

// browser starts a Chromium with nothing in it.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium on this machine")
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.DisableGPU,
		chromedp.WindowSize(1280, 1000)}
	for _, off := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "hide-scrollbars"} {
		options = append(options, chromedp.Flag(off, true))
	}
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(t.Logf))
	t.Cleanup(cancel)
	run(t, ctx)
	return ctx
}

// step is one thing that a person does, or waits for.
type step = chromedp.Action[chromedp.Void]

func run(t *testing.T, ctx context.Context, steps ...step) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// scene is a proxy with its page in front of four upstreams.
type scene struct {
	notes   *oauthserver.Server
	page    *ui.Page
	address net.Addr
}

func newScene(t *testing.T) *scene {
	t.Helper()
	start := func(o oauthserver.Options) *oauthserver.Server {
		server, err := oauthserver.Start(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		return server
	}
	s := &scene{notes: start(oauthserver.Options{AccessTokenTTL: 12 * time.Second})}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	config := func(name, url string) upstream.Config {
		return upstream.Config{Name: name, Transport: upstream.HTTP, URL: url, Settings: states.DefaultSettings()}
	}
	directory := t.TempDir()
	i, err := instance.Start(context.Background(), instance.Options{StorePath: filepath.Join(directory, "store.db"), Keys: store.FileKeys(filepath.Join(directory, "key")), Connect: true,
		Configs: []upstream.Config{
			config("notes", s.notes.MCPURL()), config("tickets", start(oauthserver.Options{}).MCPURL()),
			config("search", start(oauthserver.Options{NoAuth: true}).MCPURL()), config("archive", "http://"+gone.Addr().String()+"/mcp"),
		},
		Open:   func(context.Context, string) error { return errors.New("the page opens the login") },
		Logger: slog.New(slog.DiscardHandler), Version: "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.page, s.address = ui.New(admin.Handler(i, "1.0", admin.Options{}), "1.0"), listener.Addr()
	server := &http.Server{Handler: s.page.Handler(), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), i.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *scene) invite(t *testing.T) string {
	t.Helper()
	address, err := s.page.Invite(s.address)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// shown waits until the badge says the phase.
func shown(phase string) step {
	return chromedp.WaitVisible(`//span[contains(@class,"badge")][.="` + phase + `"]`)
}

// entry waits until the journal shows an event of the kind.
func entry(kind, event string) step {
	return chromedp.WaitVisible(chromedp.CSS(`.timeline li.` + kind + `[data-event="` + event + `"]`))
}

func button(wish string) step {
	return chromedp.Click(chromedp.CSS(`button[data-wish="` + wish + `"]`))
}

// newTab clicks and returns the tab that opens.
func newTab(t *testing.T, ctx context.Context, click step) context.Context {
	t.Helper()
	opened := chromedp.WaitNewTarget(ctx, func(info *target.Info) bool { return info.URL != "" && info.URL != "about:blank" })
	run(t, ctx, click)
	select {
	case id := <-opened:
		tab, cancel := chromedp.NewContext(ctx, chromedp.WithTargetID(id))
		t.Cleanup(cancel)
		return tab
	case <-ctx.Done():
		t.Fatal("no tab was opened")
		return nil
	}
}

func TestAPersonLogsInThroughThePage(t *testing.T) {
	s, ctx := newScene(t), browser(t)
	run(t, ctx, chromedp.Navigate(s.invite(t)), chromedp.WaitVisible(chromedp.CSS(`#live[data-state=live]`)),
		chromedp.Click(`//button[.//span[.="notes"]]`), shown("LoginRequired"))

	// Asking twice is one login: the second joins the first, and shows the same page.
	first := newTab(t, ctx, button("login"))
	run(t, ctx, shown("AwaitingBrowser"))
	second := newTab(t, ctx, button("login"))
	run(t, first, chromedp.WaitVisible(chromedp.CSS("#approve")))
	run(t, second, chromedp.WaitVisible(chromedp.CSS("#approve")))
	if golden.Updating() {
		s.shoot(t, ctx, "page-login")
	}
	run(t, first, chromedp.Click(chromedp.CSS("#approve")), chromedp.WaitVisible(`//h1[contains(.,"Logged in to notes")]`))
	run(t, ctx, shown("Connected"), entry("moved", "CodeReceived"), entry("moved", "CodeExchanged"), entry("moved", "Handshaken"))

	// The other tab is too late: refused, named, and without effect.
	run(t, second, chromedp.Click(chromedp.CSS("#approve")), chromedp.WaitVisible(`//h1[contains(.,"is over")]`))
	run(t, ctx, entry("refused", "CodeReceived"), shown("Connected"))
	if c := s.notes.Counters(); c.TokenCode != 1 || c.Register != 1 {
		t.Errorf("the authorization server counts %d codes and %d registrations, not one each", c.TokenCode, c.Register)
	}

	// The token expires and is renewed while one looks.
	run(t, ctx, entry("moved", "RenewDue"), entry("moved", "Refreshed"), shown("Connected"),
		chromedp.WaitVisible(`//dd[contains(.,"number 2")]`), chromedp.WaitVisible(chromedp.CSS(`g.node.now[id="credential.Fresh"]`)))
	if golden.Updating() {
		s.shoot(t, ctx, "page")
	}

	run(t, ctx, button("logout"), shown("LoggedOut"), entry("moved", "LogoutDone"))
}

// shoot takes the pictures of the documents.
func (s *scene) shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	run(t, ctx, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, devtools.BringToFront, cdp.Empty{})
		return err
	}))
	for _, how := range []struct {
		suffix, scheme string
		width, height  int64
		phone          bool
	}{{"", "light", 1280, 1000, false}, {"-dark", "dark", 1280, 1000, false}, {"-phone", "light", 390, 844, true}} {
		mobile := func(p *emulation.SetDeviceMetricsOverrideParams, _ *emulation.SetTouchEmulationEnabledParams) {
			p.Mobile = how.phone
		}
		run(t, ctx, chromedp.EmulateViewport(how.width, how.height, mobile), media(how.scheme))
		settled, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(true), 400)))`, chromedp.EvalAwaitPromise))
		if err != nil || !settled {
			t.Fatal(settled, err)
		}
		picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("../../docs/images", name+how.suffix+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, ctx, chromedp.ResetViewport())
}

// media says which colours the person likes, and that nothing shall move.
func media(scheme string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	})
}
