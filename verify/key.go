package verify

import (
	"slices"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// key is a world without what makes no difference to anything that can happen:
// names are counted in the order in which they are met, generations are ranked,
// times are ages, epochs are current or over. It is packed and complete; two worlds are
// one where their keys are equal. The keyer's room is used again by the next key.
func (k *keyer) key(w *world) []byte {
	k.begin(w)
	k.rank()
	k.machine()
	k.disk()
	k.rest()
	return k.out
}

// class is the machine of a world alone, in the same way.
func (k *keyer) class(w *world) []byte {
	k.begin(w)
	k.alone = true
	k.rankMachine()
	k.machine()
	return k.out
}

func (k *keyer) begin(w *world) {
	*k = keyer{plain: k.plain, world: w, decided: !k.plain && w.decided(),
		names: k.names[:0], numbers: k.numbers[:0], ranks: k.ranks[:0], out: k.out[:0]}
}

type keyer struct {
	world *world
	// decided: a refresh is under way whose outcome is decided and ends the renewal, so
	// that nothing is asked any more of the attempts before it.
	decided bool
	// alone: what the servers know of tokens is no part of the key. plain: what nothing
	// asks for any more is.
	alone, plain bool

	names   []string
	numbers []int
	ranks   []uint64
	out     []byte
}

func (k *keyer) put(bytes ...byte) { k.out = append(k.out, bytes...) }

func (k *keyer) flag(set bool) {
	if set {
		k.put(1)
		return
	}
	k.put(0)
}

func (k *keyer) text(s string) {
	k.put(byte(len(s)))
	k.out = append(k.out, s...)
}

// name writes the number of a name; 0 is none.
func (k *keyer) name(s string) {
	if s == "" {
		k.put(0)
		return
	}
	n := slices.Index(k.names, s)
	if n < 0 {
		n = len(k.names)
		k.names = append(k.names, s)
	}
	k.put(byte(n + 1))
}

// number writes the number of a number, as name does.
func (k *keyer) number(s int) {
	n := slices.Index(k.numbers, s)
	if n < 0 {
		n = len(k.numbers)
		k.numbers = append(k.numbers, s)
	}
	k.put(byte(n + 1))
}

// rankMachine collects every generation that the machine knows, in order.
func (k *keyer) rankMachine() {
	d := &k.world.machine.Data
	k.ranks = append(k.ranks, 0, d.Generation, generationOf(d.Token))
	if d.Uncertain != nil {
		k.ranks = append(k.ranks, d.Uncertain.Generation)
	}
	slices.Sort(k.ranks)
	k.ranks = slices.Compact(k.ranks)
}

// rank collects every generation that is anywhere, in order.
func (k *keyer) rank() {
	k.rankMachine()
	w := k.world
	all := append(k.ranks, w.disk.generation, generationOf(w.disk.token))
	if w.disk.intent != nil {
		all = append(all, w.disk.intent.Generation)
	}
	for i := range w.jobs {
		j := &w.jobs[i]
		if obtains[j.name] {
			all = append(all, j.began.Generation)
		}
		if j.name == transitions.JobRefresh {
			all = append(all, generationOf(j.began.Token))
		}
		all = append(all, generationOf(j.carry.token))
		if j.result != nil {
			all = append(all, generationOf(j.result.Payload.Token), j.result.Payload.Generation)
		}
	}
	slices.Sort(all)
	k.ranks = slices.Compact(all)
}

func (k *keyer) generation(g uint64) {
	rank, _ := slices.BinarySearch(k.ranks, g)
	k.put(byte(rank))
}

func (k *keyer) token(t *credential.Token) {
	if t == nil {
		k.put(0xff)
		return
	}
	id := t.Refresh.Reveal()
	k.generation(t.Generation)
	k.name(t.Access.Reveal())
	k.name(id)
	k.flag(t.UsableAt(k.world.now()))
	k.flag(k.world.machine.Data.Settings.AutomaticLogin && len(t.RequestedScopes) > 0)
	if id != "" && !k.alone && (k.plain || k.mayBeSent(t)) {
		g := k.world.grant(t.Refresh)
		sent := g.sent
		if g.status != consumed && !k.plain {
			sent = 0 // it is counted of a token that was used, and is over with its family
		}
		k.put(byte(g.status), byte(sent))
		k.number(-1 - g.family)
	}
}

func (k *keyer) intent(i *credential.Intent) {
	if i == nil {
		k.put(0)
		return
	}
	k.name(i.ID)
	k.generation(i.Generation)
}

func (k *keyer) flow(f *credential.Flow) {
	if f == nil {
		k.put(0)
		return
	}
	k.name(f.ID)
	k.flag(k.world.now().Before(f.Deadline))
	k.flag(f.Optional)
	k.flag(len(f.Scopes) > 0 && k.world.machine.Data.Settings.AutomaticLogin)
}

// age writes a time as ticks ago, 3 for long ago and never.
func (k *keyer) age(at time.Time) {
	if at.IsZero() {
		k.put(3)
		return
	}
	k.put(byte(min(3, k.world.now().Sub(at)/tick)))
}

func (k *keyer) data(d *states.Data) {
	now := k.world.now()
	k.token(d.Token)
	k.generation(d.Generation)
	// Of an older token nothing is asked any more: generations only grow.
	current := generationOf(d.Token)
	// All that Accepted is asked for, and of a token that is no longer new nothing is.
	asked := k.plain || d.Token != nil && now.Sub(d.Token.ObtainedAt) < d.Settings.ForcedWindow
	k.flag(asked && d.Issued == current && d.Accepted != current)
	k.flag(d.Refused == current)
	k.flag(d.TokenWorks())
	k.flag(d.WorksWithout())
	minuteAgo := 0
	for _, at := range d.RefusedAt {
		if at.After(now.Add(-d.Settings.ForcedWindow)) {
			minuteAgo++
		}
	}
	k.put(byte(min(minuteAgo, d.Settings.ForcedRefreshes)), 0)
	k.flag(k.world.state(states.Credential) == states.LoginBackoff && d.Code.IsZero())
	if !k.decided {
		if credential := k.world.place(); credential.Is(transitions.Renewing) || credential.State == states.LoadingToken ||
			d.Settings.Unattended {
			k.renewal(d)
		}
		k.intent(d.Uncertain)
	}
	k.name(d.FlowID)
	k.flow(d.Flow)
	proposals := d.RecentProposals(now)
	k.flag(len(proposals) < d.Settings.BrowserBudget && now.Sub(d.ProposedAt) < d.Settings.BrowserInterval)
	for _, at := range proposals {
		k.age(at)
	}
	k.put(0xfe)
	// Only an automatic login, the outlook while a token is in use, and a connection that
	// waits for a login depend on it.
	waits := k.world.state(states.Credential) == states.Fresh || k.world.state(states.Connection) == states.AwaitingLogin
	k.flag(len(d.Scopes) > 0 && (d.Settings.AutomaticLogin || waits))
	k.flag(d.Settings.Unattended && d.Reason == states.TokenRejected)
}

// renewal writes what is asked of the attempts that have failed.
func (k *keyer) renewal(d *states.Data) {
	now := k.world.now()
	if k.world.place().Is(transitions.Paced) {
		k.flag(d.RefreshAttempts > 0) // which the truth of these states asks for
	}
	k.put(byte(min(d.Refusals, d.Settings.RefreshAttempts)))
	if !d.TokenUsable(now) {
		k.flag(d.FailsFor(now) >= d.Settings.RefreshBudget)
	}
	switch credential := k.world.place(); {
	case credential.State == states.GrantBackoff:
		k.flag(d.FailsFor(d.RefreshTried) >= d.Settings.RefreshBudget)
		k.flag(now.After(d.RefreshTried))
	case credential.Is(transitions.Failing):
		k.flag(now.After(d.RefreshTried))
	}
}

func (k *keyer) machine() {
	m := k.world.machine
	for _, r := range m.Regions {
		k.text(string(r.State))
	}
	if k.world.state(states.Credential) != states.Closed {
		k.data(&m.Data) // of a closed one nothing is asked any more
	}
	for _, event := range m.Postponed() {
		k.text(string(event))
	}
	k.put(0xfe)
}

func (k *keyer) disk() {
	d := &k.world.disk
	k.token(d.token)
	k.generation(d.generation)
	k.intent(d.intent)
	k.flow(d.flow)
	k.flag(d.logout)
}

func (k *keyer) rest() {
	w := k.world
	for i := range w.jobs {
		k.job(&w.jobs[i])
	}
	k.put(0xfd)
	for _, flow := range w.tabs {
		k.name(flow)
	}
	k.put(0xfc)
	for _, at := range w.begins {
		k.put(byte(w.clock - at))
	}
	k.put(0xfb)
	k.flag(w.loggedOut)
	k.flag(w.loaded && w.disk.flow != nil)
}

// obtains are the jobs of a login, or of a grant that needs no user.
var obtains = map[string]bool{transitions.JobDiscover: true, transitions.JobRegister: true, transitions.JobAwaitBrowser: true,
	transitions.JobAwaitDevice: true, transitions.JobExchange: true, transitions.JobRequestToken: true}

// attempt writes what a refresh still asks of what it began with: of one that was sent
// the generation, and of one that gives the refresh token up what it will say.
func (k *keyer) attempt(j *job) {
	if j.step == noting || j.step == asking || k.plain {
		k.token(j.began.Token)
		k.intent(j.began.Uncertain)
		k.text(string(j.carry.failure))
		return
	}
	k.generation(generationOf(j.began.Token))
	if j.step == dropping {
		for _, usable := range []bool{true, false} {
			k.text(string(transitions.RefreshEnd(j.carry.failure, j.began, usable, k.world.now())))
		}
	}
}

// decided reports whether the outcome of the refresh that the machine waits for is
// decided, and is one that ends the renewal. Nothing else ends the state from then on.
func (w *world) decided() bool {
	if w.state(states.Credential) != states.Refreshing {
		return false
	}
	for i := range w.jobs {
		j := &w.jobs[i]
		if j.name != transitions.JobRefresh || !w.live(j) {
			continue
		}
		switch j.step {
		case dropping, saving:
			return !w.mayHang(j.region, j.epoch)
		case reporting:
			return endsRenewal[j.result.Event]
		}
	}
	return false
}

// endsRenewal are the outcomes of a refresh after which none is scheduled.
var endsRenewal = map[transitions.Event]bool{transitions.Refreshed: true, transitions.RefreshRejected: true,
	transitions.RefreshTokenLost: true,
	transitions.ClientForgotten:  true, transitions.ClientRejected: true, transitions.TokenUnsaved: true}

// mayBeSent reports whether a refresh token may still be sent. The machine's own is not
// while it reads the store, which replaces it.
func (k *keyer) mayBeSent(t *credential.Token) bool {
	return t != k.world.machine.Data.Token || k.world.state(states.Credential) != states.LoadingToken
}

func (k *keyer) job(j *job) {
	k.text(j.name)
	k.text(string(j.step))
	k.flag(k.world.live(j))
	if obtains[j.name] {
		k.name(j.began.FlowID)
		k.generation(j.began.Generation)
		k.flag(len(j.began.Scopes) > 0 && j.began.Settings.AutomaticLogin)
	}
	k.token(j.carry.token)
	k.intent(j.carry.intent)
	k.flow(j.carry.flow)
	if j.name == transitions.JobRefresh {
		k.attempt(j)
	}
	if j.step == showing {
		k.text(string(j.cause))
	}
	if k.flag(j.result != nil); j.result == nil {
		return
	}
	k.text(string(j.result.Event))
	k.token(j.result.Payload.Token)
	k.generation(j.result.Payload.Generation)
	k.name(j.result.Flow)
	k.intent(j.result.Payload.Intent)
	k.flow(j.result.Payload.Flow)
}
