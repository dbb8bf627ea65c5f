package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"mcpproxy/admin"
	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/ui"
	"mcpproxy/upstream"
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
	options := slices.Clone(chromedp.DefaultExecAllocatorOptions[:])
	options = append(options, chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.DisableGPU, chromedp.WindowSize(1280, 1000),
		chromedp.Flag("disable-popup-blocking", false)) // the page opens a login as browsers of users let it
	for _, on := range []string{"disable-quic", "disable-component-update", "allow-pre-commit-input"} {
		options = append(options, chromedp.Flag(on, true))
	}
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(t.Logf))
	t.Cleanup(cancel)
	attach(t, ctx)
	return ctx
}

// attach starts the browser, or takes the tab, of a context: for as long as the context
// that is given here, so a step's own shorter one would end it with the step.
func attach(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
}

// step is one thing that a user does, or waits for.
type step = chromedp.Action[chromedp.Void]

// run takes the steps. What the page shows where they do not come to their end is said
// with the failure: there is time for that after the steps' own.
func run(t *testing.T, ctx context.Context, steps ...step) {
	t.Helper()
	steppers, cancel := context.WithTimeout(ctx, limit/3)
	defer cancel()
	if err := chromedp.Do(steppers, steps...); err != nil {
		shows, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.activeElement.outerHTML + "\n" + document.body.innerText`))
		t.Fatalf("%v\nthe page: %s", err, shows)
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
	i, err := instance.Start(context.Background(),
		instance.Options{StorePath: filepath.Join(directory, "store.db"), Keys: store.FileKeys(filepath.Join(directory, "key")), Connect: true,
			Configs: []upstream.Config{
				config("notes", s.notes.MCPURL()), config("tickets", start(oauthserver.Options{}).MCPURL()),
				config("search", start(oauthserver.Options{NoAuth: true}).MCPURL()), config("archive", "http://"+gone.Addr().String()+"/mcp"),
			},
			Open:   func(context.Context, string) error { return errors.New("the page opens the login") },
			Logger: slog.New(slog.DiscardHandler), Version: "1.0", Observe: journals.Watch(t)})
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

// visible waits until something that the selector finds (XPath where it begins with //)
// can be seen. The page itself is asked each time: a driver's own picture of the page may
// stay that of the page before.
func visible(selector string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := place(ctx, tab, selector)
		return err
	})
}

// click waits until it is visible and stays where it is, and clicks in its middle.
func click(selector string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		for was := []float64(nil); ; {
			middle, err := place(ctx, tab, selector)
			if err != nil {
				return err
			}
			if slices.Equal(middle, was) {
				_, err = chromedp.MouseClickXY(middle[0], middle[1])(ctx, tab)
				return err
			}
			was = middle
			time.Sleep(50 * time.Millisecond)
		}
	})
}

// find gives the middle of what a selector finds where that can be seen and nothing lies
// over it, or null.
const find = `((selector) => {
  const found = selector.startsWith("//")
    ? document.evaluate(selector, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE).singleNodeValue
    : document.querySelector(selector);
  if (!found?.checkVisibility({ visibilityProperty: true })) return null;
  found.scrollIntoViewIfNeeded();
  const { left, top, width, height } = found.getBoundingClientRect();
  const middle = [left + width / 2, top + height / 2];
  return found.contains(document.elementFromPoint(...middle)) ? middle : null;
})`

// place returns the middle of what the selector finds once that can be seen. A page that
// is left while it is asked gives an error; the next one is asked then.
func place(ctx context.Context, tab *chromedp.Target, selector string) ([]float64, error) {
	quoted, err := json.Marshal(selector)
	if err != nil {
		return nil, err
	}
	for {
		middle, err := chromedp.Evaluate[[]float64](find+"("+string(quoted)+")")(ctx, tab)
		if err == nil && middle != nil {
			return middle, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is not visible: %w", selector, errors.Join(ctx.Err(), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// shown waits until the badge says the phase.
func shown(phase string) step {
	return visible(`//span[contains(@class,"badge")][.="` + phase + `"]`)
}

// entry waits until the journal shows an event of the kind.
func entry(kind, event string) step {
	return visible(`.timeline li.` + kind + `[data-event="` + event + `"]`)
}

// press presses a key. A page that the key leaves may take the browser's word that the
// key went up with it, so that is not waited for: the step after it says what came.
func press(key string) step {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		pressing, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		pressed, err := chromedp.KeyEvent(key)(pressing, tab)
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
		return pressed, err
	}
}

func button(request string) step {
	return click(`button[data-key="` + request + `"]`)
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
		attach(t, tab)
		return tab
	case <-ctx.Done():
		t.Fatal("no tab was opened")
		return nil
	}
}
