package states_test

import (
	"strings"
	"testing"

	"mcpproxy/states"
)

// Each way that showing a page can go has words of its own, and only the one in which
// the browser was not opened says so.
func TestEachShowingHasWords(t *testing.T) {
	said := map[string]states.Showing{}
	for _, how := range []states.Showing{states.AwaitedByBrowser, states.SentToBrowser, states.WantedElsewhere, states.ShownElsewhere,
		states.Opening, states.Opened, states.NotOpened, states.CodeShown, states.OpenBeforeRestart} {
		words := states.Shown{How: how, Detail: "the detail"}.String()
		if other, taken := said[words]; words == "" || taken {
			t.Errorf("%s says %q, as %s does", how, words, other)
		}
		said[words] = how
		if not := strings.Contains(words, "not opened"); not != (how == states.NotOpened) {
			t.Errorf("%s says %q", how, words)
		}
	}
	if words := (states.Shown{}).String(); words != "" {
		t.Errorf("where nothing is known it says %q", words)
	}
}
