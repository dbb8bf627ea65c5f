package page

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	opener "mcpproxy/upstream/browser"
)

// What the page shows of every upstream is there without a click: its state, since
// when, and the next timeout; and of the one that is looked at its words, and where the
// graph leads from here.
func TestThePageSaysWhatIsGoingOn(t *testing.T) {
	s, ctx := newScene(t), browser(t)
	run(t, ctx, chromedp.Navigate(s.invite(t)), shownIn("notes", "LoginRequired"), shownIn("tickets", "LoginRequired"),
		shownIn("search", "Connected"), shownIn("archive", "BackingOff"),
		visible(`//button[contains(@class,"card")][.//span[.="archive"]][contains(.,"since")][contains(.,"ReconnectDue in ")]`),
		click(`//button[.//span[.="tickets"]]`), shown("LoginRequired"),
		visible(`//p[@class="doc"][.="A user has to log in; nothing runs and nothing is sent."]`),
		visible(`//p[@class="why"][contains(.,"Log in: logs in and connects")]`),
		visible(`g.node.now[id="credential.LoginRequired"]`), visible(`g.node.now[id="connection.AwaitingLogin"]`),
		visible(`g.edge.out[id="credential.LoginRequired-Discovering"]`), visible(`g.edge.been[id="credential.Unloaded-LoadingToken"]`),
		visible(`//figure[contains(@class,"graph-credential")]//p[@class="accepted"][contains(.,"LoginRequested")]`),
		entry("moved", "Challenged"))
}

// shownIn waits until the card of an upstream says the phase.
func shownIn(name, phase string) step {
	return visible(`//button[contains(@class,"card")][.//span[@class="name"][.="` + name + `"]][.//span[@class="phase"][.="` + phase + `"]]`)
}

// Someone without a mouse logs in: the upstream, its button and the consent are
// reached with the tabulator and chosen with Enter, and what is focused shows it.
func TestALoginByKeyboard(t *testing.T) {
	s, ctx := newScene(t), browser(t)
	run(t, ctx, chromedp.Navigate(s.invite(t)), shownIn("tickets", "LoginRequired"))
	tabTo(t, ctx, `document.activeElement.querySelector?.(".name")?.textContent === "tickets"`)
	if wide := value[string](t, ctx, `getComputedStyle(document.activeElement).outlineStyle`); wide == "none" {
		t.Error("what is focused does not show it")
	}
	run(t, ctx, press(kb.Enter), visible(`//h2[.="tickets"]`), shown("LoginRequired"))
	tabTo(t, ctx, `document.activeElement.dataset.key === "login"`)
	consent := newTab(t, ctx, press(kb.Enter))
	run(t, consent, visible("#approve"))
	tabTo(t, consent, `document.activeElement.id === "approve"`)
	run(t, consent, press(kb.Enter), visible(`//h1[contains(.,"Logged in to tickets")]`))
	run(t, ctx, shown("Connected"))
}

// tabTo presses the tabulator until it is so.
func tabTo(t *testing.T, ctx context.Context, so string) {
	t.Helper()
	for range 40 {
		run(t, ctx, press(kb.Tab))
		if value[bool](t, ctx, `Boolean(`+so+`)`) {
			return
		}
	}
	t.Fatalf("40 tabulators do not lead to %s", so)
}

func value[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// faint lists the texts whose contrast with what is behind them is less than WCAG's
// 4.5 (success criterion 1.4.3).
const faint = `(() => {
  const parse = (colour) => { const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number); return { r, g, b, a }; };
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ({ r, g, b }) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a === 1) return c; } return { r: 255, g: 255, b: 255 }; };
  const faint = [];
  for (const e of document.querySelectorAll("body *")) {
    if (e.closest("svg") || e.closest(".skip") || !e.checkVisibility() || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) faint.push(e.tagName + "." + e.className + " " + e.textContent.slice(0, 30) + ": " + contrast.toFixed(1));
  }
  return faint.join("; ");
})()`

// The page is legible in the light and in the dark.
func TestThePageIsLegibleInBothLights(t *testing.T) {
	s, ctx := newScene(t), browser(t)
	run(t, ctx, chromedp.Navigate(s.invite(t)), shownIn("archive", "BackingOff"))
	papers := map[string]string{}
	for _, name := range []string{"notes", "search", "archive"} {
		run(t, ctx, click(`//button[.//span[.="`+name+`"]]`), visible(`//h2[.="`+name+`"]`), visible("g.node.now"))
		for _, scheme := range []string{"light", "dark"} {
			run(t, ctx, media(scheme))
			papers[scheme] = value[string](t, ctx, `getComputedStyle(document.body).backgroundColor`)
			if texts := value[string](t, ctx, faint); texts != "" {
				t.Errorf("%s in the %s: %s", name, scheme, texts)
			}
		}
	}
	if papers["light"] == papers["dark"] {
		t.Errorf("the paper is %s in the light and in the dark", papers["light"])
	}
}

// On a phone nothing but the graph has to be moved sideways, and what is touched is
// large enough (WCAG 2.5.8).
func TestThePageFitsAPhone(t *testing.T) {
	s, ctx := newScene(t), browser(t)
	phone := func(p *emulation.SetDeviceMetricsOverrideParams, _ *emulation.SetTouchEmulationEnabledParams) {
		p.Mobile = true
	}
	run(t, ctx, chromedp.EmulateViewport(360, 800, phone), chromedp.Navigate(s.invite(t)), shownIn("archive", "BackingOff"), click(`//button[.//span[.="archive"]]`), shown("BackingOff"),
		visible("g.node.now"))
	if wide := value[string](t, ctx, `(() => {
		const wide = [];
		for (const e of document.querySelectorAll("body *")) if (!e.closest(".scroll") && e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".skip")) wide.push(e.tagName + "." + e.className);
		if (document.documentElement.scrollWidth > innerWidth || innerWidth !== 360) wide.push("the page: " + document.documentElement.scrollWidth + " of " + innerWidth);
		return wide.join(", ");
	})()`); wide != "" {
		t.Errorf("wider than the phone: %s", wide)
	}
	if small := value[string](t, ctx, `[...document.querySelectorAll("button, select, summary")].filter((e) => e.checkVisibility() && (e.getBoundingClientRect().height < 24 || e.getBoundingClientRect().width < 24)).map((e) => e.textContent).join(", ")`); small != "" {
		t.Errorf("too small for a finger: %s", small)
	}
}

// The browser itself keeps to the page's policy: a script that someone gets into the
// page does not run, and what it would send elsewhere is not sent.
func TestTheBrowserKeepsToThePolicy(t *testing.T) {
	s, ctx := newScene(t), browser(t)
	run(t, ctx, chromedp.Navigate(s.invite(t)), shownIn("notes", "LoginRequired"))
	ran := value[bool](t, ctx, `(() => { const s = document.createElement("script"); s.textContent = "window.ran = true"; document.body.append(s); return Boolean(window.ran); })()`)
	if ran {
		t.Error("a script in the page runs")
	}
	sent, err := chromedp.Run(ctx, chromedp.Evaluate[string](`fetch("`+s.notes.URL()+`", { mode: "no-cors" }).then(() => "sent", () => "refused")`, chromedp.EvalAwaitPromise))
	if err != nil || sent != "refused" {
		t.Errorf("a request to another server is %s, %v", sent, err)
	}
	if cookie := value[string](t, ctx, `document.cookie`); cookie != "" {
		t.Errorf("scripts read the cookie %q", cookie)
	}
}

// An invitation that was taken up opens nothing for another browser.
func TestAnInvitationOpensOneBrowser(t *testing.T) {
	s, ctx := newScene(t), browser(t)
	invitation := s.invite(t)
	run(t, ctx, chromedp.Navigate(invitation), shownIn("notes", "LoginRequired"))
	another := browser(t)
	run(t, another, chromedp.Navigate(invitation), visible(`//h1[.="This browser is not invited"]`))
}

// A browser that is given a file follows it to the page (fault J14): what a page of another
// origin leads to counts as an invitation that is followed.
func TestAnInvitationInAFile(t *testing.T) {
	s, ctx := newScene(t), browser(t)
	given := filepath.Join(t.TempDir(), "given")
	remove, err := opener.HandOver(t.Context(), []string{"sh", "-c", `printf %s "$0" > "` + given + `"`}, s.invite(t))
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	address, err := os.ReadFile(given)
	if err != nil || !strings.HasPrefix(string(address), "file://") {
		t.Fatalf("the browser is given %q, %v", address, err)
	}
	run(t, ctx, chromedp.Navigate(string(address)), shownIn("notes", "LoginRequired"))
}
