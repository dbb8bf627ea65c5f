package e2e

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"mcpproxy/credential"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
)

// knownToken stands for a token that is on disk and was used.
var knownToken credential.Token

// judgeDisk reads what the kill has left and compares it with what users and the
// authorization server know.
func (c *crash) judgeDisk(had *credential.Token) {
	c.disk = store.Credential{}
	kept, err := store.Open(context.Background(), c.path(), store.Options{Keys: store.FileKeys(filepath.Join(c.dir, "key")), ReadOnly: true})
	if errors.Is(err, store.ErrAbsent) && deeds[c.plan.deed].fresh {
		return
	}
	if err != nil {
		older := strings.Contains(err.Error(), "older schema version")
		if deeds[c.plan.deed].fresh && !c.acknowledged.loggedIn && (older || errors.Is(err, store.ErrKeyMissing)) {
			return // killed before it was a store with a key; the next start makes it one
		}
		c.complain("the store cannot be read: %v", err)
		return
	}
	defer kept.Close()
	if err := kept.Check(); err != nil {
		c.complain("%v", err)
	}
	journals.CheckStore(c, kept)
	if c.disk, err = kept.Load("u"); err != nil {
		c.complain("%v", err)
		return
	}
	loggingOut := c.plan.deed == "logout"
	switch {
	case c.acknowledged.loggedOut && (c.disk.Logout == nil || c.disk.Token != nil):
		c.complain("a user was told that the logout is done")
	case c.acknowledged.loggedIn && c.disk.Token == nil:
		c.complain("a user was told that the login is done, and the token is lost")
	case had != nil && c.disk.Token == nil && !loggingOut:
		c.complain("the token is lost")
	case loggingOut && c.disk.Token == nil && c.disk.Logout == nil:
		c.complain("the token is gone and the logout is not noted")
	}
}

// recover starts the proxy again and looks whether everything is as it was.
func (c *crash) recover() {
	c.setFaults()
	c.ledger.delay(0)
	before := c.server.Counters()
	refresh := c.disk.Token.HasRefresh()
	works := refresh && c.server.RefreshWorks(c.disk.Token.Refresh.Reveal())
	lost := c.answerLost()
	if refresh && !works {
		c.judgeRotation(lost)
	}
	c.restart()
	logins := 0
	switch {
	case c.disk.Flow != nil:
		logins = c.goOnWithLogin()
	case c.disk.Logout != nil:
		c.judgeLogout()
	case works:
		c.judgeToken()
	default:
		logins = c.logInAgain()
	}
	after := c.server.Counters()
	if n := after.Authorize - before.Authorize; n != logins {
		c.complain("%d authorization requests after the restart, and a user made %d", n, logins)
	}
	if n := after.RefreshReused - before.RefreshReused; n > 0 && !lost {
		c.complain("%d refresh tokens were used again, and no answer was lost", n)
	}
	if c.Failed() {
		c.Fatalf("the log: %s", last(c.proxy.logs.String(), 4000))
	}
}

// answerLost reports whether the kill fell between the authorization server's last
// answer and our write of it.
func (c *crash) answerLost() bool {
	brought, grant := c.ledger.lastAnswer(c.ledger.life.Load() - 1)
	lost := brought != "" && c.plan.deed != "logout" && (c.disk.Token == nil || c.disk.Token.Refresh.Reveal() != brought)
	if lost && grant == "refresh_token" {
		c.figures.note(func() { c.figures.lost++ })
	}
	return lost
}

// judgeRotation is for a stored refresh token that the server no longer takes.
func (c *crash) judgeRotation(lost bool) {
	switch {
	case !lost:
		c.complain("the refresh token on disk does not work, and no answer was lost")
	case c.disk.Intent == nil:
		c.complain("the answer to a refresh was lost, and the store does not say that one was sent")
	}
}

// judgeToken is for a stored token that works: nothing is asked of anybody.
func (c *crash) judgeToken() {
	if err := c.askOnce(); err != nil {
		c.complain("a token that works is on disk, and after the restart a call fails: %v", err)
	}
}

// judgeLogout is for a logout that is on disk: it holds.
func (c *crash) judgeLogout() {
	if c.disk.Token != nil {
		c.complain("logged out, with a token")
	}
	if err := c.askOnce(); !errors.Is(err, errNeedsLogin) {
		c.complain("logged out, and a call: %v", err)
	}
}

// goOnWithLogin completes the login that was open: in the page that is open, or in
// the same one shown again. It returns how often the page was asked for.
func (c *crash) goOnWithLogin() (logins int) {
	code := c.codeOf()
	switch {
	case code == "":
		logins = 1
		if err := c.personLogsIn(); err != nil {
			c.complain("the login that was open is asked for again and fails: %v", err)
		}
	case c.ledger.redeemed(code):
		return c.logInAgain()
	default:
		var said string
		c.eventually("the page after the restart", func() bool { // users reload it until it is there
			said = c.goOn()
			return c.browser == ""
		})
		if !strings.Contains(said, "Logged in to u") {
			c.complain("the login that was open is not completed: %s", said)
		}
	}
	if err := c.askOnce(); err != nil {
		c.complain("after the login that was open a call fails: %v", err)
	}
	c.figures.note(func() { c.figures.opens++ })
	return logins
}

// logInAgain is for where a user is needed: one login is enough.
func (c *crash) logInAgain() int {
	c.server.RevokeAccess()
	if err := c.askOnce(); err == nil {
		c.complain("a call succeeds without a token that works")
	}
	c.browser = ""
	if err := c.personLogsIn(); err != nil {
		c.complain("the login after the restart failed: %v", err)
	}
	if err := c.askOnce(); err != nil {
		c.complain("after the login a call fails: %v", err)
	}
	c.figures.note(func() { c.figures.logins++ })
	return 1
}
