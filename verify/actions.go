package verify

import (
	"fmt"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// actions are everything that can happen next.
func (x *explorer) actions(w *world) []action {
	var all []action
	for i := range w.jobs {
		all = append(all, x.jobActions(w, i)...)
	}
	all = append(all, x.timerActions(w)...)
	all = append(all, x.turnActions(w)...)
	all = append(all, x.callActions(w)...)
	all = append(all, x.personActions(w)...)
	return append(all, x.processActions(w)...)
}

// timerActions let any armed timer strike at any time, but for the deadline of a
// job whose request spends a one-time secret: such a request is shorter than the
// deadline of its state. A job that waits for the disk can hang for ever.
func (x *explorer) timerActions(w *world) []action {
	var all []action
	for _, r := range w.machine.Regions {
		if r.Kind == fsm.Working && !w.mayHang(r.Region, r.Epoch) {
			continue
		}
		for _, timer := range r.Timers {
			event, epoch := timer.Event, r.Epoch
			all = append(all, action{who: "timer ", what: string(event), good: r.Kind == fsm.Waiting, do: func(w *world) {
				_ = x.fire(w, transitions.Input{Event: event, Epoch: epoch, Actor: fsm.Clock})
			}})
		}
	}
	return all
}

// spends are the jobs whose requests spend a one-time secret.
var spends = map[string]bool{transitions.JobRefresh: true, transitions.JobExchange: true, transitions.JobAwaitDevice: true,
	transitions.JobLogOut: true}

func (w *world) mayHang(region string, epoch uint64) bool {
	for i := range w.jobs {
		if j := &w.jobs[i]; j.region == region && j.epoch == epoch {
			return j.step != reporting && (j.step != asking || !spends[j.name])
		}
	}
	return true
}

// callActions are those of any number of callers at once. A call is remembered
// nowhere: it decides by the machine, and its answer may arrive at any time, however
// long ago it was sent.
func (x *explorer) callActions(w *world) []action {
	var all []action
	add := func(label string, good bool, do func(*world)) {
		all = append(all, action{who: "a call ", what: label, good: good, own: true, do: do})
	}
	if w.state(states.Credential) == states.LoginRequired && transitions.OutlookOf(w.machine) == transitions.NeedsPerson {
		add("comes in", true, x.propose)
	}
	if w.state(states.Connection) == states.BackingOff {
		add("waits for a connection", true, func(w *world) { _ = x.fire(w, transitions.Input{Event: transitions.ConnectionWanted}) })
	}
	if transitions.OutlookOf(w.machine) == transitions.RenewalFails {
		add("waits for a token", true, func(w *world) { _ = x.fire(w, transitions.Input{Event: transitions.TokenWanted}) })
	}
	current := generationOf(w.machine.Data.Token)
	if current == 0 {
		return all
	}
	add("is answered with 401", !w.accepts(w.machine.Data.Token), func(w *world) {
		x.unauthorized(w, current)
		x.checkRefused(w, current)
	})
	if x.options.explores(forbid) {
		add("is answered with 403", false, func(w *world) { x.forbidden(w, current) })
	}
	add("is asked for a nonce", false, func(w *world) { x.nonceDemanded(w, current) })
	add("is answered", false, func(w *world) { x.accepted(w, w.machine.Data.Token) })
	for _, older := range []uint64{current - 1, 0} {
		add(ago(current-older, "401"), false, func(w *world) { x.unauthorized(w, older) })
		if x.options.explores(forbid) {
			add(ago(current-older, "403"), false, func(w *world) { x.forbidden(w, older) })
		}
	}
	return all
}

// ago is what a call of some tokens ago is answered with.
func ago(tokens uint64, status string) string {
	switch {
	case tokens == 1 && status == "401": // nearly always, and quicker than to put it together
		return "of 1 tokens ago is answered with 401"
	case tokens == 1:
		return "of 1 tokens ago is answered with 403"
	}
	return fmt.Sprintf("of %d tokens ago is answered with %s", tokens, status)
}

// personActions are what a user may do at any moment.
func (x *explorer) personActions(w *world) []action {
	var all []action
	add := func(label string, good bool, do func(*world)) {
		all = append(all, action{who: "a user ", what: label, good: good, person: true, do: do})
	}
	own := func(label string, good bool, do func(*world)) {
		add(label, good, do)
		all[len(all)-1].own = true
	}
	say := func(w *world, in transitions.Input) error {
		in.Actor = fsm.Person
		return x.fire(w, in)
	}
	ask := func(w *world, r transitions.Request, in transitions.Input) error {
		all := r.Expand(x.graph, w.machine)
		for _, event := range all[:len(all)-1] {
			_ = say(w, transitions.Input{Event: event})
		}
		in.Event = all[len(all)-1]
		return say(w, in)
	}
	// Pages of logins that were over long ago are there at any time.
	own("approves a login that is over", false, func(w *world) {
		_ = say(w, transitions.Input{Event: transitions.CodeReceived, Flow: "long over"})
	})
	for _, flow := range w.tabs {
		add("approves "+which(w.machine.Data.HasFlow(flow)), true, func(w *world) {
			w.closeTab(flow)
			_ = say(w, transitions.Input{Event: transitions.CodeReceived, Flow: flow, Payload: transitions.Payload{Code: code0}})
		})
		add("declines "+which(w.machine.Data.HasFlow(flow)), false, func(w *world) {
			w.closeTab(flow)
			_ = say(w, transitions.Input{Event: transitions.LoginEnd(w.machine.Data, transitions.LoginDenied), Flow: flow})
		})
		add("comes back with an error to "+which(w.machine.Data.HasFlow(flow)), false, func(w *world) {
			w.closeTab(flow)
			_ = say(w, transitions.Input{Event: transitions.LoginEnd(w.machine.Data, transitions.LoginFailed), Flow: flow})
		})
	}
	for i := range w.jobs {
		if j := &w.jobs[i]; j.name == transitions.JobAwaitDevice && j.step == listening && w.live(j) {
			add("enters the code", true, func(w *world) { w.jobs[i].step = asking })
			add("declines the code", false, func(w *world) { x.loginEnd(w, &w.jobs[i], transitions.LoginDenied, false) })
			add("meets an error with the code", false, func(w *world) { x.loginEnd(w, &w.jobs[i], transitions.LoginFailed, false) })
		}
	}
	if w.stopping() {
		return all
	}
	own("connects", true, func(w *world) { _ = ask(w, transitions.RequestConnect, transitions.Input{}) })
	if x.options.explores(disconnect) {
		own("disconnects", false, func(w *world) { _ = ask(w, transitions.RequestDisconnect, transitions.Input{}) })
	}
	if x.options.Mode != Given { // which has none
		add("asks for a login", true, func(w *world) {
			if ask(w, transitions.RequestLogin, transitions.Input{Flow: w.id("flow")}) == nil {
				if open := w.machine.Data.FlowID; w.state(states.Credential) == states.AwaitingBrowser {
					w.openTab(open) // its page is shown again
				}
			}
		})
		all[len(all)-1].own = w.state(states.Credential) != states.AwaitingBrowser
	}
	if x.options.explores(logOut) {
		own("logs out", false, func(w *world) { _ = ask(w, transitions.RequestLogout, transitions.Input{}) })
	}
	if w.machine.Region(states.Credential).Is(transitions.LoginOpen) {
		own("gives the login up", false, func(w *world) {
			_ = ask(w, transitions.RequestCancel, transitions.Input{Flow: w.machine.Data.FlowID})
		})
	}
	return all
}

func which(open bool) string {
	if open {
		return "the open login"
	}
	return "a login that the process does not know of"
}

func (w *world) closeTab(flow string) {
	kept := w.tabs[:0]
	for _, tab := range w.tabs {
		if tab != flow {
			kept = append(kept, tab)
		}
	}
	w.tabs = kept
}

// processActions are the ends of the process, its start, and the clock.
func (x *explorer) processActions(w *world) []action {
	all := []action{
		{what: "time passes", good: true, do: func(w *world) {
			w.clock++
			w.begins = recent(w.begins, w.clock)
		}},
	}
	if x.options.explores(kill) {
		all = append(all, action{what: "the process is killed and starts", do: x.start})
	}
	closed := w.state(states.Connection) == states.Closed && w.state(states.Credential) == states.Closed
	switch {
	case closed:
		all = append(all, action{what: "the process has ended and starts", good: true, do: x.start})
	case !w.stopping() && x.options.explores(end):
		all = append(all, action{what: "the process is told to end", do: func(w *world) {
			_ = x.fire(w, transitions.Input{Event: transitions.ConnectionShutdown, Actor: fsm.Process})
		}})
	}
	return all
}

// recent keeps the ticks of the last hour.
func recent(ticks []int, now int) []int {
	var kept []int
	for _, at := range ticks {
		if now-at < 2 {
			kept = append(kept, at)
		}
	}
	return kept
}
