package journal

import (
	"cmp"
	"slices"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// Stats is what the journal of one upstream counts to. Times are in milliseconds.
type Stats struct {
	Upstream string `json:"upstream"`
	// From is the time of the oldest entry, To of the newest or, of a running proxy, now.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Entries counts events, accepted and refused; Processes the proxies that wrote them.
	Entries   int `json:"entries"`
	Processes int `json:"processes"`
	// States stand in the order of their declaration; those never entered are left out.
	States []StateStats `json:"states"`
	// Refreshes are renewals with a refresh token, Grants tokens that are obtained
	// without a person, Logins those of people.
	Refreshes Attempts `json:"refreshes"`
	Grants    Attempts `json:"grants"`
	Logins    Attempts `json:"logins"`
	// Refusals are the refused events, the most frequent first.
	Refusals []Refusals `json:"refusals"`
}

// StateStats is the time that was spent in one state, from the oldest entry on. What a process that died
// without a word spent in its last state is not known and not counted.
type StateStats struct {
	Region  string `json:"region"`
	State   string `json:"state"`
	Entered int    `json:"entered"`
	Total   int64  `json:"total_ms"`
	Longest int64  `json:"longest_ms"`
	// Share is Total's part of the region's counted time, from 0 to 1.
	Share float64 `json:"share"`
	// Now says that the region is in the state.
	Now bool `json:"now,omitempty"`
}

// Attempts are tries at one thing. Begun is the sum of the others.
type Attempts struct {
	Begun     int `json:"begun"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	// Open are under way; Unknown are those whose process ended before they did.
	Open    int `json:"open"`
	Unknown int `json:"unknown"`
	// Median and Longest are of those that ended and whose begin is in the journal.
	Median  int64 `json:"median_ms"`
	Longest int64 `json:"longest_ms"`
	// Endings counts the events that ended them, the most frequent first.
	Endings []Ending `json:"endings"`

	lengths []int64
}

// Ending is an event that ended attempts.
type Ending struct {
	Event string `json:"event"`
	Count int    `json:"count"`
}

// Refusals counts the refusals of one event.
type Refusals struct {
	Event       string          `json:"event"`
	Disposition fsm.Disposition `json:"disposition"`
	Count       int             `json:"count"`
}

// Rate is the part of the attempts with a known outcome that succeeded, from 0 to 1;
// ok is false where there are none.
func (a Attempts) Rate() (rate float64, ok bool) {
	known := a.Succeeded + a.Failed
	if known == 0 {
		return 0, false
	}
	return float64(a.Succeeded) / float64(known), true
}

// Count counts a journal. now is the present of a running proxy; it is zero where none
// runs, and then nothing is counted after the last entry.
func Count(upstream string, entries []fsm.Entry, now time.Time) Stats {
	c := &counter{Stats: Stats{Upstream: upstream, States: []StateStats{}, Refusals: []Refusals{}}, reader: NewReader(), begun: map[string]time.Time{}}
	for _, e := range entries {
		c.window(e)
		c.add(c.reader.Read(e))
	}
	c.finish(now)
	return c.Stats
}

// counter counts the lines of one journal.
type counter struct {
	Stats
	reader *Reader
	// under is the attempt that the credential region is in; nil for none.
	under *Attempts
	// since is when it began, or zero; flow is its login.
	since time.Time
	flow  string
	// begun are logins that outlived their process, by flow.
	begun map[string]time.Time
}

// window has a region be where it is first met since the oldest entry: what is older
// was dropped.
func (c *counter) window(e fsm.Entry) {
	if _, known := c.reader.entered[e.Region]; known || c.Entries == 0 || c.Processes > 1 || c.reader.another(e) {
		return
	}
	c.reader.Entered(e.Region, e.From, c.From)
}

func (c *counter) add(line Line) {
	if c.Entries++; c.Entries == 1 {
		c.From, c.Processes = line.Time, 1
	}
	c.To = line.Time
	if line.Anew {
		c.Processes++
		c.interrupt()
	}
	if line.Refused {
		c.refused(line)
	}
	if line.Disposition != fsm.Moved {
		return
	}
	if states.State(line.To) != states.Closed {
		c.state(line.Region, line.To).Entered++
	}
	if line.InState != nil && *line.InState > 0 {
		c.state(line.Region, line.From).spent(*line.InState)
	}
	if line.Region == states.Credential {
		c.attempt(line)
	}
}

func (c *counter) state(region, state string) *StateStats {
	at := slices.IndexFunc(c.States, func(s StateStats) bool { return s.Region == region && s.State == state })
	if at < 0 {
		at = len(c.States)
		c.States = append(c.States, StateStats{Region: region, State: state})
	}
	return &c.States[at]
}

func (s *StateStats) spent(ms int64) {
	s.Total += ms
	s.Longest = max(s.Longest, ms)
}

func (c *counter) refused(line Line) {
	at := slices.IndexFunc(c.Refusals, func(r Refusals) bool { return r.Event == line.Event && r.Disposition == line.Disposition })
	if at < 0 {
		at = len(c.Refusals)
		c.Refusals = append(c.Refusals, Refusals{Event: line.Event, Disposition: line.Disposition})
	}
	c.Refusals[at].Count++
}

// attempt follows the credential region into refreshes, grants and logins, and out.
func (c *counter) attempt(line Line) {
	from, to := c.kind(line.From, line.Event), c.kind(line.To, line.Event)
	switch {
	case from != nil && to != nil && from.ongoing(line):
		// Another state of the same login.
	case from != nil:
		c.end(line)
		fallthrough
	default:
		c.begin(to, line)
	}
}

// ongoing reports whether a move stays within one attempt: a login's states follow
// each other.
func (a *Attempts) ongoing(line Line) bool {
	return line.From != string(states.Refreshing) && line.To != string(states.Refreshing)
}

// kind is what a state of the credential region is an attempt at; nil for nothing.
func (c *counter) kind(state, event string) *Attempts {
	switch {
	case state == string(states.Refreshing):
		return &c.Refreshes
	case !states.State(state).LoginOpen():
		return nil
	case c.under == &c.Grants || c.under == &c.Logins:
		return c.under
	}
	switch transitions.Event(event) {
	case transitions.GrantDue, transitions.GrantRenewDue, transitions.GrantRetryDue, transitions.RetryRequested, transitions.TokenGranted:
		return &c.Grants
	}
	return &c.Logins
}

func (c *counter) begin(at *Attempts, line Line) {
	c.under, c.since, c.flow = at, line.Time, line.Flow
	if at == nil {
		return
	}
	if begun, resumed := c.begun[line.Flow]; resumed && line.Flow != "" {
		// The login of before the restart goes on.
		delete(c.begun, line.Flow)
		c.since = begun
		at.Unknown--
		return
	}
	at.Begun++
}

// end takes what the move says of the attempt that it leaves.
func (c *counter) end(line Line) {
	at := c.under
	if at == nil { // its begin was dropped from the journal
		at = c.kind(line.From, line.Event)
		at.Begun++
		c.since = time.Time{}
	}
	if transitions.Event(line.Event) == transitions.CredentialShutdown {
		c.interrupt()
		return
	}
	switch transitions.Event(line.Event) {
	case transitions.Refreshed, transitions.CodeExchanged, transitions.TokenGranted:
		at.Succeeded++
	default:
		at.Failed++
	}
	if !c.since.IsZero() {
		at.lengths = append(at.lengths, line.Time.Sub(c.since).Milliseconds())
	}
	ending := slices.IndexFunc(at.Endings, func(e Ending) bool { return e.Event == line.Event })
	if ending < 0 {
		ending = len(at.Endings)
		at.Endings = append(at.Endings, Ending{Event: line.Event})
	}
	at.Endings[ending].Count++
	c.under = nil
}

// interrupt ends what is under way without an outcome; a login may go on later.
func (c *counter) interrupt() {
	if c.under == nil {
		return
	}
	c.under.Unknown++
	if c.under == &c.Logins && c.flow != "" {
		c.begun[c.flow] = c.since
	}
	c.under = nil
}

func (c *counter) finish(now time.Time) {
	if !now.IsZero() && c.Entries > 0 {
		c.To = now
		for region, at := range c.reader.entered {
			s := c.state(region, at.state)
			s.spent(now.Sub(at.at).Milliseconds())
			s.Now = true
		}
		if c.under != nil {
			c.under.Open++
			c.under = nil
		}
	}
	c.interrupt()
	whole := map[string]int64{}
	for _, s := range c.States {
		whole[s.Region] += s.Total
	}
	for i := range c.States {
		if s := &c.States[i]; whole[s.Region] > 0 {
			s.Share = float64(s.Total) / float64(whole[s.Region])
		}
	}
	order := declared()
	slices.SortFunc(c.States, func(a, b StateStats) int {
		return order[a.Region+" "+a.State] - order[b.Region+" "+b.State]
	})
	slices.SortStableFunc(c.Refusals, func(a, b Refusals) int { return b.Count - a.Count })
	for _, a := range []*Attempts{&c.Refreshes, &c.Grants, &c.Logins} {
		a.finish()
	}
}

func (a *Attempts) finish() {
	slices.Sort(a.lengths)
	if n := len(a.lengths); n > 0 {
		a.Median, a.Longest = a.lengths[n/2], a.lengths[n-1]
	}
	a.Endings = slices.SortedStableFunc(slices.Values(a.Endings), func(x, y Ending) int { return cmp.Compare(y.Count, x.Count) })
	if a.Endings == nil {
		a.Endings = []Ending{}
	}
}

// declared is the place of each state in the declaration.
func declared() map[string]int {
	order := map[string]int{}
	for _, region := range transitions.Definition().Graph().Regions {
		for _, state := range region.States {
			order[region.Name+" "+state.Name] = len(order)
		}
	}
	return order
}
