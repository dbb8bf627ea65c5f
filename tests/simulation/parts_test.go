package simulation

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// natures of a site: what it wants before it answers.
const (
	protected = iota // a token
	optional         // none, and one that it is given has to be good
	open             // none
)

// natureOf draws a site's nature. A grant without a user is for one that wants a token.
func natureOf(random *rand.Rand, o *oauthserver.Options, c *upstream.Config) (nature int) {
	if n := random.IntN(10); c.OAuth.Grant != upstream.ClientCredentials {
		nature = [...]int{protected, protected, protected, protected, protected, protected, optional, optional, open, open}[n]
	}
	o.OptionalAuth, o.NoAuth = nature == optional, nature == open
	return nature
}

// lastingParts are the parts that a server need not have, broken in the ways of real ones:
// what is left is enough to connect and to call.
func lastingParts(random *rand.Rand) (all []oauthserver.Fault) {
	pick := func(kinds ...oauthserver.Fault) oauthserver.Fault { return kinds[random.IntN(len(kinds))] }
	for _, method := range []string{http.MethodGet, "subscriptions/listen"} {
		f := pick(oauthserver.Fault{Kind: "status", Status: http.StatusBadRequest},
			oauthserver.Fault{Kind: "status", Status: http.StatusForbidden},
			oauthserver.Fault{Kind: "status", Status: http.StatusBadGateway}, oauthserver.Fault{Kind: "empty"}, oauthserver.Fault{Kind: "text"},
			oauthserver.Fault{Kind: "brief"})
		f.Endpoint, f.Method = "mcp", method
		all = append(all, f)
	}
	for _, method := range []string{"prompts/list", "resources/list", "resources/templates/list"} {
		f := pick(oauthserver.Fault{Kind: "rpc-error"}, oauthserver.Fault{Kind: "silent"}, oauthserver.Fault{Kind: "same-cursor"},
			oauthserver.Fault{Kind: "noise"})
		f.Endpoint, f.Method = "mcp", method
		all = append(all, f)
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return append(all[:1+random.IntN(len(all))], oauthserver.Fault{Endpoint: "mcp", Method: "tools/call", Kind: "noise"})
}

// breakParts breaks some parts of a site, for good or until another time, or mends them.
func (w *world) breakParts(s *site, random *rand.Rand) {
	var broken []oauthserver.Fault
	switch random.IntN(4) {
	case 0: // they are fixed
	case 1:
		broken = []oauthserver.Fault{{Endpoint: "mcp", Method: "tools/list", Kind: "rpc-error", Count: 1 + random.IntN(5)}}
	default:
		broken = lastingParts(random)
	}
	if err := s.server.SetFaults(broken...); err != nil {
		w.Error(err)
	}
}

// auditParts looks whether a site whose optional parts are broken for good serves all the
// same, and whether they are there again when they are fixed.
func (w *world) auditParts(name string, u *upstream.Upstream) {
	s := w.sites[name]
	if s.nature != protected && !w.asked(name) {
		if state := u.Snapshot().Region(states.Credential).State; transitions.Is(states.Credential, state, transitions.NeedsUser) {
			w.violated("no needless login", "%s needs none, nobody asked for one, and it is %s", name, where(u))
		}
	}
	if err := s.server.SetFaults(); err != nil {
		w.Error(err)
	}
	if transitions.PhaseOf(u.Snapshot()) != states.Phase(states.Connected) {
		return // a user disconnected it
	}
	sleep(context.Background(), 40*time.Minute) // more than the longest pause of a part
	if s := u.Snapshot(); transitions.PhaseOf(s) == states.Phase(states.Connected) && len(s.Data.Parts) > 0 {
		w.violated("parts come back", "%s lacks %v forty minutes after they were fixed", name, s.Data.Parts)
	}
}

// asked reports whether anybody asked for a login or a logout.
func (w *world) asked(name string) bool {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	return w.ledger.asked[name]
}

// spoilt is the upstream whose entry cannot be used at times: it names a program that is
// not there, or something in it is wrong.
const spoilt = "c"

// entries are what the configuration may say of it, the one that works first.
func (w *world) entries() []upstream.Config {
	return []upstream.Config{
		{Name: spoilt, Transport: upstream.HTTP, URL: w.sites[spoilt].server.MCPURL(), Settings: states.DefaultSettings()},
		{Name: spoilt, Transport: upstream.Stdio, Command: "/no/such/program", Settings: states.DefaultSettings()},
		{Name: spoilt, Transport: upstream.HTTP, URL: w.sites[spoilt].server.MCPURL(), Settings: states.DefaultSettings(), Problem: "the variable X is not set"},
	}
}

// spoil has the configuration say something else of that upstream.
func (w *world) spoil(entry upstream.Config) {
	w.configs = slices.Clone(w.configs)
	w.configs[slices.IndexFunc(w.configs, func(c upstream.Config) bool { return c.Name == spoilt })] = entry
	w.apply()
}

// auditSpoilt looks whether an entry that cannot be used is one that has failed and says
// why, and whether it is used once it is fixed.
func (w *world) auditSpoilt() {
	i := slices.IndexFunc(w.configs, func(c upstream.Config) bool { return c.Name == spoilt })
	u, err := w.now.Load().manager.Get(spoilt)
	if err != nil {
		w.violated("an entry that cannot be used", "%v", err)
		return
	}
	s := u.Snapshot()
	switch usable := w.configs[i].Problem == "" && w.configs[i].Transport == upstream.HTTP; {
	case usable:
	case transitions.PhaseOf(s) != states.Phase(states.Failed):
		w.violated("an entry that cannot be used", "it is %s", where(u))
	case s.Data.ConnectionError.Text+s.Data.CredentialError.Text == "":
		w.violated("an entry that cannot be used", "it does not say why: %s", where(u))
	}
	w.spoil(w.entries()[0])
	w.users.Wait()
	sleep(context.Background(), 5*time.Minute)
	if u, err = w.now.Load().manager.Get(spoilt); err != nil || transitions.PhaseOf(u.Snapshot()) != states.Phase(states.Connected) {
		w.violated("a way to Connected", "the entry was fixed, and five minutes later it is %v: %v", where(u), err)
		return
	}
	if outcome := w.ask(w.now.Load(), spoilt, "echo", "fixed", time.Minute); outcome != "answered" {
		w.violated("a way to Connected", "the entry was fixed, and a call got %s", outcome)
	}
	_, _ = u.Disconnect(fsm.Person)
}
