package journal

import (
	"cmp"
	"slices"
	"time"

	"mcpproxy/states"
	"mcpproxy/transitions"
)

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

// Rate is the part of the attempts with a known outcome that succeeded, from 0 to 1;
// ok is false where there are none.
func (a Attempts) Rate() (rate float64, ok bool) {
	known := a.Succeeded + a.Failed
	if known == 0 {
		return 0, false
	}
	return float64(a.Succeeded) / float64(known), true
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
	case !transitions.Is(states.Credential, states.State(state), transitions.LoginOpen):
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
