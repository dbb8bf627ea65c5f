package verify

import (
	"errors"
	"fmt"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// Invariant is one promise that is checked.
type Invariant struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
}

// Invariants returns all that are checked, in a fixed order.
func Invariants() []Invariant {
	return []Invariant{
		{refusedChangesNothing, "an event that is refused leaves the machine exactly as it was"},
		{staleChangesNothing, "the outcome of a job or timer whose state was left is refused, whatever it says"},
		{outcomesTaken, "the outcome of a job or timer whose state lasts leads somewhere, and what it brings is taken: nothing that was " +
			"waited for is lost"},
		{eventsMean, "an event leads, from whatever state, only to one in which what it says is so"},
		{onlyRequests, "what is kept until a state is left is a request of a user or the end of the process, and only where what has begun " +
			"can only be finished; news is never told late"},
		{onlyFinished, "what has sent a one-time secret is only finished: no event from outside ends a refresh or a code exchange"},
		{oneFlow, "there is at most one open authorization flow: the machine's, and the store knows no other while nothing runs"},
		{noReuse, "no refresh token is sent twice while a success is possible: a second time only where the first answer was lost for good, " +
			"a third time never"},
		{storedBeforeUsed, "no token is used before it is on disk"},
		{logoutIsFinal, "after a confirmed logout there is no token and no login until a user asks for one, over restarts too"},
		{personDecides, "what a user asks for is done or kept until it can be, and what only a user may ask for, nobody else can"},
		{offersHold, "what a user is offered to do is neither refused nor ignored"},
		{currentToken, "what speaks of another token than the current one changes nothing"},
		{personOpens, "the machine begins a login, which opens a browser, by itself where the configuration allows it and only there, and " +
			"in an hour no more often than its budget, counted from the start of the process"},
		{boundedRefreshes, "what a resource server causes by refusing tokens is counted, and ends where another token would not help"},
		{noNeedlessLogin, "no login is demanded of a user while a refresh token that works lies in the store"},
		{unusableRests, "for an entry of the configuration that cannot be used nothing is begun but what reads and erases what is stored"},
		{truthful, "a state says the truth: what it claims of token, flow, disk, jobs, timers and the other region is so"},
		{waitsBounded, "a state that waits or works is left in bounded time: one of its timers is due within the bound and leads out of it, " +
			"whatever else happens or does not"},
		{worksKept, "what works is not taken away: no end of a login, by its failure, its cancel or its deadline, leads from where requests " +
			"go on, with a token or without one, to where they do not"},
		{callsMove, "a call that waits waits for something that is going to happen by itself"},
		{wayToConnected, "from every situation there is a way to Connected when everybody behaves"},
		{wayWithoutPerson, "while the store holds a token or refresh token that works, and nobody disconnected, logged out or was asked to " +
			"log in, the way to Connected needs no user"},
	}
}

const (
	refusedChangesNothing = "refused changes nothing"
	staleChangesNothing   = "stale changes nothing"
	outcomesTaken         = "outcomes are taken"
	eventsMean            = "events mean what they say"
	onlyRequests          = "only requests are kept"
	onlyFinished          = "only finished"
	personDecides         = "a user decides"
	offersHold            = "offers hold"
	currentToken          = "the current token"
	unusableRests         = "what is unusable rests"
	truthful              = "states are true"
	oneFlow               = "one flow"
	noReuse               = "no reuse"
	storedBeforeUsed      = "stored before used"
	logoutIsFinal         = "logout is final"
	personOpens           = "bounded openings"
	boundedRefreshes      = "bounded refreshes"
	noNeedlessLogin       = "no needless login"
	waitsBounded          = "every wait is bounded"
	worksKept             = "what works is kept"
	callsMove             = "calls move"
	wayToConnected        = "a way to Connected"
	wayWithoutPerson      = "a way without a user"
)

// violated notes the first violation of the step that is being made.
func (x *explorer) violated(invariant, format string, args ...any) {
	if x.violation == nil {
		x.violation = &Counterexample{Invariant: invariant, Why: fmt.Sprintf(format, args...)}
	}
}

// checkStep judges one event.
func (x *explorer) checkStep(w *world, before *transitions.Snapshot, in transitions.Input, steps *transitions.Steps) {
	switch steps.Outcome.Disposition {
	case fsm.Ignored, fsm.Joined:
		if w.machine != before {
			x.violated(refusedChangesNothing, "%s was %s and the machine changed", in.Event, steps.Outcome.Disposition)
		}
	}
	if steps.Err != nil {
		x.refused++
		if w.machine != before || len(steps.Moves) > 0 {
			x.violated(refusedChangesNothing, "%s was refused and the machine changed", in.Event)
		}
	}
	switch stale := before.Region(x.home[in.Event]).Epoch != in.Epoch; {
	case in.Epoch == 0:
	case stale && !errors.Is(steps.Err, fsm.ErrStale):
		x.violated(staleChangesNothing, "%s came late and was %s", in.Event, steps.Outcome.Disposition)
	case !stale && len(steps.Moves) == 0:
		x.violated(outcomesTaken, "%s is what %s waited for, and was %s", in.Event, before.Region(x.home[in.Event]).State,
			steps.Outcome.Disposition)
	}
	if in.Event == transitions.ConnectionShutdown && !w.stopping() {
		x.violated(outcomesTaken, "the upstream is to end, and is %s", w.state(states.Connection))
	}
	if in.Actor == fsm.Person {
		x.checkRequest(w, before, in, steps)
	}
	for i := range steps.Moves {
		x.checkMove(w, &steps.Moves[i])
		x.checkKeptWorking(before, &steps.Moves[i])
	}
	token, old := w.machine.Data.Token, before.Data.Token
	if token != nil && token != old && (old == nil || token.Access != old.Access) {
		// One that was replaced on disk since it was read was there too.
		if newer := w.disk.generation > token.Generation; !newer && (w.disk.token == nil || w.disk.token.Access != token.Access) {
			x.violated(storedBeforeUsed, "the token of generation %d came into use by %s and is not on disk", token.Generation, in.Event)
		}
	}
}

// checkUsable judges the beginning of a job.
func (x *explorer) checkUsable(w *world, job string) {
	if w.machine.Data.Settings.Problem != "" && job != transitions.JobLoad && job != transitions.JobLogOut {
		x.violated(unusableRests, "%s is begun", job)
	}
}

func (x *explorer) checkMove(w *world, move *transitions.Move) {
	is := toldBy(move)
	if text := is.mistaken(); text != "" {
		x.violated(eventsMean, "%s", text)
	}
	x.checkTaken(move)
	if d := &move.After.Data; move.RaisedBy == transitions.CredentialDemanded && move.Input.Event == transitions.CredentialReady &&
		move.Disposition == fsm.Moved {
		if credential := move.After.Region(states.Credential).State; !offers[credential] && !d.TokenUsable(w.now()) && !d.WorksWithout() {
			x.violated(truthful, "a connection is tried with nothing, in %s", credential)
		}
	}
	switch move.Input.Event {
	case transitions.Connect:
		w.wanted = true
	case transitions.Disconnect:
		w.wanted = false
	}
	if is.spends() && move.Input.Epoch == 0 {
		x.violated(onlyFinished, "%s ended %s", move.Input.Event, move.From)
	}
	switch {
	case move.Region != states.Credential || move.Disposition != fsm.Moved:
	case move.Input.Event == transitions.LogoutDone:
		w.loggedOut = true
	case move.Input.Event == transitions.LoginRequested:
		w.loggedOut = false
	case move.To == states.LoginRequired && asksForNothing[move.After.Data.Reason]:
		// What a write that hung for longer than its state put there is met at the next login.
		known := x.options.Jobs == 0 || w.disk.generation == move.After.Data.Generation
		if t := w.disk.token; known && t.HasRefresh() && w.grant(t.Refresh).status == valid && w.disk.intent == nil {
			x.violated(noNeedlessLogin, "%s demands a login (%s) while the store holds a refresh token that works", move.Input.Event,
				move.After.Data.Reason)
		}
	}
}

// checkKeptWorking judges the end of a login beside what works.
func (x *explorer) checkKeptWorking(before *transitions.Snapshot, move *transitions.Move) {
	if move.Region != states.Credential || before.Region(states.Credential).State != move.From || !toldBy(move).givesUp() {
		return
	}
	if d := &before.Data; d.TokenUsable(move.Input.At) || d.WorksWithout() {
		x.violated(worksKept, "%s ended a login in %s, and what worked beside it is given up", move.Input.Event, move.To)
	}
}

// parks are the credential's states in which nothing is sent.
var parks = map[states.State]bool{states.LoginRequired: true, states.Failed: true, states.LoggedOut: true}

// checkTaken judges whether what an event brings is what the machine has afterwards.
func (x *explorer) checkTaken(move *transitions.Move) {
	in, d := move.Input, &move.After.Data
	switch {
	case move.Region != states.Credential:
	case in.Payload.Token != nil && move.To == states.Fresh && d.Token != in.Payload.Token,
		in.Payload.Flow != nil && d.Flow != in.Payload.Flow,
		in.Payload.Intent != nil && d.Uncertain != in.Payload.Intent:
		x.violated(outcomesTaken, "what %s brought is not what the machine has in %s", in.Event, move.To)
	case in.Event == transitions.RefreshTokenLost && d.Token.HasRefresh():
		x.violated(outcomesTaken, "a refresh token that is lost is kept")
	case in.Event == transitions.TokenRefused && move.To == states.Refreshing && move.Disposition == fsm.Moved &&
		(len(d.RefusedAt) == 0 || !d.RefusedAt[len(d.RefusedAt)-1].Equal(in.At)):
		x.violated(boundedRefreshes, "a 401 caused a refresh and was not counted")
	case in.Event == transitions.GrantDue && d.Reason == states.TokenRejected && move.Disposition == fsm.Moved:
		x.violated(boundedRefreshes, "a token is asked for again after the server refused one as new")
	}
}

// asksForNothing are the reasons that say that there is nothing to go on with.
var asksForNothing = map[states.Reason]bool{states.NeverLoggedIn: true, states.TokenExpired: true, states.RefreshRejected: true,
	states.RotationLost: true}

// checkReuse judges the sending of a refresh token.
func (x *explorer) checkReuse(w *world, sender *job) {
	for i := range w.jobs {
		if other := &w.jobs[i]; other != sender && other.name == transitions.JobRefresh && other.step == saving &&
			other.began.Token.Refresh == sender.began.Token.Refresh {
			x.violated(noReuse, "a refresh token is sent while the answer to it is being written")
		}
	}
	g := w.grant(sender.began.Token.Refresh)
	if g.status == consumed {
		if sender.began.Uncertain == nil {
			x.violated(noReuse, "a refresh token is sent although its answer arrived, or without knowing that it was sent before")
		}
		if g.sent++; g.sent > 1 {
			x.violated(noReuse, "a refresh token is sent for the third time")
		}
	}
}

// checkBegin judges a login that the machine begins by itself.
func (x *explorer) checkBegin(w *world) {
	switch n := len(w.begins); {
	case !w.machine.Data.Settings.AutomaticLogin:
		x.violated(personOpens, "the machine began a login, and the configuration does not allow it")
	case w.loggedOut:
		x.violated(logoutIsFinal, "the machine began a login after a user had logged out")
	case n > w.machine.Data.Settings.BrowserBudget:
		x.violated(personOpens, "the machine began %d logins in an hour", n)
	}
}

// checkWorld judges a situation.
func (x *explorer) checkWorld(w *world) {
	credential := w.state(states.Credential)
	if w.loggedOut {
		switch {
		case w.machine.Data.Token != nil || w.disk.token != nil:
			x.violated(logoutIsFinal, "there is a token after a confirmed logout")
		case transitions.Is(states.Credential, credential, transitions.LoginOpen):
			x.violated(logoutIsFinal, "a login is open after a confirmed logout")
		}
	}
	if flow := w.disk.flow; flow != nil && w.now().Before(flow.Deadline) && len(w.jobs) == 0 && w.loaded && credential != states.Closed &&
		!w.machine.Data.HasFlow(flow.ID) {
		x.violated(oneFlow, "the store keeps the flow of a login that is over")
	}
	x.checkBounds(w)
	if text := w.untruth(); text != "" {
		x.violated(truthful, "%s", text)
	}
	x.checkKept(w.machine)
	logins := 0
	for i := range w.jobs {
		if j := &w.jobs[i]; w.live(j) && j.region == states.Credential && transitions.Is(states.Credential, credential, transitions.LoginOpen) {
			logins++
		}
	}
	if logins > 1 {
		x.violated(oneFlow, "%d jobs of a login run", logins)
	}
	if !w.active() && transitions.OutlookOf(w.machine) == transitions.OnItsWay {
		x.violated(callsMove, "a call waits in %s/%s, where nothing happens by itself", w.state(states.Connection), credential)
	}
}

// checkKept judges what the machine keeps for later.
func (x *explorer) checkKept(machine *transitions.Snapshot) {
	kept := machine.Postponed()
	if len(kept) == 0 {
		return
	}
	credential := machine.Region(states.Credential).State
	for _, event := range kept {
		done := false
		switch event {
		case transitions.LoginRequested:
			done = transitions.Is(states.Credential, credential, transitions.LoginOpen)
		case transitions.LogoutRequested:
			done = credential == states.LoggingOut
		case transitions.CredentialShutdown:
			done = credential == states.LoadingToken
		}
		if done || !mayBeKept(event, credential) {
			x.violated(onlyRequests, "%s is kept in %s", event, credential)
		}
	}
}

// checkRefused judges what a 401 to what was sent last leaves: a call or an attempt to
// connect that is refused what is offered must not be offered the same again at once.
func (x *explorer) checkRefused(w *world, generation uint64) {
	switch w.state(states.Credential) {
	case states.Fresh, states.Anonymous, states.NotNeeded:
		if generationOf(w.machine.Data.Token) == generation {
			x.violated(callsMove, "a request was refused, and waits for what it was sent with")
		}
	}
}

// checkBegun judges a login, or a grant, that the machine was offered to begin.
func (x *explorer) checkBegun(before *transitions.Snapshot, w *world) {
	d, was := &before.Data, before.Region(states.Credential).State
	due := false
	if d.Settings.Unattended {
		due = was == states.LoginRequired && d.Reason != states.TokenRejected
	} else {
		at := transitions.OwnLoginAt(before, w.now())
		due = !at.IsZero() && !at.After(w.now())
	}
	if due && w.state(states.Credential) != states.Discovering {
		x.violated(personOpens, "the machine may begin a login in %s, and does not", was)
	}
}

// active reports whether anything runs that will move the machine, or a user is
// being waited for within a deadline.
func (w *world) active() bool {
	for _, r := range w.machine.Regions {
		if r.Job != "" || len(r.Timers) > 0 {
			return true
		}
	}
	return false
}

// holdsWorkingCredential is the condition of [wayWithoutPerson].
func (w *world) holdsWorkingCredential() bool {
	t := w.disk.token
	if t == nil || w.disk.logout || w.disk.intent != nil || w.disk.flow != nil || w.machine.Data.FlowID != "" ||
		len(w.machine.Postponed()) > 0 {
		return false
	}
	switch w.state(states.Connection) {
	case states.Disconnected, states.Failed, states.Closed:
		return false
	}
	switch w.state(states.Credential) {
	case states.Failed, states.LoginRequired, states.LoggingOut, states.LoggedOut:
		return false
	case states.Anonymous: // a user gave a login up whose token was on its way to the disk
		return false
	}
	for i := range w.jobs {
		if w.jobs[i].region == states.Credential && w.jobs[i].name != transitions.JobLoad {
			return false
		}
	}
	return t.HasRefresh() && w.grant(t.Refresh).status == valid && len(w.machine.Data.RefusedAt) == 0 && w.machine.Data.Refused != t.Generation
}
