package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/child"
	"mcpproxy/upstream/wire"
)

// capabilities are what clients behind the proxy may be able to do; which one
// can is known only when a server asks during a call.
var capabilities = json.RawMessage(`{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{"listChanged":true}}`)

// connectPause is the first pause between two connection attempts,
// longestConnectPause the longest.
const (
	connectPause        = 500 * time.Millisecond
	longestConnectPause = time.Minute
)

var errConnectDeadline = errors.New("the server has not answered in time (the connect deadline)")

// connect opens the transport, agrees on the protocol and reads the lists.
func (u *Upstream) connect(ctx context.Context, order transitions.Order) transitions.Input {
	bounded, stop := context.WithTimeoutCause(ctx, order.Snapshot.Data.Settings.ConnectDeadline, errConnectDeadline)
	defer stop()
	conn, err := u.dial(bounded)
	var parts []states.Part
	if err == nil {
		parts, err = u.begin(bounded, conn)
	}
	if err != nil {
		if conn != nil {
			u.hangUp(ctx, conn)
		}
		switch {
		case ctx.Err() != nil:
			return nothing
		case bounded.Err() != nil:
			return u.tryLater(transitions.ConnectTimedOut, &order.Snapshot.Data, 0, u.lastWords(errConnectDeadline))
		}
		return u.connectFailed(order, err)
	}
	// Calls look the connection up by the attempt that made it, so it is there
	// before the machine says so.
	u.connections.Store(order.Epoch, conn)
	if _, err := order.Fire(transitions.Input{Event: transitions.Handshaken, Payload: transitions.Payload{Parts: parts}}); err != nil {
		u.connections.Delete(order.Epoch)
		u.hangUp(ctx, conn)
	}
	return nothing
}

// dial makes the connection's object; nothing is sent yet. An upstream has one child
// process at most: the next one waits for the end of the one before.
func (u *Upstream) dial(ctx context.Context) (wire.Conn, error) {
	switch c := &u.config; c.Transport {
	case Stdio:
		select {
		case u.child <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		return wire.Stdio(u.command(), u.Catalog().ProtocolVersion, u.Snapshot().Data.Attempts), nil
	case SSE:
		return wire.SSE(c.URL, u.client, u.logger)
	default:
		return wire.HTTP(c.URL, u.client, u.logger, u.Catalog().ProtocolVersion)
	}
}

// begin is the handshake, the first reading of the lists, and what stands of before.
func (u *Upstream) begin(ctx context.Context, conn wire.Conn) ([]states.Part, error) {
	server, err := conn.Handshake(ctx, wire.Client{Name: "mcpproxy", Version: u.environment.Version, Capabilities: capabilities})
	if err != nil {
		return nil, err
	}
	catalog, parts, err := u.readCatalog(ctx, conn, server)
	if err != nil {
		return nil, err
	}
	if err := u.askAgain(ctx, conn); err != nil {
		return nil, err
	}
	u.publish(catalog)
	return parts, nil
}

// hangUpLimit bounds the courtesy of ending the session at the server.
const hangUpLimit = 2 * time.Second

func (u *Upstream) hangUp(ctx context.Context, conn wire.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUpLimit)
	defer cancel()
	conn.Close(ctx)
	if u.config.Transport == Stdio {
		<-u.child
	}
}

// connectFailed turns the one error of an attempt into the one event that it is.
func (u *Upstream) connectFailed(order transitions.Order, err error) transitions.Input {
	var (
		unauthorized *UnauthorizedError
		scope        *ScopeError
		status       *wire.StatusError
		unavailable  *UnavailableError
		redirect     *RedirectError
	)
	err = u.lastWords(err)
	asked := time.Duration(0)
	switch {
	case errors.As(err, &unauthorized):
		if u.Snapshot().Region(states.Connection).Epoch != order.Epoch {
			return nothing // the credential region was told by the 401, and has led on
		}
		return event(transitions.Unauthorized, err)
	case errors.As(err, &scope):
		if token := u.Snapshot().Data.Token; token != nil && token.Generation > scope.Generation {
			return event(transitions.Unauthorized, err) // a newer token is there to try with
		}
		return event(transitions.Forbidden, err)
	case errors.As(err, &unavailable):
		asked = unavailable.RetryAfter
	case errors.Is(err, wire.ErrUnreadable):
	case errors.As(err, &status), errors.As(err, &redirect), errors.Is(err, wire.ErrProtocol), errors.Is(err, child.ErrUnusable):
		return event(transitions.ProtocolFailed, err)
	}
	return u.tryLater(transitions.TransportFailed, &order.Snapshot.Data, asked, err)
}

// tryLater plans the next attempt to connect: after a pause that grows with the attempts
// that have failed and with the upstreams that are down, and not before asked.
func (u *Upstream) tryLater(failed transitions.Event, d *states.Data, asked time.Duration, err error) transitions.Input {
	in := event(failed, err)
	pause := max(nthPause(d.Attempts, connectPause, longestConnectPause), u.pace(states.Connection).pause(d.Attempts))
	in.Payload.Plan(time.Now(), asked, pause)
	return in
}

// watch listens to the connection while it serves, and closes it in the end, after the
// machine has said that it is over.
func (u *Upstream) watch(ctx context.Context, order transitions.Order) transitions.Input {
	attempt := order.Cause.Epoch
	found, ok := u.connections.Load(attempt)
	if !ok {
		return event(transitions.TransportFailed, errors.New("the connection was closed before it could serve"))
	}
	conn := found.(wire.Conn)
	end := u.listen(ctx, order, conn)
	u.connections.Delete(attempt)
	if end.Event != "" {
		_, _ = order.Fire(end) // a refusal is in the journal
	}
	u.hangUp(ctx, conn)
	return nothing
}

// listen takes what the connection brings until it is over, and returns how it ended.
func (u *Upstream) listen(ctx context.Context, order transitions.Order, conn wire.Conn) transitions.Input {
	ctx, stop := context.WithCancel(ctx)
	keeper := &listKeeper{upstream: u, order: order, conn: conn, changed: map[string]chan struct{}{}}
	defer keeper.work.Wait()
	defer stop()
	keeper.begin(ctx)
	listener := wire.Listener{Notified: func(method string, params json.RawMessage) { keeper.notified(ctx, method, params) },
		Stream: keeper.streamed}
	for {
		err := conn.Listen(ctx, listener)
		var unauthorized *UnauthorizedError
		switch {
		case ctx.Err() != nil || err == nil:
			return nothing
		case errors.As(err, &unauthorized):
			// Calls say what a 401 means; the stream goes on with the next token.
			if !u.nextToken(ctx, unauthorized.Generation) {
				return nothing
			}
		default:
			return u.ended(err)
		}
	}
}

// ended is the end of a connection. A session that the server no longer knows is opened
// again at once, but not where that is all that comes of it.
func (u *Upstream) ended(err error) transitions.Input {
	data := u.Snapshot().Data
	data.Attempts = data.FailedAttempts(time.Now())
	if data.Attempts == 0 && errors.Is(err, wire.ErrSessionLost) {
		return event(transitions.SessionLost, err)
	}
	return u.tryLater(transitions.TransportFailed, &data, 0, fmt.Errorf("the connection was lost: %w", u.lastWords(err)))
}

// nextToken waits for a token that is newer than generation.
func (u *Upstream) nextToken(ctx context.Context, generation uint64) bool {
	_, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool {
		return s.Data.Token != nil && s.Data.Token.Generation > generation && s.Region(states.Credential).State == states.Fresh
	})
	return err == nil
}

// RedirectError says that the server redirects to where requests with a token do not
// follow.
type RedirectError struct{ Target string }

func (e *RedirectError) Error() string {
	return "the server redirects to " + e.Target +
		"; only what has moved within its origin is followed, as requests carry tokens: put that address into the configuration if it is right"
}

// refuseRedirect keeps tokens from following a redirect.
func refuseRedirect(response *http.Response) error {
	target, err := response.Location()
	if err != nil {
		return &RedirectError{Target: response.Header.Get("Location")}
	}
	return &RedirectError{Target: target.Scheme + "://" + target.Host + target.Path}
}
