package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"time"

	"mcpproxy/states"
	"mcpproxy/transitions"
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

// connect opens the transport, agrees on the protocol and reads the lists.
func (u *Upstream) connect(ctx context.Context, order transitions.Order) transitions.Input {
	conn, err := u.dial()
	if err == nil {
		err = u.begin(ctx, conn)
	}
	if err != nil {
		if conn != nil {
			u.hangUp(ctx, conn)
		}
		if ctx.Err() != nil {
			return nothing
		}
		return u.connectFailed(order, err)
	}
	// Calls look the connection up by the attempt that made it, so it is there
	// before the machine says so.
	u.connections.Store(order.Epoch, conn)
	if _, err := order.Fire(transitions.Input{Event: transitions.Handshaken}); err != nil {
		u.connections.Delete(order.Epoch)
		u.hangUp(ctx, conn)
	}
	return nothing
}

// dial makes the connection's object; nothing is sent yet.
func (u *Upstream) dial() (wire.Conn, error) {
	switch c := &u.config; c.Transport {
	case Stdio:
		env := os.Environ()
		for name, value := range c.Env {
			env = append(env, name+"="+value.Reveal())
		}
		return wire.Stdio(wire.Command{Path: c.Command, Args: c.Args, Env: env, Dir: c.Dir}, u.logger, u.Catalog().ProtocolVersion), nil
	case SSE:
		return wire.SSE(c.URL, u.client, u.logger)
	default:
		return wire.HTTP(c.URL, u.client, u.logger, u.Catalog().ProtocolVersion)
	}
}

// begin is the handshake, the first reading of the lists, and what stands of before.
func (u *Upstream) begin(ctx context.Context, conn wire.Conn) error {
	server, err := conn.Handshake(ctx, wire.Client{Name: "mcpproxy", Version: u.environment.Version, Capabilities: capabilities})
	if err != nil {
		return err
	}
	catalog, err := readCatalog(ctx, conn, server)
	if err != nil {
		return err
	}
	if err := u.askAgain(ctx, conn); err != nil {
		return err
	}
	u.publish(catalog)
	return nil
}

// hangUpLimit bounds the courtesy of ending the session at the server.
const hangUpLimit = 2 * time.Second

func (u *Upstream) hangUp(ctx context.Context, conn wire.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUpLimit)
	defer cancel()
	conn.Close(ctx)
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
	retry := event(transitions.TransportFailed, err)
	pause := nthPause(order.Snapshot.Data.Attempts, connectPause, longestConnectPause)
	switch {
	case errors.As(err, &unauthorized):
		return event(transitions.Unauthorized, err)
	case errors.As(err, &scope):
		if token := u.Snapshot().Data.Token; token != nil && token.Generation > scope.Generation {
			return event(transitions.Unauthorized, err) // a newer token is there to try with
		}
		return event(transitions.Forbidden, err)
	case errors.As(err, &unavailable):
		pause = max(pause, unavailable.RetryAfter)
	case errors.As(err, &status), errors.As(err, &redirect), errors.Is(err, wire.ErrProtocol), errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrPermission), errors.Is(err, os.ErrNotExist):
		return event(transitions.ProtocolFailed, err)
	}
	retry.Payload.RetryAt = time.Now().Add(pause)
	return retry
}

// watch listens to the connection while it serves, and closes it in the end.
func (u *Upstream) watch(ctx context.Context, order transitions.Order) transitions.Input {
	attempt := order.Cause.Epoch
	found, ok := u.connections.Load(attempt)
	if !ok {
		return event(transitions.TransportFailed, errors.New("the connection was closed before it could serve"))
	}
	conn := found.(wire.Conn)
	defer func() {
		u.connections.Delete(attempt)
		u.hangUp(ctx, conn)
	}()
	for {
		err := conn.Listen(ctx, func(method string, params json.RawMessage) { u.notified(ctx, conn, method, params) })
		var unauthorized *UnauthorizedError
		switch {
		case ctx.Err() != nil || err == nil:
			return nothing
		case errors.As(err, &unauthorized):
			// Calls say what a 401 means; the stream goes on with the next token.
			if !u.nextToken(ctx, unauthorized.Generation) {
				return nothing
			}
		case errors.Is(err, wire.ErrSessionLost):
			return event(transitions.SessionLost, err)
		default:
			retry := event(transitions.TransportFailed, fmt.Errorf("the connection was lost: %w", err))
			now := time.Now()
			retry.Payload.RetryAt = now.Add(nthPause(u.Snapshot().Data.FailedAttempts(now), connectPause, longestConnectPause))
			return retry
		}
	}
}

// nextToken waits for a token that is newer than generation.
func (u *Upstream) nextToken(ctx context.Context, generation uint64) bool {
	_, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool {
		return s.Data.Token != nil && s.Data.Token.Generation > generation && s.Region(states.Credential).State == states.Fresh
	})
	return err == nil
}

// RedirectError says that the server redirects, which requests with a token do
// not follow.
type RedirectError struct{ Target string }

func (e *RedirectError) Error() string {
	return "the server redirects to " + e.Target + "; requests with a token follow no redirect: put that address into the configuration if it is right"
}

// refuseRedirect keeps tokens from following a redirect.
func refuseRedirect(response *http.Response) error {
	target, err := response.Location()
	if err != nil {
		return &RedirectError{Target: response.Header.Get("Location")}
	}
	return &RedirectError{Target: target.Scheme + "://" + target.Host + target.Path}
}
