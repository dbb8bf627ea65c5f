package journal

import (
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
	// without a user, Logins those of users.
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

// Refusals counts the refusals of one event.
type Refusals struct {
	Event       string          `json:"event"`
	Disposition fsm.Disposition `json:"disposition"`
	Count       int             `json:"count"`
}

// Count counts a journal. now is the present of a running proxy; it is zero where none
// runs, and then nothing is counted after the last entry.
func Count(upstream string, entries []fsm.Entry, now time.Time) Stats {
	c := &counter{Stats: Stats{Upstream: upstream, States: []StateStats{}, Refusals: []Refusals{}}, reader: NewReader(),
		begun: map[string]time.Time{}}
	for e := range fsm.Unfold(entries) {
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
	if line.NewProcess {
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
