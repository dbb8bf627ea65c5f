package upstream_test

import (
	"testing"

	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// What bounds the pages that the machine opens by itself is not begun again by a change
// of the configuration, which an editor may write many times in an hour.
func TestChangedConfigurationGivesNoFurtherPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{}, func(c *upstream.Config) {
		c.Settings.AutomaticLogin, c.Settings.BrowserBudget = true, 1
	})
	r.person = func(string) {} // nobody completes the page
	r.awaitShown()
	r.config.Settings.ConnectDeadline++
	if err := r.manager.Apply(r.Context(), []upstream.Config{r.config}, true); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.up, err = r.manager.Get("u"); err != nil {
		t.Fatal(err)
	}
	r.awaitCredential(states.AwaitingBrowser) // the same login goes on
	if _, err := r.up.CancelLogin(); err != nil {
		t.Fatal(err)
	}
	_ = r.call()
	if e := r.awaitRefused(transitions.LoginProposed); e.Guard != "browserLimit" || r.opened.Load() != 1 {
		t.Errorf("%d pages were opened, and the journal has %+v", r.opened.Load(), e)
	}
}
