// Package page drives the proxy's page in a real Chromium, as a user does.
package page

import (
	"testing"

	"github.com/chromedp/chromedp"

	"mcpproxy/tests/golden"
)

func TestAPersonLogsInThroughThePage(t *testing.T) {
	s, ctx := newScene(t), browser(t)
	run(t, ctx, chromedp.Navigate(s.invite(t)), visible(`#live[data-state=live]`),
		click(`//button[.//span[.="notes"]]`), shown("LoginRequired"))

	// Asking twice is one login: the second joins the first, and shows the same page.
	first := newTab(t, ctx, button("login"))
	run(t, ctx, shown("AwaitingBrowser"))
	second := newTab(t, ctx, button("login"))
	run(t, first, visible("#approve"))
	run(t, second, visible("#approve"))
	if golden.Updating() {
		s.shoot(t, ctx, "page-login")
	}
	run(t, first, click("#approve"), visible(`//h1[contains(.,"Logged in to notes")]`))
	run(t, ctx, shown("Connected"), entry("moved", "CodeReceived"), entry("moved", "CodeExchanged"), entry("moved", "Handshaken"))

	// The other tab is too late: refused, named, and without effect.
	run(t, second, click("#approve"), visible(`//h1[contains(.,"is over")]`))
	run(t, ctx, entry("refused", "CodeReceived"), shown("Connected"))
	if c := s.notes.Counters(); c.TokenCode != 1 || c.Register != 1 {
		t.Errorf("the authorization server counts %d codes and %d registrations, not one each", c.TokenCode, c.Register)
	}

	// The token expires and is renewed while one looks.
	run(t, ctx, entry("moved", "RenewDue"), entry("moved", "Refreshed"), shown("Connected"),
		visible(`//dd[contains(.,"number 2")]`), visible(`g.node.now[id="credential.Fresh"]`))
	if golden.Updating() {
		s.shoot(t, ctx, "page")
	}

	// A click closes the connection and opens another.
	run(t, ctx, button("reconnect"), entry("moved", "Disconnect"), shown("Connected"))

	run(t, ctx, button("logout"), shown("LoggedOut"), entry("moved", "LogoutDone"))
}
