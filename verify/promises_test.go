package verify_test

import (
	"cmp"
	"errors"
	"slices"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/verify"
)

type (
	row  = fsm.Transition[states.State, transitions.Event, states.Data, transitions.Payload]
	rule = fsm.Rule[states.State, transitions.Event]
	spec = transitions.Spec
)

// mistake is a change of the graph.
type mistake struct {
	promise, is string
	options     verify.Options
	change      func(*spec)
	// whole: it shows only where everything was explored.
	whole bool
}

// wrong are graphs, each with one mistake, and the promise that it breaks first.
var wrong = []mistake{
	{"stale changes nothing", "a handshake of an attempt that was given up counts", verify.Options{ForgetEpoch: transitions.Handshaken}, func(*spec) {}, false},
	{"outcomes are taken", "nobody takes note that an attempt failed", verify.Options{}, func(s *spec) { without(s, states.Connecting, transitions.TransportFailed) }, false},
	{"events mean what they say", "a 401 to the handshake counts as connected", verify.Options{}, func(s *spec) {
		one(s, states.Connecting, transitions.Unauthorized, func(r *row) { r.To = states.Connected })
	}, false},
	{"only requests are kept", "a second response is kept until the first is redeemed", verify.Options{}, func(s *spec) {
		s.Regions[1].Postpones = append(s.Regions[1].Postpones,
			rule{From: []states.State{states.ExchangingCode}, Event: transitions.CodeReceived, Reason: "later"})
	}, false},
	{"only finished", "giving a login up ends the exchange of its code", verify.Options{}, func(s *spec) {
		also(s, states.AwaitingBrowser, transitions.LoginCancelled, states.ExchangingCode)
	}, false},
	{"offers hold", "who is logged out is offered to log out", verify.Options{}, func(s *spec) {
		for i := range s.Regions[1].States {
			if state := &s.Regions[1].States[i]; state.Name == states.LoggedOut {
				state.Offers = append(state.Offers, fsm.Offer[states.State, transitions.Event, states.Data, transitions.Payload]{
					Event: transitions.LogoutRequested, Doc: "logs out"})
			}
		}
	}, false},
	{"one flow", "a response of another login is taken", verify.Options{}, func(s *spec) {
		one(s, states.AwaitingBrowser, transitions.CodeReceived, func(r *row) { r.Guards = nil })
	}, false},
	{"no reuse", "a refresh begins while an earlier one still saves its answer", verify.Options{Jobs: 1}, func(s *spec) {
		for i := range s.Regions[1].States {
			s.Regions[1].States[i].Job.Single = false
		}
	}, false},
	{"stored before used", "a token is used that was not written", verify.Options{}, func(s *spec) {
		before(s, states.Fresh, transitions.RenewDue, func(d states.Data) states.Data {
			token := *d.Token
			token.Access = credential.NewSecret("another")
			d.Token = &token
			return d
		})
	}, false},
	{"a user decides", "anybody may begin a login", verify.Options{}, func(s *spec) {
		one(s, states.LoginRequired, transitions.LoginRequested, func(r *row) { r.Guards = nil })
	}, false},
	{"the current token", "a 401 about an older token rejects the current one", verify.Options{}, func(s *spec) {
		one(s, states.Fresh, transitions.TokenRejected, func(r *row) { r.Guards = nil })
	}, false},
	{"bounded openings", "the machine opens one page after the other", verify.Options{Mode: verify.Automatic}, func(s *spec) {
		one(s, states.LoginRequired, transitions.LoginProposed, func(r *row) { r.Guards = r.Guards[:1] })
	}, false},
	{"bounded refreshes", "a grant is asked for again and again though its tokens are refused", verify.Options{Mode: verify.Unattended}, func(s *spec) {
		one(s, states.LoginRequired, transitions.GrantDue, func(r *row) { r.Guards = r.Guards[:1] })
	}, false},
	{"no needless login", "a token that is refused counts as expired", verify.Options{}, func(s *spec) {
		after(s, states.Fresh, transitions.TokenRejected, func(d states.Data) states.Data {
			d.Reason = states.TokenExpired
			return d
		})
	}, false},
	{"refused changes nothing", "a guard writes into the record that it looks at", verify.Options{Workers: 1}, func(s *spec) {
		one(s, states.AwaitingBrowser, transitions.CodeReceived, func(r *row) {
			r.Guards = append([]transitions.Guard{{Name: "openFlow", Doc: "x", Check: func(d states.Data, in *transitions.Input) error {
				if !d.HasFlow(in.Flow) {
					d.Flow.Deadline = in.At
				}
				return nil
			}}}, r.Guards...)
		})
	}, false},
	{"logout is final", "a request to connect begins a login after a logout", verify.Options{Mode: verify.Automatic}, func(s *spec) {
		unruled(s, states.LoggedOut, transitions.LoginProposed)
		after(s, states.LoginRequired, transitions.LoginProposed, func(d states.Data) states.Data {
			d.FlowID = cmp.Or(d.FlowID, "its own")
			return d
		})
		also(s, states.LoginRequired, transitions.LoginProposed, states.LoggedOut)
		one(s, states.AwaitingLogin, transitions.Connect, func(r *row) {
			r.Signals = append(slices.Clone(r.Signals), transitions.LoginProposed)
		})
	}, false},
	{"a way to Connected", "a token that was granted counts as refused", verify.Options{Mode: verify.Unattended}, func(s *spec) {
		after(s, states.RequestingToken, transitions.TokenGranted, func(d states.Data) states.Data {
			d.Refused = d.Generation
			return d
		})
	}, false},
	{"a way without a user", "a connection that lacks a scope waits for a login, however often its token is renewed", verify.Options{}, func(s *spec) {
		one(s, states.AwaitingLogin, transitions.CredentialReady, func(r *row) {
			r.Guards = append(r.Guards, transitions.Guard{Name: "scopesThere", Doc: "x", Check: func(d states.Data, _ *transitions.Input) error {
				if len(d.Scopes) > 0 {
					return errors.New("a scope is missing")
				}
				return nil
			}})
		})
	}, true},
	{"what is unusable rests", "a login is begun for an entry that cannot be used", verify.Options{Mode: verify.Unusable}, func(s *spec) {
		one(s, states.LoggedOut, transitions.LoginRequested, func(r *row) { r.Guards = r.Guards[:1] })
	}, false},
	{"states are true", "a login that failed gives no reason", verify.Options{}, func(s *spec) {
		after(s, states.AwaitingBrowser, transitions.LoginDenied, func(d states.Data) states.Data {
			d.Reason = ""
			return d
		})
	}, false},
	{"every wait is bounded", "a login has no deadline", verify.Options{}, func(s *spec) {
		for i := range s.Regions[1].States {
			if state := &s.Regions[1].States[i]; state.Name == states.AwaitingBrowser {
				state.Timers = state.Timers[1:]
			}
		}
	}, false},
	{"states are true", "a token that expires while it is being renewed counts as one that works", verify.Options{}, func(s *spec) {
		for i := range s.Regions[1].States {
			if state := &s.Regions[1].States[i]; state.Name == states.RefreshQueued || state.Name == states.RefreshBackoff {
				state.Timers = state.Timers[:1]
			}
		}
	}, false},
	{"what works is kept", "a login that is not completed in time is one that is needed, whatever works beside it", verify.Options{}, func(s *spec) {
		for i := range s.Regions[1].States {
			if state := &s.Regions[1].States[i]; state.Name == states.AwaitingBrowser {
				state.Timers = slices.Clone(state.Timers)
				state.Timers[0].At = func(_ states.Data, entered time.Time) time.Time { return entered.Add(time.Minute) }
			}
		}
	}, false},
	{"calls move", "a 401 to a request without a token is ignored", verify.Options{}, func(s *spec) {
		without(s, states.Anonymous, transitions.Challenged)
		s.Regions[1].Ignores = append(s.Regions[1].Ignores,
			rule{From: []states.State{states.Anonymous}, Event: transitions.Challenged, Reason: "wrong"})
	}, false},
}

// The search finds each mistake, and the promise that it breaks is the one that is named
// for it: docs/requirements.md names promises.
func TestEachPromiseBreaksOnAWrongGraph(t *testing.T) {
	for _, test := range wrong {
		t.Run(test.promise, func(t *testing.T) {
			declared := transitions.Declaration()
			test.change(&declared)
			o := test.options
			if o.Mode == "" {
				o.Mode = verify.Interactive
			}
			if o.Spec, o.Stored = &declared, true; test.whole {
				o.Worlds = most
			} else {
				o.Worlds = 250000
			}
			report, err := verify.Explore(t.Context(), o)
			switch {
			case err != nil:
				t.Fatal(err)
			case report.Counterexample == nil && test.whole && !report.Complete: // under the race detector
			case report.Counterexample == nil:
				t.Errorf("%s, and no promise breaks in %d situations", test.is, report.Worlds)
			case report.Counterexample.Invariant != test.promise:
				t.Errorf("%s, and what breaks is %q: %s", test.is, report.Counterexample.Invariant, report.Counterexample.Why)
			}
		})
	}
	for _, i := range verify.Invariants() {
		if !slices.ContainsFunc(wrong, func(w mistake) bool { return w.promise == i.Name }) {
			t.Errorf("%q has no wrong graph", i.Name)
		}
	}
}

// one changes the row of one state and event alone.
func one(s *spec, from states.State, event transitions.Event, change func(*row)) {
	r := without(s, from, event)
	r.From = []states.State{from}
	change(&r)
	for i := range s.Regions {
		type state = fsm.State[states.State, transitions.Event, states.Data, transitions.Payload]
		if slices.ContainsFunc(s.Regions[i].States, func(state state) bool {
			return state.Name == from
		}) {
			s.Regions[i].Transitions = append(s.Regions[i].Transitions, r)
			return
		}
	}
}

// without takes the row of one state and event away, and returns it.
func without(s *spec, from states.State, event transitions.Event) row {
	for i := range s.Regions {
		for k := range s.Regions[i].Transitions {
			r := &s.Regions[i].Transitions[k]
			if r.Event != event || !slices.Contains(r.From, from) {
				continue
			}
			taken := *r
			r.From = slices.DeleteFunc(slices.Clone(r.From), func(state states.State) bool { return state == from })
			if len(r.From) == 0 {
				s.Regions[i].Transitions = slices.Delete(s.Regions[i].Transitions, k, k+1)
			}
			return taken
		}
	}
	panic("there is no such row")
}

// also has what a row says hold in another state too.
func also(s *spec, from states.State, event transitions.Event, other states.State) {
	for i := range s.Regions {
		for k := range s.Regions[i].Transitions {
			if r := &s.Regions[i].Transitions[k]; r.Event == event && slices.Contains(r.From, from) {
				r.From = append(slices.Clone(r.From), other)
				return
			}
		}
	}
}

// unruled takes away what a region says of an event in a state that no row names.
func unruled(s *spec, from states.State, event transitions.Event) {
	for i := range s.Regions {
		for _, rules := range []*[]rule{&s.Regions[i].Joins, &s.Regions[i].Postpones, &s.Regions[i].Ignores} {
			for k := range *rules {
				if r := &(*rules)[k]; r.Event == event {
					r.From = slices.DeleteFunc(slices.Clone(r.From), func(state states.State) bool { return state == from })
				}
			}
			*rules = slices.DeleteFunc(slices.Clone(*rules), func(r rule) bool { return len(r.From) == 0 })
		}
	}
}

// before and after do something to the data besides the row's update.
func before(s *spec, from states.State, event transitions.Event, do func(states.Data) states.Data) {
	one(s, from, event, func(r *row) {
		update := r.Update
		r.Update = func(d states.Data, in *transitions.Input) states.Data { return update(do(d), in) }
	})
}

func after(s *spec, from states.State, event transitions.Event, do func(states.Data) states.Data) {
	one(s, from, event, func(r *row) {
		update := r.Update
		r.Update = func(d states.Data, in *transitions.Input) states.Data { return do(update(d, in)) }
	})
}
