package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"

	"github.com/google/uuid"
)

// Progress is told to whoever began or joined a login.
type Progress struct {
	// Flow is the authorization flow's id.
	Flow string
	// URL is the page that the user has to visit. It is for the user's eyes.
	URL string
	// Shown says what became of showing the page; not while the browser is being opened.
	Shown states.Shown
	// Deadline is until when the login can be completed.
	Deadline time.Time
	// Since is the generation of the token that was there when the login began.
	Since uint64
}

// ErrNoLogin says that an upstream has no login.
var ErrNoLogin = errors.New("no login is needed")

// LoginError says why a login ended without a token.
type LoginError struct {
	Upstream string
	Flow     string
	State    states.State
	Reason   states.Reason
	Detail   string
}

func (e *LoginError) Error() string {
	text := fmt.Sprintf("%s: not logged in (%s).", e.Upstream, e.State)
	why, detail := e.Reason.Doc(), sentence(e.Detail)
	if strings.HasPrefix(detail, strings.TrimSuffix(why, ".")) {
		why = "" // the detail says it too
	}
	for _, said := range []string{why, detail, e.Reason.Mend()} {
		if said != "" {
			text += " " + said
		}
	}
	text += " To try again, run: mcpproxy auth login " + e.Upstream
	if e.Flow != "" {
		text += " (flow " + e.Flow + ")"
	}
	return text
}

// sentence makes a text a sentence, if there is one.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + strings.TrimRight(text[1:], ". ") + "."
}

// Login begins a login for a user, or joins the one that is open and shows its
// page again, and waits for the outcome. progress, if not nil, is told the URL as
// soon as it is known and once more when the browser was opened. When ctx ends
// first the login stays open. It returns a [*LoginError] when the login ended
// without a token, and an error that wraps [ErrNoLogin] where there is none.
func (u *Upstream) Login(ctx context.Context, progress func(Progress)) error {
	return u.LoginWith(ctx, LoginOptions{}, progress)
}

// LoginElsewhere is Login for a user whose browser is on another machine: none is
// opened here.
func (u *Upstream) LoginElsewhere(ctx context.Context, progress func(Progress)) error {
	return u.LoginWith(ctx, LoginOptions{Elsewhere: true}, progress)
}

// LoginOptions are what a user may ask for with a login.
type LoginOptions struct {
	// Elsewhere opens no browser here.
	Elsewhere bool
	// Register registers a client for this login, and gives up one that is open: its page
	// may show that the authorization server has forgotten the client.
	Register bool
	// Since, if not nil, is that of a login that was begun in a process that has ended: it
	// is followed if it is open, and done if there is a later token.
	Since *uint64
}

// LoginWith is Login with options.
func (u *Upstream) LoginWith(ctx context.Context, o LoginOptions, progress func(Progress)) error {
	if err := u.mayLogIn(ctx); err != nil {
		return err
	}
	if o.Since != nil {
		switch s := u.Snapshot(); {
		case s.Data.Token != nil && s.Data.Generation > *o.Since:
			return nil
		case s.Region(states.Credential).Is(transitions.LoginOpen):
			return u.awaitLogin(ctx, *o.Since, progress)
		}
	}
	payload := transitions.Payload{NewClient: o.Register}
	if o.Elsewhere {
		payload.Shown.How = states.WantedElsewhere
	}
	if o.Register {
		if err := u.makeRoom(); err != nil {
			return err
		}
	}
	generation := u.Snapshot().Data.Generation
	out, err := u.requestLogin(payload)
	if err != nil {
		return err
	}
	if out.Disposition == fsm.Postponed {
		// What comes first may bring a token too; that is not this login's.
		s, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool {
			state := s.Region(states.Credential).State
			return transitions.Is(states.Credential, state, transitions.LoginOpen) || state == states.Closed
		})
		if err != nil {
			return fmt.Errorf("%s: the login was asked for and has not begun yet (%s): %w", u.config.Name, s.Region(states.Credential).State, err)
		}
		generation = s.Data.Generation
	}
	return u.awaitLogin(ctx, generation, progress)
}

// RequestLogin is Login without the waiting: it returns as soon as it is clear what
// becomes of the request. Its errors are Login's, and the machine's refusals.
func (u *Upstream) RequestLogin(ctx context.Context) (transitions.Outcome, error) {
	if err := u.mayLogIn(ctx); err != nil {
		return transitions.Outcome{}, err
	}
	return u.requestLogin(transitions.Payload{})
}

func (u *Upstream) requestLogin(payload transitions.Payload) (transitions.Outcome, error) {
	return u.request(transitions.RequestLogin, transitions.Input{Flow: uuid.NewString(), Payload: payload})
}

// makeRoom gives up a login that is open, for one with another client.
func (u *Upstream) makeRoom() error {
	if configured := &u.config.OAuth; configured.ClientID != "" {
		return fmt.Errorf("%s: the configuration gives the client %q (oauth.clientId), so that none is registered; log in without --register",
			u.config.Name, configured.ClientID)
	}
	if !u.Snapshot().Region(states.Credential).Is(transitions.LoginOpen) {
		return nil
	}
	_, err := u.CancelLogin()
	return err
}

// mayLogIn says whether the upstream has a login at all, once its store was read.
func (u *Upstream) mayLogIn(ctx context.Context) error {
	if u.config.Problem == "" && !u.config.usesOAuth() {
		return fmt.Errorf("%s: %w (NotNeeded): the configuration gives the credential, or the transport needs none; to connect it, run: "+
			"mcpproxy upstream connect %s", u.config.Name, ErrNoLogin, u.config.Name)
	}
	return u.loaded(ctx)
}

// loaded waits until the store was read, which it causes where nobody has.
func (u *Upstream) loaded(ctx context.Context) error {
	if u.Snapshot().Region(states.Credential).State == states.Unloaded {
		if _, err := u.fire(transitions.Input{Event: transitions.CredentialDemanded, Actor: fsm.Person}); err != nil {
			return err
		}
	}
	_, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool {
		state := s.Region(states.Credential).State
		return state != states.Unloaded && state != states.LoadingToken
	})
	return err
}

// awaitLogin follows the login that is open, or about to be, to its end.
func (u *Upstream) awaitLogin(ctx context.Context, generation uint64, progress func(Progress)) error {
	var told Progress
	over := func(s *transitions.Snapshot) bool { return !s.Region(states.Credential).Is(transitions.LoginOpen) }
	for {
		s, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool { return over(s) || progressOf(s) != told })
		if err != nil {
			return fmt.Errorf("%s: the login is still open (%s) and can be completed until %s: %w",
				u.config.Name, s.Region(states.Credential).State, told.Deadline.Local().Format(time.TimeOnly), err)
		}
		if over(s) {
			return u.loginOutcome(s, generation, told.Flow)
		}
		if told = progressOf(s); progress != nil && told.URL != "" {
			now := told
			now.Since = generation
			progress(now)
		}
	}
}

func progressOf(s *transitions.Snapshot) Progress {
	if !offered(&s.Data) {
		return Progress{}
	}
	p := Progress{Flow: s.Data.Flow.ID, URL: s.Data.Flow.AuthorizationURL.Reveal(), Deadline: s.Data.Flow.Deadline}
	if s.Data.Shown.How != states.Opening {
		p.Shown = s.Data.Shown
	}
	return p
}

func (u *Upstream) loginOutcome(s *transitions.Snapshot, generation uint64, flow string) error {
	if s.Data.Token != nil && s.Data.Generation > generation {
		return nil
	}
	return &LoginError{
		Upstream: u.config.Name,
		Flow:     flow,
		State:    s.Region(states.Credential).State,
		Reason:   cmp.Or(s.Data.Reason, s.Data.Earlier),
		Detail:   s.Data.CredentialError.Text,
	}
}

// CancelLogin gives the open login up.
func (u *Upstream) CancelLogin() (transitions.Outcome, error) {
	given := transitions.Payload{Reason: states.LoginCancelled, Err: errors.New("a user gave the login up")}
	return u.request(transitions.RequestCancel, transitions.Input{Flow: u.Snapshot().Data.FlowID, Payload: given})
}

// propose has the machine begin a login, or a grant, because a call needs it: where the
// configuration allows it and the machine's own limit does.
func (u *Upstream) propose() {
	if event := transitions.Needed(&u.Snapshot().Data); event != "" {
		u.offer(event)
	}
}

// offer fires what nobody asked for: what the graph proposes, and what a call needs. A
// refusal is in the journal.
func (u *Upstream) offer(event transitions.Event) {
	in := transitions.Input{Event: event}
	if event == transitions.LoginProposed {
		in.Flow = uuid.NewString()
	}
	_, _ = u.fire(in)
}
