package upstream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/wire"
)

// tries bounds how often one call is sent: the first time, after a new token,
// after a new session.
const tries = 4

// call sends a call, and keeps in mind what it asks for that lasts.
func (u *Upstream) call(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	most := u.environment.limits.Load().CallsPerUpstream
	defer u.calling.Add(-1)
	if u.calling.Add(1) > int64(most) {
		return nil, jsonrpc.Errorf(jsonrpc.CodeUnavailable,
			"%d calls to %s are under way, and no more may be (limits.callsPerUpstream). Call again later", most, u.config.Name)
	}
	switch call.Method {
	case "resources/subscribe", "resources/unsubscribe", "logging/setLevel":
		return u.stands(ctx, call)
	}
	return u.send(ctx, call)
}

// send sends a call when the upstream is ready, and again where that is safe.
func (u *Upstream) send(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	if call.AwaitLogin {
		if err := u.awaitOffered(ctx); err != nil {
			return nil, err
		}
	}
	p := u.patience()
	for try := 1; ; try++ {
		s, conn, err := u.ready(ctx, p, call.AtOnce)
		if err != nil {
			return nil, err
		}
		result, err := conn.Call(ctx, call)
		if err == nil {
			return result, nil
		}
		var answer *jsonrpc.Error
		if errors.As(err, &answer) {
			return nil, answer
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if again, wait := u.again(s, call, err); !again || try == tries {
			return nil, u.failed(err)
		} else if wait != nil {
			goesOn := u.waits(ctx)
			err := u.await(ctx, p, wait)
			goesOn()
			if err != nil {
				return nil, err
			}
		}
	}
}

// ready waits until the upstream is connected, unless that needs a user, or will not
// be in time.
func (u *Upstream) ready(ctx context.Context, p transitions.Patience, atOnce bool) (*transitions.Snapshot, wire.Conn, error) {
	waiting := false
	for {
		s := u.Snapshot()
		outlook := transitions.OutlookOf(s)
		if outlook == transitions.RenewalFails && u.wantToken() {
			continue // an attempt is under way
		}
		if !atOnce && u.wantConnection(s) {
			p = p.ForAnAttempt(s, time.Now())
			continue
		}
		if outlook == transitions.Serves && u.punctual(s) {
			if conn, ok := u.connections.Load(s.Data.Connection); ok {
				return s, conn.(wire.Conn), nil
			}
		}
		if atOnce {
			return nil, nil, u.slow(errAtOnce)
		}
		if err := u.hopeless(s, outlook); err != nil {
			return nil, nil, err
		}
		if !waiting {
			waiting = true
			defer u.waits(ctx)()
		}
		if err := u.await(ctx, p, func(next *transitions.Snapshot) bool { return next != s }); err != nil {
			return nil, nil, err
		}
	}
}

var (
	errAtOnce  = errors.New("nobody waits for it")
	errTooLate = errors.New("the call waited for as long as a call waits (limits.callWait)")
)

// patience is that of a call which begins to wait now.
func (u *Upstream) patience() transitions.Patience {
	return transitions.NewPatience(u.Snapshot(), time.Now(), u.environment.limits.Load().CallWait)
}

// await waits until it is so, as long as a call has patience.
func (u *Upstream) await(ctx context.Context, p transitions.Patience, until func(*transitions.Snapshot) bool) error {
	for {
		end, met := p.Ends(u.Snapshot()), false
		if !end.After(time.Now()) {
			return u.slow(errTooLate)
		}
		waiting, stop := context.WithDeadline(ctx, end)
		_, err := u.Machine().Wait(waiting, func(next *transitions.Snapshot) bool {
			met = until(next)
			return met || !p.Ends(next).Equal(end)
		})
		stop()
		switch {
		case met:
			return nil
		case ctx.Err() != nil:
			return u.slow(err)
		}
	}
}

// wantToken asks for an attempt to renew the token now, and reports whether one is made.
func (u *Upstream) wantToken() bool {
	out, err := u.fire(transitions.Input{Event: transitions.TokenWanted})
	return err == nil && out.Disposition == fsm.Moved
}

// wantConnection asks for an attempt to connect now, where that is due, and reports whether
// one is made. One that waits for its turn comes next.
func (u *Upstream) wantConnection(s *transitions.Snapshot) bool {
	switch s.Region(states.Connection).State {
	case states.BackingOff:
		if time.Now().Before(transitions.MayConnectAt(&s.Data)) {
			return false
		}
		out, err := u.fire(transitions.Input{Event: transitions.ConnectionWanted})
		return err == nil && out.Disposition == fsm.Moved
	case states.ConnectQueued, states.AwaitingCredential:
		u.hurry()
	}
	return false
}

// punctual reports whether the machine knows what time it is. A token that has expired
// while the process slept is taken notice of at once.
func (u *Upstream) punctual(s *transitions.Snapshot) bool {
	if s.Data.Token == nil || s.Data.TokenUsable(time.Now()) {
		return true
	}
	u.runner.Rearm()
	return false
}

// hopeless says why waiting would not help, or nil.
func (u *Upstream) hopeless(s *transitions.Snapshot, outlook transitions.Outlook) error {
	name := u.config.Name
	switch outlook {
	case transitions.Gone:
		return jsonrpc.Errorf(jsonrpc.CodeUnavailable,
			"%s is gone (Closed): the upstream was removed from the configuration, or the proxy is going down. To see which there are, run: "+
				"mcpproxy upstream list", name)
	case transitions.Unwanted:
		return jsonrpc.Errorf(jsonrpc.CodeUnavailable,
			"%s is not connected (Disconnected): someone disconnected it. To connect it, run: mcpproxy upstream connect %s", name, name)
	case transitions.Broken:
		if s.Data.Reason == states.EntryInvalid {
			return jsonrpc.Errorf(jsonrpc.CodeUnavailable, "%s cannot be used (Failed). %s %s %s", name, s.Data.Reason.Doc(),
				sentence(s.Data.CredentialError.Text), s.Data.Reason.Mend())
		}
		return jsonrpc.Errorf(jsonrpc.CodeUnavailable,
			"%s is not connected (Failed), and trying again by itself would not help: %s. When that is fixed, run: mcpproxy upstream connect "+
				"%s", name, strings.TrimRight(s.Data.ConnectionError.Text, ". "), name)
	case transitions.RenewalFails:
		return jsonrpc.Errorf(jsonrpc.CodeUnavailable,
			"%s cannot be used (%s): the access token has expired and renewing it failed: %s. The next attempt is at %s; to try now, run: "+
				"mcpproxy upstream connect %s",
			name, s.Region(states.Credential).State, s.Data.CredentialError.Text, s.Data.RefreshAt.Local().Format(time.TimeOnly), name)
	case transitions.NeedsPerson:
		if s.Region(states.Credential).State == states.LoginRequired {
			if u.propose(); u.Snapshot().Region(states.Credential).Is(transitions.LoginOpen) {
				return nil
			}
		}
		return u.needsPerson(s)
	}
	return nil
}

// needsPerson says what a user has to do, in the words of the state.
func (u *Upstream) needsPerson(s *transitions.Snapshot) error {
	name, state := u.config.Name, s.Region(states.Credential).State
	command, run := "mcpproxy auth login "+name, "Run"
	text := fmt.Sprintf("%s needs a login (%s). ", name, state)
	switch {
	case state == states.LoggedOut:
		text += "A user logged out, and this holds until a user logs in. "
	case state == states.Fresh:
		text += sentence(s.Data.CredentialError.Text) + " "
	case state == states.Failed:
		command, run = "mcpproxy upstream connect "+name, " Then run"
		if s.Data.Reason == states.StoreCorrupt {
			command, run = "mcpproxy auth logout "+name, " To erase it, run"
		}
		text = fmt.Sprintf("%s cannot be used (%s). %s", name, state,
			strings.TrimSpace(s.Data.Reason.Doc()+" "+sentence(s.Data.CredentialError.Text))) + " " + s.Data.Reason.Mend()
	case s.Region(states.Credential).Is(transitions.LoginOpen):
		text += "A login is open and waits for its page to be completed. "
	default:
		text += s.Data.Reason.Doc() + " "
	}
	text += run + ": " + command
	page := ""
	if u.environment.LoginURL != nil && state != states.Failed {
		page = u.environment.LoginURL(name)
	}
	if page != "" {
		text += " (or open " + page + ")"
	}
	e := jsonrpc.Errorf(jsonrpc.CodeLoginNeeded, "%s", text)
	// strings always encode
	e.Data, _ = json.Marshal(map[string]string{"upstream": name, "state": string(state), "command": command, "url": page})
	return e
}

// again decides whether a call is sent once more, and what has to be waited for
// before.
func (u *Upstream) again(s *transitions.Snapshot, call relay.Call, err error) (again bool, wait func(*transitions.Snapshot) bool) {
	var (
		unauthorized *UnauthorizedError
		scope        *ScopeError
		network      *net.OpError
	)
	epoch := s.Region(states.Connection).Epoch
	switch {
	case errors.As(err, &unauthorized):
		// The request was not carried out.
		return true, func(now *transitions.Snapshot) bool { return transitions.Settled(now, unauthorized.Generation) }
	case errors.As(err, &scope):
		// Neither was this; it is worth sending again once a login has asked for more.
		now := u.Snapshot()
		open := now.Region(states.Credential).Is(transitions.LoginOpen)
		newer := now.Data.Token != nil && now.Data.Token.Generation > scope.Generation
		return newer || open && !transitions.WaitsForPerson(now),
			func(now *transitions.Snapshot) bool { return !now.Region(states.Credential).Is(transitions.LoginOpen) }
	case errors.Is(err, wire.ErrSessionLost):
		u.connectionEnded(epoch, err)
		return true, nil
	case errors.As(err, &network) && network.Op == "dial":
		u.connectionEnded(epoch, err)
		return true, nil
	case lost(err):
		return call.Safe, nil
	}
	return false, nil
}

// lost reports whether the connection broke, so that nobody knows whether the
// request was carried out.
func lost(err error) bool {
	var (
		status      *wire.StatusError
		unavailable *UnavailableError
		redirect    *RedirectError
		broken      *url.Error
	)
	if errors.As(err, &status) || errors.As(err, &unavailable) || errors.As(err, &redirect) {
		return false
	}
	return errors.Is(err, wire.ErrLost) || errors.As(err, &broken)
}

func (u *Upstream) connectionEnded(epoch uint64, err error) {
	in := u.ended(err)
	in.Epoch = epoch  // a connection that came since is not the one that failed
	_, _ = u.fire(in) // a refusal is in the journal
}

// failed makes an error for the client of one that the transport had.
func (u *Upstream) failed(err error) error {
	var (
		unauthorized *UnauthorizedError
		scope        *ScopeError
	)
	name, s := u.config.Name, u.Snapshot()
	phase := transitions.PhaseOf(s)
	switch {
	case errors.As(err, &unauthorized):
		return u.needsPerson(s)
	case errors.As(err, &scope):
		return jsonrpc.Errorf(jsonrpc.CodeLoginNeeded,
			"%s refuses this call (%s): the token lacks the scope %q. To ask for it, run: mcpproxy auth login "+
				"%s", name, phase, strings.Join(scope.Scopes, " "), name)
	case lost(err):
		return jsonrpc.Errorf(jsonrpc.CodeUnavailable,
			"%s (%s): the connection broke before the answer came: %v. Whether the server carried the call out is not known; send it again if "+
				"that does no harm", name, phase, err)
	}
	return jsonrpc.Errorf(jsonrpc.CodeUnavailable,
		"%s (%s): the call failed: %v. Call again later; what the upstream is doing now says: statectl explain %s", name, phase, err, name)
}

// slow says where the upstream is on its way back when a call waits no longer.
func (u *Upstream) slow(why error) error {
	s := u.Snapshot()
	connection, credential := s.Region(states.Connection), s.Region(states.Credential)
	if credential.Is(transitions.LoginOpen) && !errors.Is(why, errAtOnce) {
		return fmt.Errorf("%w: %w", relay.ErrNotReady, u.needsPerson(s))
	}
	name, phase, since := u.config.Name, transitions.PhaseOf(s), connection.Since
	last := s.Data.ConnectionError.Text
	if transitions.Leading(connection.State, credential.State, s.Data.Works()) == states.Credential || connection.State == states.Connected {
		since, last = credential.Since, cmp.Or(s.Data.CredentialError.Text, last)
	}
	text := fmt.Sprintf("%s is not ready yet: %s since %s", name, phase, since.Local().Format(time.TimeOnly))
	if last != "" {
		text += "; the last attempt: " + strings.TrimRight(last, ". ")
	}
	data := map[string]string{"upstream": name, "state": string(phase), "reason": last, "command": "mcpproxy upstream connect " + name}
	if next := transitions.NextAttempt(s); !next.IsZero() {
		text += "; the next one is at " + next.Local().Format(time.TimeOnly)
		data["next"] = next.UTC().Format(time.RFC3339)
	}
	e := jsonrpc.Errorf(jsonrpc.CodeUnavailable, "%s. A call waits for %s (limits.callWait). Call again later, or have it tried at once: "+
		"mcpproxy upstream connect %s; what it is doing says: statectl explain %s",
		text, u.environment.limits.Load().CallWait, name, name)
	e.Data, _ = json.Marshal(data) // strings always encode
	return fmt.Errorf("%w: %w: %w", relay.ErrNotReady, e, why)
}

// Notify implements [relay.Upstream].
func (u *Upstream) Notify(ctx context.Context, method string, params json.RawMessage) error {
	s := u.Snapshot()
	conn, ok := u.connections.Load(s.Data.Connection)
	if !ok || s.Region(states.Connection).State != states.Connected {
		return fmt.Errorf("%s is not connected; the notification %s was not sent", u.config.Name, method)
	}
	return conn.(wire.Conn).Notify(ctx, method, params)
}
