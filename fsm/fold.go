package fsm

import (
	"hash/maphash"
	"iter"
	"time"
	"unicode"
)

// Again says that a round of entries has come again and again: the same events, from and
// to the same states, with epochs and numbers that count on as evenly. Only times, and
// numbers in notes, are others.
type Again struct {
	// Round is how many entries it has, up to the one that bears this.
	Round int `json:"round"`
	// Times is how often it came again.
	Times uint64 `json:"times"`
	// Last is when it came last, Note what its last entry noted then.
	Last time.Time `json:"last"`
	Note string    `json:"note,omitempty"`
}

// longestRound bounds the entries of a round.
const longestRound = 16

// Fold finds the rounds in one machine's journal, so that what fails again and again is
// one round that says how often, however long that goes on. The zero value has seen
// nothing. It belongs to one goroutine.
type Fold struct {
	seed   maphash.Seed
	recent [longestRound]trait // of the last entries, the newest last
	seen   int
	last   Entry // the last one that was written
	epochs map[string]uint64

	// Where entries are as they were a round before: how many of the next one have come,
	// and how often a whole one.
	round int
	held  []Entry
	again Again
	told  uint64 // the count that was written
}

// trait is what has to be the same in the next round.
type trait struct {
	hash  uint64
	begin begin
}

// begin is how an entry may begin a round.
type begin uint8

const (
	within  begin = iota // raised by another one
	byOther              // where the clock has no part in it
	byClock
)

// Written is what an entry adds to a journal. Where In is set, the first of Entries stands
// in the place of the journal's last entry; it is that one, with the count of its round.
type Written struct {
	Entries []Entry
	In      bool
}

// Add takes the next entry and returns what is to be written now. again reports that it is
// as a round before. What is held back is written when another entry comes, and a count
// each time that it has doubled, so that a life which breaks off loses little.
func (f *Fold) Add(e Entry) (w Written, again bool) {
	t := f.trait(&e)
	if f.round > 0 && t != f.recent[longestRound-f.round] {
		w = f.end()
	}
	if f.round == 0 {
		f.round = f.roundThatBegins(t)
	}
	f.push(t)
	if f.round > 0 {
		return w.then(f.hold(e)), true
	}
	f.last = e
	w.Entries = append(w.Entries, e)
	return w, false
}

// then is what both write.
func (w Written) then(next Written) Written {
	switch {
	case len(w.Entries) == 0:
		return next
	case next.In:
		w.Entries[len(w.Entries)-1] = next.Entries[0]
		next.Entries = next.Entries[1:]
	}
	w.Entries = append(w.Entries, next.Entries...)
	return w
}

// hold keeps an entry of a round that comes again.
func (f *Fold) hold(e Entry) (w Written) {
	f.held = append(f.held, e)
	if len(f.held) < f.round {
		return w
	}
	f.again.Round, f.again.Last, f.again.Note = f.round, e.Time, ""
	if e.Note != f.last.Note {
		f.again.Note = e.Note
	}
	f.again.Times++
	clear(f.held)
	f.held = f.held[:0]
	if f.again.Times >= 2*f.told {
		w = f.tell()
	}
	return w
}

// tell has the count written.
func (f *Fold) tell() Written {
	f.told = f.again.Times
	counted, again := f.last, f.again
	counted.Again = &again
	return Written{Entries: []Entry{counted}, In: true}
}

// end is for an entry that is another than the round's next one.
func (f *Fold) end() (w Written) {
	if f.again.Times > f.told {
		w = f.tell()
	}
	if n := len(f.held); n > 0 {
		w.Entries = append(w.Entries, f.held...)
		f.last = f.held[n-1]
	}
	f.seen = len(f.held) // what was counted is not there to be referred to
	f.round, f.held, f.again, f.told = 0, nil, Again{}, 0
	return w
}

// Held is what is not written yet, in the form of [Fold.Add]'s.
func (f *Fold) Held() (w Written) {
	if f.again.Times > f.told {
		counted, again := f.last, f.again
		counted.Again = &again
		w = Written{Entries: []Entry{counted}, In: true}
	}
	w.Entries = append(w.Entries, f.held...)
	return w
}

// Times is how often the present round has come again.
func (f *Fold) Times() uint64 { return f.again.Times }

func (f *Fold) push(t trait) {
	copy(f.recent[:], f.recent[1:])
	f.recent[longestRound-1] = t
	f.seen++
}

// roundThatBegins is the length of the round that an entry may begin again, or 0. One in
// which the clock has a part begins with the clock.
func (f *Fold) roundThatBegins(t trait) int {
	if t.begin == within {
		return 0
	}
	for n := 1; n <= min(f.seen, longestRound); n++ {
		switch earlier := f.recent[longestRound-n]; {
		case earlier == t:
			return n
		case earlier.begin == byClock && t.begin != byClock:
			return 0
		}
	}
	return 0
}

// shifted is what an entry of a round is when the round comes for the nth time again.
func shifted(e Entry, round []Entry, n uint64) Entry {
	counted, moved, moves := uint64(0), uint64(0), false
	for i := range round {
		if round[i].Disposition.counts() {
			counted++
		}
		if round[i].Disposition == Moved {
			moved++
			moves = moves || round[i].Region == e.Region
		}
	}
	e.Sequence += n * counted
	if moves { // an epoch is given to each entry of a state, whatever its region
		e.Epoch += n * moved
	}
	e.Again = nil
	return e
}

// Unfold returns the entries of a journal with each round as often as it came. Those that
// the journal only counts have their times spread evenly.
func Unfold(journal []Entry) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for i := range journal {
			e, again := journal[i], journal[i].Again
			e.Again = nil
			if !yield(e) {
				return
			}
			if again == nil || again.Round < 1 || again.Times < 1 || again.Round > i+1 {
				continue // the round's beginning was dropped, or it is damaged
			}
			round := journal[i+1-again.Round : i+1]
			pause := again.Last.Sub(e.Time) / time.Duration(again.Times)
			for n := uint64(1); n <= again.Times; n++ {
				for _, member := range round {
					next := shifted(member, round, n)
					next.Time = next.Time.Add(time.Duration(n) * pause)
					if !yield(next) {
						return
					}
				}
			}
		}
	}
}

// trait reduces an entry to what has to be the same: numbers to their distance from those
// of the entry before.
func (f *Fold) trait(e *Entry) trait {
	if f.epochs == nil {
		f.seed, f.epochs = maphash.MakeSeed(), map[string]uint64{}
	}
	var h maphash.Hash
	h.SetSeed(f.seed)
	words := [...]string{
		e.Region, e.Event, string(e.Actor), e.From, e.To,
		string(e.Disposition), e.Guard, e.Reason, e.RaisedBy, e.Flow,
	}
	for _, text := range words {
		_, _ = h.WriteString(text)
		_ = h.WriteByte(0)
	}
	maphash.WriteComparable(&h, e.Epoch-f.epochs[e.Region])
	f.epochs[e.Region] = e.Epoch
	writeShape(&h, e.Note)
	t := trait{hash: h.Sum64()}
	switch {
	case e.RaisedBy != "":
	case e.Actor == Clock:
		t.begin = byClock
	default:
		t.begin = byOther
	}
	return t
}

// writeShape writes a text without the words that have digits: times, ports and the like
// are others each time.
func writeShape(h *maphash.Hash, text string) {
	word, numbered := 0, false
	for i, c := range text {
		switch {
		case unicode.IsDigit(c):
			numbered = true
		case c == ' ':
			if !numbered {
				_, _ = h.WriteString(text[word:i])
			}
			_ = h.WriteByte(' ')
			word, numbered = i+1, false
		}
	}
	if !numbered {
		_, _ = h.WriteString(text[word:])
	}
}
