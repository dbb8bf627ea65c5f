package transitions

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
)

// Guard is a guard of an upstream's machine.
type Guard = fsm.Guard[Event, states.Data, Payload]

// Why guards refuse; match with errors.Is.
var (
	ErrNotPerson       = errors.New("only a user may ask for this")
	ErrLoginNotAllowed = errors.New("the machine may not open a browser by itself (oauth.login is not \"automatic\")")
	ErrBrowserLimit    = errors.New("the machine began a login by itself a short while ago")
	ErrOldGeneration   = errors.New("the token that this speaks of is not the current one; use the current one")
	ErrNoRefreshToken  = errors.New("there is no refresh token")
	ErrOtherFlow       = errors.New("this belongs to a login that is over")
	ErrOnlyFinished    = errors.New("the login is being finished, which takes a moment and can no longer be given up; log out afterwards " +
		"instead")
	ErrPersonNeeded   = errors.New("the configured grant needs a user")
	ErrTokensRejected = errors.New("the server refuses tokens that were issued just now; another one would not help")
	ErrTokenReplaced  = errors.New("there is no token that works; the outcome of what replaces it is the answer")
	ErrTriedJustNow   = errors.New("the last attempt was made just now")
	ErrNoScopeMissing = errors.New("there is a token, and no call was refused for a scope that it lacks")
	ErrEntryInvalid   = errors.New("the upstream's entry in the configuration cannot be used")
	ErrScopesAsked    = errors.New("the last login asked for these scopes already and they were not granted")
)

var (
	byPerson = Guard{
		Name: "byPerson",
		Doc:  "someone asked for it just now",
		Check: func(_ states.Data, in *Input) error {
			if in.Actor != fsm.Person {
				return fmt.Errorf("%w, and this came from the %s", ErrNotPerson, in.Actor)
			}
			return nil
		},
	}
	entryUsable = Guard{
		Name: "entryUsable",
		Doc:  "the entry in the configuration can be used",
		Check: func(d states.Data, _ *Input) error {
			if d.Settings.Problem != "" {
				return fmt.Errorf("%w: %s", ErrEntryInvalid, d.Settings.Problem)
			}
			return nil
		},
	}
	unattended = Guard{
		Name: "unattended",
		Doc:  "the configured grant needs no user",
		Check: func(d states.Data, _ *Input) error {
			if !d.Settings.Unattended {
				return ErrPersonNeeded
			}
			return nil
		},
	}
	tokensTaken = Guard{
		Name: "tokensTaken",
		Doc:  "the server did not refuse the last token of the grant",
		Check: func(d states.Data, _ *Input) error {
			if d.Reason == states.TokenRejected {
				return ErrTokensRejected
			}
			return nil
		},
	}
	automaticLogin = Guard{
		Name: "automaticLogin",
		Doc:  "the configuration lets the machine open a browser",
		Check: func(d states.Data, _ *Input) error {
			if !d.Settings.AutomaticLogin {
				return ErrLoginNotAllowed
			}
			return nil
		},
	}
	browserLimit = Guard{
		Name: "browserLimit",
		Doc:  "the machine's own logins of the last hour are few, and the last one long ago or successful",
		Check: func(d states.Data, in *Input) error {
			if n := len(d.RecentProposals(in.At)); n >= d.Settings.BrowserBudget {
				return fmt.Errorf("%w (%d times in the last hour, at most %d); `auth login` opens it at once", ErrBrowserLimit, n,
					d.Settings.BrowserBudget)
			}
			if since := in.At.Sub(d.ProposedAt); !d.ProposedAt.IsZero() && since < d.Settings.BrowserInterval {
				return fmt.Errorf("%w (%s ago, at most one in %s); `auth login` opens it at once",
					ErrBrowserLimit, since.Round(time.Second), d.Settings.BrowserInterval)
			}
			return nil
		},
	}
	currentGeneration = Guard{
		Name: "currentGeneration",
		Doc:  "the event speaks of the current token",
		Check: func(d states.Data, in *Input) error {
			if d.Token == nil || in.Payload.Generation != d.Token.Generation {
				return fmt.Errorf("%w (generation %d, current %d)", ErrOldGeneration, in.Payload.Generation, d.Generation)
			}
			return nil
		},
	}
	tokenWorks = Guard{
		Name: "tokenWorks",
		Doc:  "there is a token that has not expired and was not refused, or the server has not asked for one",
		Check: func(d states.Data, in *Input) error {
			if !d.TokenUsable(in.At) && !d.WorksWithout() {
				return ErrTokenReplaced
			}
			return nil
		},
	}
	attemptDue = Guard{
		Name: "attemptDue",
		Doc:  "the last attempt was a while ago, and the authorization server asked for no longer pause",
		Check: func(d states.Data, in *Input) error {
			if at := d.SoonestAttempt(wantedPause); in.At.Before(at) {
				return fmt.Errorf("%w; the next one may be at %s", ErrTriedJustNow, at.UTC().Format(time.RFC3339))
			}
			return nil
		},
	}
	connectionDue = Guard{
		Name: "connectionDue",
		Doc:  "the last attempt to connect was a while ago, and the server asked for no longer pause",
		Check: func(d states.Data, in *Input) error {
			if at := MayConnectAt(&d); in.At.Before(at) {
				return fmt.Errorf("%w; the next one may be at %s", ErrTriedJustNow, at.UTC().Format(time.RFC3339))
			}
			return nil
		},
	}
	hasRefreshToken = Guard{
		Name: "hasRefreshToken",
		Doc:  "a refresh token lies beside the access token",
		Check: func(d states.Data, _ *Input) error {
			if !d.Token.HasRefresh() {
				return ErrNoRefreshToken
			}
			return nil
		},
	}
	scopesMissing = Guard{
		Name: "scopesMissing",
		Doc:  "a call was refused for scopes that no login has asked for yet",
		Check: func(d states.Data, _ *Input) error {
			if d.Token == nil || len(d.Scopes) == 0 {
				return ErrNoScopeMissing
			}
			if d.Token.Requested(d.Scopes) {
				return fmt.Errorf("%w: %q", ErrScopesAsked, strings.Join(d.Scopes, " "))
			}
			return nil
		},
	}
	ownJob = Guard{
		Name: "ownJob",
		Doc:  "the state's own job says so",
		Check: func(_ states.Data, in *Input) error {
			if in.Epoch == 0 {
				return ErrOnlyFinished
			}
			return nil
		},
	}
	openFlow = Guard{
		Name: "openFlow",
		Doc:  "the event belongs to the login that is open",
		Check: func(d states.Data, in *Input) error {
			if !d.HasFlow(in.Flow) {
				return fmt.Errorf("%w (flow %s); open is flow %s", ErrOtherFlow, in.Flow, d.FlowID)
			}
			return nil
		},
	}
)
