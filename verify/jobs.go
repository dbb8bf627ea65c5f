package verify

import (
	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// action is one thing that can happen next.
type action struct {
	// who does what: two texts, as few are read.
	who, what string
	// good: the environment behaves. person: someone does something.
	good, person bool
	// own: it does nothing but give the machine events that depend on nothing but the
	// machine (see [seen]).
	own bool
	do  func(*world)
}

func (a *action) label() string { return a.who + a.what }

// spoken are the names of jobs as traces have them.
var spoken = func() map[string]string {
	all := map[string]string{}
	for name := range first {
		all[name] = name + ": "
	}
	return all
}()

// jobActions are the ways in which a job's next step can go.
func (x *explorer) jobActions(w *world, i int) []action {
	j := &w.jobs[i]
	who := spoken[j.name]
	if !w.live(j) {
		who = "late " + who
	}
	var all []action
	add := func(label string, good bool, do func(*world, *job)) {
		all = append(all, action{who: who, what: label, good: good, do: func(w *world) {
			disk, machine, all := w.disk, w.machine, len(w.jobs)
			do(w, &w.jobs[i])
			if quiet := w.disk == disk && w.machine == machine && len(w.jobs) == all; quiet && w.jobs[i].step == reporting &&
				carriesNothing(w.jobs[i].result) {
				x.say(w, &w.jobs[i])
			}
		}})
	}
	if j.step == reporting {
		return append(all, action{who: who, what: "reports " + string(j.result.Event), good: true, do: func(w *world) { x.say(w, &w.jobs[i]) }})
	}
	if j.step.onDisk() && j.step != reading && w.diskIsBusy(j) {
		return nil
	}
	if crashes := x.crashes[w.machine.Region(j.region).State]; w.live(j) && !keepsFlow[j.name] {
		add("crashes", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: crashes}) })
	}
	switch j.name {
	case transitions.JobLoad:
		x.load(add)
	case transitions.JobRefresh:
		x.refresh(w, j, add)
	case transitions.JobDiscover:
		x.discover(add)
	case transitions.JobRegister:
		x.register(w, j, add)
	case transitions.JobAwaitBrowser, transitions.JobAwaitDevice:
		x.await(w, j, add)
	case transitions.JobExchange, transitions.JobRequestToken:
		x.obtain(w, j, add)
	case transitions.JobLogOut:
		x.logOut(j, add)
	case transitions.JobConnect:
		x.connect(w, add)
	case transitions.JobWatch:
		for _, event := range []transitions.Event{transitions.TransportFailed, transitions.SessionLost} {
			add(string(event), false, func(_ *world, j *job) { j.ends(transitions.Input{Event: event}) })
		}
		for _, event := range []transitions.Event{transitions.PartFailed, transitions.PartRestored} {
			add("the part that the server need not have: "+string(event), event == transitions.PartRestored, func(w *world, j *job) {
				_ = x.fire(w, transitions.Input{Event: event, Epoch: j.epoch,
					Payload: transitions.Payload{Parts: []states.Part{{Name: states.OwnStream}}}})
			})
		}
	}
	return all
}

// keepsFlow are the jobs whose crash is not explored: the record of their login stays
// on disk, and the login goes on at the next start or is replaced by the next one.
var keepsFlow = map[string]bool{transitions.JobAwaitBrowser: true, transitions.JobAwaitDevice: true, transitions.JobExchange: true,
	transitions.JobRegister: true}

// diskIsBusy reports whether another job's write has begun and hangs: the store
// makes one change at a time.
func (w *world) diskIsBusy(asker *job) bool {
	for i := range w.jobs {
		if j := &w.jobs[i]; j != asker && j.step == saving && j.name != transitions.JobRefresh && !w.live(j) {
			return true
		}
	}
	return false
}

type adder = func(label string, good bool, do func(*world, *job))

func (x *explorer) load(add adder) {
	if x.options.Mode == Unusable {
		add("sees an entry that cannot be used", true, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.EntryInvalid}) })
		return
	}
	add("reads the store", true, func(w *world, j *job) {
		d := w.disk
		w.loaded = true
		if x.options.Mode == Given {
			j.ends(transitions.Input{Event: transitions.CredentialNotNeeded})
			return
		}
		in := transitions.Input{Payload: transitions.Payload{Token: d.token, Generation: d.generation}}
		in.Event = transitions.LoadEnd(transitions.Stored{
			Token:     d.token,
			Flow:      d.flow,
			Intent:    d.intent,
			LoggedOut: d.logout,
			Refused:   w.machine.Data.Refused,
		}, w.now())
		switch in.Event {
		case transitions.FlowOpen, transitions.FlowBesideToken, transitions.DeviceFlowOpen, transitions.DeviceFlowBesideToken:
			in.Flow, in.Payload.Flow = d.flow.ID, d.flow
		case transitions.TokenUncertain, transitions.RefreshUncertain:
			in.Payload.Intent = d.intent
		}
		j.ends(in)
	})
	add("the store is damaged", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.StoreCorrupt}) })
	add("the store cannot be read", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.StoreFailed}) })
}

// save is the store's compare-and-swap of a token.
func (x *explorer) save(done transitions.Event, add adder) {
	add("writes the token", true, func(w *world, j *job) {
		token := j.carry.token
		erased := j.name == transitions.JobRefresh && w.disk.token == nil
		if w.disk.generation != token.Generation-1 {
			j.unsaved(transitions.TokenSuperseded)
			return
		}
		if erased {
			j.unsaved(transitions.TokenUnsaved)
			return
		}
		w.disk = disk{token: token, generation: token.Generation}
		j.ends(transitions.Input{Event: done, Flow: j.began.FlowID, Payload: transitions.Payload{Token: token}})
	})
	add("cannot write the token", false, func(w *world, j *job) {
		if j.name == transitions.JobRefresh {
			j.unsaved(transitions.TokenUnsaved)
			return
		}
		x.brokenOff(w, j, transitions.TokenUnsaved)
	})
}

// unsaved is the end of a job whose token could not be written; the record of the
// login that it came from is erased.
func (j *job) unsaved(why transitions.Event) {
	j.ends(transitions.Input{Event: why, Flow: j.began.FlowID})
	if j.name == transitions.JobExchange {
		j.step = erasing
	}
}

func (x *explorer) logOut(j *job, add adder) {
	if j.step == asking {
		add("the token is revoked", true, func(w *world, j *job) {
			w.revokeFamily(j.carry.token)
			j.ends(transitions.Input{Event: transitions.LogoutDone})
		})
		add("the token is not revoked", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.LogoutDone}) })
		return
	}
	add("erases the credential", true, func(w *world, j *job) {
		j.carry.token, j.step = w.disk.token, asking
		w.disk = disk{generation: w.disk.generation, logout: true}
		if j.carry.token == nil {
			j.ends(transitions.Input{Event: transitions.LogoutDone})
		}
	})
	add("cannot erase the credential", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.LogoutFailed}) })
}

func (w *world) revokeFamily(token *credential.Token) {
	if !token.HasRefresh() {
		return
	}
	family := w.grant(token.Refresh).family
	for i := range w.server.grants {
		if g := &w.server.grants[i]; g.family == family {
			g.status = revoked
		}
	}
}
