package verify

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// kept is what the monitors remember over restarts, as the store does.
type kept struct {
	at time.Time
	// loggedOut: a user was told so, and none has asked for a login since.
	loggedOut bool
	// generation is the token's that is known, 0 for none; spent is the newest whose refresh
	// token is of no more use, and lost how often the answer to the present one was lost.
	generation, spent uint64
	lost              int
}

// memory is what they remember of one life.
type memory struct {
	// flow is the open login's id, where it is known.
	flow string
	// works: requests can be sent as things are, beside a login too.
	works bool
	// rejected: the last token was refused as new. unusable: the entry of the configuration.
	rejected, unusable  bool
	proposals, refusals []time.Time
}

// generations finds what a note says of tokens: that one came, or that it is spoken of.
var generations = regexp.MustCompile(`(token )?generation ([0-9]+)`)

func generationIn(note string) (generation uint64, came bool) {
	found := generations.FindStringSubmatch(note)
	if found == nil {
		return 0, false
	}
	generation, _ = strconv.ParseUint(found[2], 10, 64) // too long a number is none
	return generation, found[1] != ""
}

// remember judges what an accepted event means after those before it.
func (a *audit) remember(e *fsm.Entry) {
	if e.Region != states.Credential {
		a.judgeUnusable(e)
		return
	}
	if e.Event == string(transitions.LoginRequested) && !e.Disposition.Refused() && e.Disposition != fsm.Ignored {
		a.kept.loggedOut = false
	}
	if !counts(e) {
		return
	}
	a.judgeUnusable(e)
	a.judgeFlow(e)
	a.judgeKept(e)
	a.judgeLimits(e)
	a.judgeToken(e)
	if e.Disposition == fsm.Moved {
		a.judgeLogout(e)
	}
}

func (a *audit) judgeUnusable(e *fsm.Entry) {
	m, to := &a.life.fresh, states.State(e.To)
	m.unusable = m.unusable || e.Event == string(transitions.EntryInvalid) && e.Disposition == fsm.Moved
	works := declared.kinds[placeKey{e.Region, to}] == fsm.Working
	if m.unusable && e.Disposition == fsm.Moved && works && to != states.LoadingToken && to != states.LoggingOut {
		a.violated(unusableRests, "%s is entered, and the entry cannot be used", to)
	}
}

// judgeFlow holds a login to the one flow that it has.
func (a *audit) judgeFlow(e *fsm.Entry) {
	m, from, to := &a.life.fresh, states.State(e.From), states.State(e.To)
	open, opens := transitions.Is(states.Credential, from, transitions.LoginOpen), transitions.Is(states.Credential, to, transitions.LoginOpen)
	asks := e.Event == string(transitions.LoginRequested) || e.Event == string(transitions.LoginProposed)
	if open && !asks && m.flow != "" && e.Flow != "" && e.Flow != m.flow {
		a.violated(oneFlow, "%s of the login %s was %s, and %s is open", e.Event, e.Flow, e.Disposition, m.flow)
	}
	switch {
	case !opens:
		m.flow = ""
	case !open:
		m.flow = e.Flow
	}
}

// judgeKept holds the end of a login to what worked beside it.
func (a *audit) judgeKept(e *fsm.Entry) {
	m, event := &a.life.fresh, transitions.Event(e.Event)
	is := told{event: event, from: states.State(e.From), to: states.State(e.To), moved: e.Disposition == fsm.Moved}
	if m.works && is.givesUp() {
		a.violated(worksKept, "%s ended a login in %s, and what worked beside it is given up", event, is.to)
	}
	switch event {
	case transitions.TokenLapsed, transitions.TokenRefused, transitions.TokenRejected, transitions.Challenged:
		m.works = false
	case transitions.FlowBesideToken, transitions.DeviceFlowBesideToken:
		m.works = true
	default:
		if is.moved && !transitions.Is(states.Credential, is.to, transitions.Obtaining) {
			m.works = is.to == states.Fresh || is.to == states.Anonymous
		}
	}
}

// judgeLimits counts what is bounded.
func (a *audit) judgeLimits(e *fsm.Entry) {
	m, settings := &a.life.fresh, states.DefaultSettings()
	if e.Disposition != fsm.Moved || a.counted {
		return
	}
	switch transitions.Event(e.Event) {
	case transitions.LoginProposed:
		if m.proposals = within(m.proposals, e.Time, time.Hour); len(m.proposals) > settings.BrowserBudget {
			a.violated(personOpens, "the machine began %d logins in an hour", len(m.proposals))
		}
		if a.kept.loggedOut {
			a.violated(logoutIsFinal, "the machine began a login after a user had logged out")
		}
	case transitions.TokenRefused:
		if m.refusals = within(m.refusals, e.Time, settings.ForcedWindow); len(m.refusals) > settings.ForcedRefreshes {
			a.violated(boundedRefreshes, "%d refusals caused a refresh within %v", len(m.refusals), settings.ForcedWindow)
		}
	case transitions.GrantDue:
		if m.rejected {
			a.violated(boundedRefreshes, "a token is asked for again after the server refused one as new")
		}
	}
	m.rejected = e.Event == string(transitions.TokenRejected)
	for reason := range asksForNothing { // of a token that only counts as over
		m.rejected = m.rejected && !strings.Contains(e.Note, string(reason))
	}
}

// judgeRound counts what is bounded in a round that is only counted, when each of them came
// not being known.
func (a *audit) judgeRound(round []fsm.Entry, again *fsm.Again) {
	settings, lasted := states.DefaultSettings(), again.Last.Sub(round[0].Time)
	for _, bound := range []struct {
		promise string
		event   transitions.Event
		most    int
		window  time.Duration
	}{
		{personOpens, transitions.LoginProposed, settings.BrowserBudget, time.Hour},
		{boundedRefreshes, transitions.TokenRefused, settings.ForcedRefreshes, settings.ForcedWindow},
	} {
		each := 0
		for i := range round {
			if round[i].Event == string(bound.event) && round[i].Disposition == fsm.Moved {
				each++
			}
		}
		if most := float64(bound.most) * float64(lasted/bound.window+1); float64(each)*(float64(again.Times)+1) > most {
			a.violated(bound.promise, "%s came %d times and again in %v", bound.event, again.Times, lasted)
		}
	}
}

// within are the times of the window that ends now, with now.
func within(times []time.Time, now time.Time, window time.Duration) []time.Time {
	var recent []time.Time
	for _, at := range times {
		if at.After(now.Add(-window)) {
			recent = append(recent, at)
		}
	}
	return append(recent, now)
}

// judgeToken follows the generations: of what is in use, and of what was spent.
func (a *audit) judgeToken(e *fsm.Entry) {
	k, event := &a.kept, transitions.Event(e.Event)
	if a.counted {
		k.generation, k.lost = 0, 0
		return
	}
	generation, came := generationIn(e.Note)
	if of := generation; of != 0 && !came && k.generation != 0 && of != k.generation && aboutCurrent[event] {
		a.violated(currentToken, "%s speaks of generation %d, and the current one is %d", event, of, k.generation)
	}
	if e.To == string(states.Refreshing) && e.Disposition == fsm.Moved && k.generation != 0 {
		switch {
		case k.generation <= k.spent:
			a.violated(noReuse, "the refresh token of generation %d is sent, and it is spent", k.generation)
		case k.lost > 1:
			a.violated(noReuse, "the refresh token of generation %d is sent for the third time", k.generation)
		}
	}
	if e.From == string(states.Refreshing) && e.Disposition == fsm.Moved {
		switch event {
		case transitions.Refreshed, transitions.RefreshRejected, transitions.RefreshTokenLost, transitions.ClientForgotten:
			k.spent = max(k.spent, k.generation, lostWith(event, generation))
		case transitions.RefreshUncertain, transitions.TokenUncertain:
			k.lost++
		}
	}
	if came && generation != k.generation {
		k.generation, k.lost = generation, 0
	}
}

// lostWith is the generation that is spent with the one before it: an answer without a
// refresh token that can be used leaves none.
func lostWith(event transitions.Event, generation uint64) uint64 {
	if event == transitions.RefreshTokenLost {
		return generation
	}
	return 0
}

// aboutCurrent are the events that speak of a token, and are heard of the current one only.
var aboutCurrent = map[transitions.Event]bool{transitions.TokenAccepted: true, transitions.TokenRefused: true,
	transitions.TokenRejected: true, transitions.ScopeInsufficient: true}

func (a *audit) judgeLogout(e *fsm.Entry) {
	to := states.State(e.To)
	if a.kept.loggedOut && (to == states.Fresh || transitions.Is(states.Credential, to, transitions.Obtaining)) {
		a.violated(logoutIsFinal, "%s leads to %s after a confirmed logout, and nobody asked for a login", e.Event, to)
	}
	if to == states.LoggedOut {
		a.kept.loggedOut = true
		a.kept.generation = 0
	}
}
