package upstream

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/callback"
	"mcpproxy/upstream/oauth"
)

// awaitBrowser listens for the browser's return and shows the page: when the
// login begins, and whenever a user asks for it again. A login of before a
// restart is listened for only, as its page is open already.
func (u *Upstream) awaitBrowser(ctx context.Context, order transitions.Order) transitions.Input {
	flow := order.Snapshot.Data.Flow
	defer u.forgetFlow(flow.ID)
	defer u.noteDoubt(flow)
	reservation, err := u.environment.Callback.Reserve(ctx, portOf(flow.RedirectURI))
	if err != nil {
		// Said before the record is looked at: the login is over then.
		_, _ = order.Fire(u.loginEnd(order, transitions.ListenerFailed, states.ListenerFailed, err)) // a refusal is in the journal
		return nothing
	}
	defer reservation.Release()
	reservation.Served(flow.RedirectURI)
	reservation.Expect(flow.State,
		func(ctx context.Context, query map[string][]string) callback.Page { return u.receive(ctx, flow, query) },
		func(_ context.Context, query map[string][]string) callback.Page { return u.late(flow, query) })

	flow = u.pushAgain(ctx, order, flow)
	shows := order.Snapshot.Data.Shows
	switch wanted := order.Snapshot.Data.Shown.How; {
	case order.Cause.Event == transitions.FlowOpen || order.Cause.Event == transitions.FlowBesideToken:
		u.reportShown(order, flow, states.Shown{How: states.OpenBeforeRestart})
	case wanted == states.AwaitedByBrowser:
		u.reportShown(order, flow, states.Shown{How: states.SentToBrowser})
	case wanted == states.WantedElsewhere:
		u.reportShown(order, flow, states.Shown{How: states.ShownElsewhere})
	default:
		u.reportShown(order, flow, states.Shown{How: states.Opening})
		u.show(ctx, order, flow)
	}
	for {
		until, stop := pushedUntil(ctx, u.Snapshot(), flow)
		s, err := u.Machine().Wait(until, func(s *transitions.Snapshot) bool { return s.Data.Shows > shows && s.Data.HasFlow(flow.ID) })
		stop()
		switch {
		case ctx.Err() != nil:
			return nothing
		case err != nil: // the address that is shown is over
			flow = u.pushAgain(ctx, order, flow)
			u.reportShown(order, flow, u.Snapshot().Data.Shown)
			continue
		}
		shows = s.Data.Shows
		u.noteDoubt(flow)
		flow = u.pushAgain(ctx, order, flow)
		u.show(ctx, order, flow)
	}
}

// pushSlack is how long before its end an address of a pushed request is replaced.
const pushSlack = 5 * time.Second

// pushedUntil bounds a wait by the life of the address that a user is shown and has to
// open. What was opened here needs another one only when it is asked for again.
func pushedUntil(ctx context.Context, s *transitions.Snapshot, flow *credential.Flow) (context.Context, context.CancelFunc) {
	if flow.PushedUntil.IsZero() || s.Data.Shown.How == states.Opened {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, max(time.Until(flow.PushedUntil)-pushSlack, 2*time.Second))
}

// pushAgain returns the flow with an address that can be opened: a pushed request is good
// for a minute, and a login is open for longer. Where that fails the address of before is
// shown; the page says that it is over.
func (u *Upstream) pushAgain(ctx context.Context, order transitions.Order, flow *credential.Flow) *credential.Flow {
	if flow.PushEndpoint == "" || time.Until(flow.PushedUntil) > pushSlack {
		return flow
	}
	renewed, err := oauth.Push(ctx, u.authorization, credential.Discovery{}, *flow)
	if err == nil {
		err = u.environment.Store.SaveFlow(u.config.Name, renewed, u.wants(order))
	}
	if err != nil {
		u.logger.Warn("the login's request could not be pushed again; its page may say that it is over", "flow", flow.ID, "error", err)
		renewed = *flow
		renewed.PushedUntil = time.Now().Add(2 * pushSlack) // and then once more
	}
	return &renewed
}

// noteDoubt has the store say what the machine does of the flow's client, so that no
// login begins with it after a restart, or at another upstream of its issuer.
func (u *Upstream) noteDoubt(flow *credential.Flow) {
	if client := &flow.Registration; u.Snapshot().Data.DoubtfulClient == client.ClientID {
		u.doubt(client, true)
	}
}

func (u *Upstream) doubt(client *credential.Registration, doubtful bool) {
	if client.Source != credential.SourceDynamic {
		return
	}
	if err := u.environment.Store.DoubtRegistration(client.Issuer, client.ClientID, doubtful); err != nil {
		u.logger.Error("whether the client is known at the authorization server could not be noted; to register another: "+
			"mcpproxy auth login --register "+u.config.Name, "client", client.ClientID, "error", err)
	}
}

func (u *Upstream) show(ctx context.Context, order transitions.Order, flow *credential.Flow) {
	outcome := states.Shown{How: states.Opened}
	if err := u.environment.Open(ctx, flow.AuthorizationURL.Reveal()); err != nil {
		outcome = states.Shown{How: states.NotOpened, Detail: err.Error()}
	}
	u.reportShown(order, flow, outcome)
}

func (u *Upstream) reportShown(order transitions.Order, flow *credential.Flow, shown states.Shown) {
	payload := transitions.Payload{Shown: shown}
	if flow.PushEndpoint != "" {
		payload.Flow = flow // its address may be another one than before
	}
	_, _ = order.Fire(transitions.Input{Event: transitions.BrowserShown, Flow: flow.ID, Payload: payload}) // refused once the login is over
}

// forgetFlow erases the flow's record unless the machine still has it: a login
// that is open when the process ends goes on at the next start.
func (u *Upstream) forgetFlow(id string) {
	if !u.Snapshot().Data.HasFlow(id) {
		u.eraseFlow(id)
	}
}

func portOf(redirect string) int {
	u, err := url.Parse(redirect)
	if err != nil {
		return 0
	}
	port, _ := strconv.Atoi(u.Port()) // 0 finds no listener and is refused by the browser
	return port
}

// receive turns the browser's return into an event, waits for the login's end
// and says how it went.
func (u *Upstream) receive(ctx context.Context, flow *credential.Flow, query url.Values) callback.Page {
	// The outcome is shown on the listener that the browser came to.
	if hold, err := u.environment.Callback.Reserve(ctx, portOf(flow.RedirectURI)); err == nil {
		defer hold.Release()
	}
	code, err := oauth.CheckCallback(*flow, query)
	in := transitions.Input{Flow: flow.ID, Actor: fsm.Person, At: time.Now(), Payload: transitions.Payload{Err: err, Code: code}}
	var refused *oauth.CallbackError
	switch {
	case err == nil:
		in.Event = transitions.CodeReceived
	case !errors.As(err, &refused), refused.Class == oauth.CallbackMalformed, refused.Class == oauth.CallbackWrongState:
		u.logger.Warn("a response was not a login response; the login stays open", "flow", flow.ID, "error", err)
		return u.page(callbackIgnored, err)
	case refused.Class == oauth.CallbackDenied:
		in.Event, in.Payload.Reason = transitions.LoginEnd(u.Snapshot().Data, transitions.LoginDenied), states.LoginDenied
	default:
		in.Event, in.Payload.Reason = transitions.LoginEnd(u.Snapshot().Data, transitions.LoginFailed), states.LoginFailed
	}
	if in.Payload.Answered = !oauth.BlamesClient(err); in.Payload.Answered {
		u.doubt(&flow.Registration, false)
	}
	before := u.Snapshot().Data.Generation
	if in.Event == transitions.LoginDenied || in.Event == transitions.LoginFailed {
		u.keepVerdict(in.Payload.Reason, err)
	}
	if _, err := u.fire(in); err != nil {
		return u.page(loginOver, err)
	}
	s, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool {
		return !s.Data.HasFlow(flow.ID) || s.Region(states.Credential).State == states.Closed
	})
	if err == nil && s.Data.Generation > before && s.Data.Token != nil {
		return u.page(loggedIn, nil)
	}
	if in.Payload.Err == nil {
		in.Payload.Err = errors.New(s.Data.CredentialError.Text)
	}
	return u.page(notLoggedIn, in.Payload.Err)
}

// late is a response for a login that is over: refused by the machine, and named.
func (u *Upstream) late(flow *credential.Flow, query url.Values) callback.Page {
	in := transitions.Input{Event: transitions.CodeReceived, Flow: flow.ID, Actor: fsm.Person}
	if query.Get("error") != "" {
		in.Event = transitions.LoginFailed
	}
	_, err := u.fire(in)
	return u.page(loginOver, err)
}
