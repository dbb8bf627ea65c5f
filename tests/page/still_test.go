package page

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// What happens while a user points at something does not take it away: buttons stay
// the ones that they were, what is focused stays so, and what was opened stays open.
func TestEventsLeaveWhatAPersonHolds(t *testing.T) {
	s, ctx := newScene(t), browser(t)
	run(t, ctx, chromedp.Navigate(s.invite(t)), shownIn("tickets", "LoginRequired"), click(`//button[.//span[.="tickets"]]`), shown("LoginRequired"),
		visible(`button[data-key="login"]`))
	_ = value[bool](t, ctx, `(() => {
		window.held = [...document.querySelectorAll("button.card"), document.querySelector('button[data-key="login"]')];
		document.querySelector(".head details").open = true;
		held.at(-1).focus();
		return true;
	})()`)
	newTab(t, ctx, button("login"))
	run(t, ctx, shown("AwaitingBrowser"), entry("moved", "Registered"))
	for what, so := range map[string]string{
		"every button is the one that it was": `held.every((button) => button.isConnected)`,
		"its words are those of now":          `held.at(-1).textContent === "Show the login page"`,
		"it has the focus":                    `document.activeElement === held.at(-1)`,
		"what was opened is open":             `document.querySelector(".head details").open`,
	} {
		if !value[bool](t, ctx, so) {
			t.Errorf("after the events it is not so that %s", what)
		}
	}
}

// What is pressed right after an upstream was chosen is that upstream's: its panel is
// there at once, also while the proxy has not answered what else is to be said of it.
func TestAChosenUpstreamIsShownAtOnce(t *testing.T) {
	s, ctx := newScene(t), browser(t)
	run(t, ctx, chromedp.Navigate(s.invite(t)), shownIn("tickets", "LoginRequired"), click(`//button[.//span[.="notes"]]`),
		visible(`//h2[.="notes"]`), visible(`button[data-key="login"]`))
	names := value[string](t, ctx, `(() => {
		window.fetch = () => new Promise(() => {});
		[...document.querySelectorAll("button.card")].find((card) => card.textContent.includes("tickets")).click();
		return document.querySelector("#detail h2").textContent + " " + document.querySelectorAll("#detail .requests button").length;
	})()`)
	if names != "tickets 0" {
		t.Errorf("the panel and its buttons after the choice: %s, want tickets and none yet", names)
	}
}
