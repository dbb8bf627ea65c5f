package verify

import (
	"fmt"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// Monitor is a promise as a journal can show that it was broken.
type Monitor struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
	// Undecidable is why no journal can show it; empty mostly. Entries hold neither tokens
	// nor other data.
	Undecidable string `json:"undecidable,omitempty"`
}

// Finding is the first entry of one upstream's journal that breaks a promise.
type Finding struct {
	Promise string `json:"promise"`
	Why     string `json:"why"`
	// Number of the entry in the upstream's journal, from 1.
	Number int       `json:"number"`
	Entry  fsm.Entry `json:"entry"`
}

// Audit judges one upstream's journal, over all restarts that are in it, by each [Monitor];
// of each it returns the first finding at most. The journal may begin anywhere and break off
// anywhere: what is not in it is not judged, nor is the end of its last step, which may be
// missing. Monitors assume the default limits of [states.DefaultSettings].
func Audit(journal []fsm.Entry) []Finding {
	a := &audit{found: map[string]bool{}}
	for i, e := range journal {
		a.number, a.written = i+1, e
		a.take(e)
		a.repeat(journal[:i+1])
	}
	a.legal(journal)
	return a.findings
}

// repeat takes the round that the last entry says has come again: once, as all that come
// are alike, and what follows says how many there were and when.
func (a *audit) repeat(journal []fsm.Entry) {
	last := &journal[len(journal)-1]
	if last.Again == nil || last.Again.Round < 1 || last.Again.Times < 1 {
		return
	}
	if last.Again.Round > len(journal) { // its beginning was dropped; the next entry says where the machine is
		a.life = life{begun: true, leapt: true, sequence: last.Sequence, last: last.Epoch, regions: map[string]standing{}}
		a.kept.generation, a.kept.lost = 0, 0
		return
	}
	round := append([]fsm.Entry{}, journal[len(journal)-last.Again.Round:]...)
	a.judgeRound(round, last.Again)
	once := *last.Again
	once.Times = 1
	for i := range round {
		round[i].Again = nil
	}
	round[len(round)-1].Again = &once
	n := 0
	a.counted = true
	for e := range fsm.Unfold(round) {
		if n++; n > len(round) { // the round itself was taken
			a.take(e)
		}
	}
	a.counted, a.kept.at = false, last.Again.Last
	a.life.leapt, a.life.fresh.proposals, a.life.fresh.refusals = true, nil, nil
	for region, at := range a.life.regions {
		at.epoch, at.since.Time = 0, time.Time{}
		a.life.regions[region] = at
	}
}

// audit is a machine as far as its journal tells, and what the monitors remember of it.
type audit struct {
	findings []Finding
	found    map[string]bool
	// number and written are the entry that is being judged.
	number  int
	written fsm.Entry
	// counted: it is of a round that is only counted, whose notes had other numbers.
	counted bool

	// life is what a restart forgets, kept what it does not.
	life life
	kept kept
}

// life is one life of a machine. A region that has had no entry yet is not in it.
type life struct {
	begun bool
	// leapt: entries were left out, so that the next one's numbers say how many.
	leapt          bool
	sequence, last uint64 // the number and the greatest epoch so far
	regions        map[string]standing
	step           *asked // the step whose end is still to come
	fresh          memory
}

// standing is where a region is, and since which entry.
type standing struct {
	state states.State
	epoch uint64
	since fsm.Entry
}

// asked is the event that began a step, and where the credential was.
type asked struct {
	entry fsm.Entry
	was   states.State
	kept  bool
}

func (a *audit) violated(promise, format string, args ...any) {
	if !a.found[promise] {
		a.found[promise] = true
		a.findings = append(a.findings, Finding{Promise: promise, Why: fmt.Sprintf(format, args...), Number: a.number, Entry: a.written})
	}
}

// counts reports whether the machine was changed.
func counts(e *fsm.Entry) bool { return e.Disposition == fsm.Moved || e.Disposition == fsm.Updated }

// take judges the next entry.
func (a *audit) take(e fsm.Entry) {
	if l := &a.life; !l.begun || e.Sequence < l.sequence || e.Sequence == l.sequence && counts(&e) {
		*l = life{begun: true, regions: map[string]standing{}}
	}
	if e.RaisedBy == "" {
		a.stepEnds()
		a.life.step = &asked{entry: e, was: a.state(states.Credential)}
	}
	if s := a.life.step; s != nil && e.Disposition == fsm.Postponed && e.Event == s.entry.Event {
		s.kept = true
	}
	a.judge(&e)
	a.remember(&e)
	a.life.sequence, a.life.last, a.life.leapt = e.Sequence, max(a.life.last, e.Epoch), false
	if e.Region != "" {
		at := a.life.regions[e.Region]
		if e.Disposition == fsm.Moved {
			at.since = e
		}
		at.state, at.epoch = states.State(e.To), e.Epoch
		a.life.regions[e.Region] = at
	}
}

func (a *audit) state(region string) states.State { return a.life.regions[region].state }

// stepEnds judges where the step that the entries so far were has led.
func (a *audit) stepEnds() {
	connection, credential := a.state(states.Connection), a.state(states.Credential)
	if a.life.step == nil || connection == "" || credential == "" {
		return
	}
	if text := regionsUntruth(connection, credential); text != "" {
		a.violatedBefore(truthful, "%s", text)
	}
	s := a.life.step
	if s.entry.Actor != fsm.Person || s.was == "" || connection == states.Closed || s.entry.Disposition == fsm.Vetoed ||
		s.entry.Guard == "entryUsable" {
		return
	}
	r := request{event: transitions.Event(s.entry.Event), was: s.was, connection: connection, credential: credential,
		refused: s.entry.Disposition.Refused(), kept: s.kept}
	if !r.granted() {
		a.violatedBefore(personDecides, "%s in %s was %s, and led to %s", r.event, r.was, s.entry.Disposition, credential)
	}
}

// violatedBefore is violated by the step before the present entry, named by its first.
func (a *audit) violatedBefore(promise, format string, args ...any) {
	number, written := a.number, a.written
	a.number, a.written = a.number-1, a.life.step.entry
	a.violated(promise, format, args...)
	a.number, a.written = number, written
}
