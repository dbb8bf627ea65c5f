package verify

import (
	"errors"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// The promises that journals alone have.
const (
	explained  = "the graph explains it"
	epochsRise = "an epoch is given once"
	timeGoesOn = "time goes on"
	timersDue  = "timers strike when they are due"
)

// slack is by how much an entry may be late or early on a machine that is busy: the time
// of an event is taken before its turn at the machine comes. A clock may also be set.
const slack = 30 * time.Second

// Monitors returns a monitor for each promise of [Invariants], in their order, and for
// those that journals alone have.
func Monitors() []Monitor {
	var all []Monitor
	for _, promise := range Invariants() {
		all = append(all, Monitor{Name: promise.Name, Doc: promise.Doc, Undecidable: undecidable[promise.Name]})
	}
	return append(all,
		Monitor{Name: explained, Doc: "each event happened where the entries before it led, became what the table says, and led where it says; " +
			"nothing is missing, and a restart begins in the initial states"},
		Monitor{Name: epochsRise,
			Doc: "each entry of a state has an epoch greater than all before it in the life, and nothing else has a new one"},
		Monitor{Name: timeGoesOn, Doc: "no entry is earlier than the one before it, by more than a clock that is set right"},
		Monitor{Name: timersDue, Doc: "a timer with a fixed time does not strike before it"})
}

// undecidable says of promises why no journal shows that they were broken.
var undecidable = map[string]string{
	storedBeforeUsed: "entries do not say what is on disk; crash tests and the simulation look there",
	noNeedlessLogin:  "whether the refresh token in the store still works is known to the store and the server only",
	callsMove:        "calls are not in the journal",
	wayToConnected:   "a journal shows what happened, not what could have",
	wayWithoutPerson: "a journal shows what happened, not what could have",
}

// judge holds an entry to each promise that one entry and the place before it decide.
func (a *audit) judge(e *fsm.Entry) {
	event, decl := transitions.Event(e.Event), declared.events[transitions.Event(e.Event)]
	is := told{event: event, from: states.State(e.From), to: states.State(e.To), moved: e.Disposition == fsm.Moved}
	a.judgeUnchanged(e)
	a.judgeTime(e)
	if decl.Bound && e.Disposition != fsm.Stale && e.Disposition != fsm.Vetoed && !counts(e) {
		a.violated(outcomesTaken, "%s is what %s waited for, and was %s", event, is.from, e.Disposition)
	}
	if e.Disposition == fsm.Postponed && !mayBeKept(event, is.from) {
		a.violated(onlyRequests, "%s is kept in %s", event, is.from)
	}
	if refusal := e.Disposition.Refused() && e.Disposition != fsm.Vetoed && e.Disposition != fsm.Stale; e.Actor == fsm.Person &&
		(refusal || e.Disposition == fsm.Ignored) && declared.offers[offerKey{placeKey{e.Region, is.from}, event}] {
		a.violated(offersHold, "%s is offered in %s, and was %s", event, is.from, e.Disposition)
	}
	if !counts(e) {
		return
	}
	if decl.By != "" && e.Actor != decl.By {
		a.violated(personDecides, "only a %s may fire %s, and %q did", decl.By, event, e.Actor)
	}
	if text := is.mistaken(); text != "" {
		a.violated(eventsMean, "%s", text)
	}
	own := e.Actor == fsm.Automatic && (event == transitions.LoginAbandoned || event == transitions.OptionalLoginEnded)
	if is.spends() && !decl.Bound && !own { // by its own job the code exchange may end with these
		a.violated(onlyFinished, "%s ended %s", event, is.from)
	}
}

// judgeUnchanged holds what changed nothing to that.
func (a *audit) judgeUnchanged(e *fsm.Entry) {
	at := a.life.regions[e.Region]
	known := at.epoch != 0
	changes := known && at.epoch != e.Epoch || a.life.sequence != 0 && !a.life.leapt && e.Sequence != a.life.sequence
	switch {
	case e.Disposition == fsm.Moved:
		if e.Epoch <= a.life.last {
			a.violated(epochsRise, "%s is entered with epoch %d, and %d was given before", e.To, e.Epoch, a.life.last)
		}
	case e.Disposition == fsm.Updated:
		if known && at.epoch != e.Epoch {
			a.violated(epochsRise, "%s goes on, with epoch %d in place of %d", e.To, e.Epoch, at.epoch)
		}
	case e.From == e.To && !changes:
	case e.Disposition == fsm.Stale:
		a.violated(staleChangesNothing, "%s came late, and the machine changed", e.Event)
	default:
		a.violated(refusedChangesNothing, "%s was %s, and the machine changed", e.Event, e.Disposition)
	}
}

// judgeTime holds an entry to the clock and to the timers of the state that it is in.
func (a *audit) judgeTime(e *fsm.Entry) {
	if a.counted {
		return
	}
	if last := a.kept.at; !last.IsZero() && e.Time.Before(last.Add(-slack)) {
		a.violated(timeGoesOn, "%s is %v before the entry before it", e.Event, last.Sub(e.Time))
	}
	a.kept.at = e.Time
	at, known := a.life.regions[e.Region]
	if !known || at.since.Time.IsZero() || string(at.state) != e.From {
		return
	}
	lasted := e.Time.Sub(at.since.Time)
	for _, timer := range declared.timers[placeKey{e.Region, at.state}] {
		own := e.Actor == fsm.Clock && transitions.Event(e.Event) == timer.Event
		if own && e.Disposition != fsm.Stale && lasted < timer.After {
			a.violated(timersDue, "%s strikes after %v, and is due after %v", timer.Event, lasted, timer.After)
		}
		// One that slept is woken by the timer.
		if timer.After > 0 && lasted > timer.After+slack && e.Actor != fsm.Clock {
			a.violated(waitsBounded, "%s lasted for %v, and %s is due after %v (or the computer slept)", at.state, lasted, timer.Event,
				timer.After)
		}
	}
}

type placeKey struct {
	region string
	state  states.State
}

type offerKey struct {
	placeKey
	event transitions.Event
}

// says is what the declaration says of events; of the states' kinds and timers; and of what
// users are offered whatever the data is.
type says struct {
	events map[transitions.Event]fsm.Event[transitions.Event]
	kinds  map[placeKey]fsm.Kind
	timers map[placeKey][]fsm.Timer[transitions.Event, states.Data]
	offers map[offerKey]bool
}

var declared = func() says {
	all := says{map[transitions.Event]fsm.Event[transitions.Event]{}, map[placeKey]fsm.Kind{},
		map[placeKey][]fsm.Timer[transitions.Event, states.Data]{}, map[offerKey]bool{}}
	for _, region := range transitions.Declaration().Regions {
		for _, event := range region.Events {
			all.events[event.Name] = event
		}
		for _, state := range region.States {
			at := placeKey{region.Name, state.Name}
			all.kinds[at], all.timers[at] = state.Kind, state.Timers
			for _, offer := range state.Offers {
				all.offers[offerKey{at, offer.Event}] = all.offers[offerKey{at, offer.Event}] || offer.When == nil
			}
		}
	}
	return all
}()

// legal replays the journal.
func (a *audit) legal(journal []fsm.Entry) {
	var found *fsm.ReplayError
	if errors.As(transitions.Definition().Replay(journal), &found) {
		a.number, a.written = found.Index+1, found.Entry
		a.violated(explained, "%s", found.Reason)
	}
}
