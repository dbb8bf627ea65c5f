// Package client speaks to a running proxy over its socket, in the words of package
// admin/api. It links nothing of the proxy.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mcpproxy/admin/api"
	"mcpproxy/states"
	"mcpproxy/store"
)

// ErrNotRunning says that no proxy serves the socket, or that the one that did ended
// before it had answered.
var ErrNotRunning = errors.New("no proxy is running")

// ErrEnded says that the proxy ended while a login was open, which stays open.
var ErrEnded = errors.New("the proxy ended before the login did")

// RefusedError is an answer that says no.
type RefusedError struct{ api.Problem }

func (e *RefusedError) Error() string { return e.Detail }

// LoginFailedError is the end of a login without a token, as the proxy tells it.
type LoginFailedError struct {
	// Reason is why the upstream needs a user now; empty where the proxy gave none.
	Reason states.Reason
	// Text is for the user: what happened, and the next step.
	Text string
}

func (e *LoginFailedError) Error() string { return e.Text }

// Client speaks to a running proxy.
type Client struct {
	socket string
	// store, if not empty, is the store whose holder is asked.
	store string
	http  *http.Client
}

// New returns a client of the proxy at the socket.
func New(socket string) *Client { return Of("", socket) }

// Of returns a client of whoever holds the store: at the socket, or where nobody
// serves that one at the socket that the holder has named. A holder that does not serve it
// yet is waited for.
func Of(storePath, socket string) *Client {
	c := &Client{socket: socket, store: storePath}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) }
	c.http = &http.Client{Transport: &http.Transport{DialContext: dial}}
	return c
}

// dialLimit bounds how long a process that does not take connections yet, or has too many,
// is waited for, and dialPause is the pause between two tries.
const (
	dialLimit = 10 * time.Second
	dialPause = 20 * time.Millisecond
)

// dial waits for a process that has more connections to take than the system keeps for it,
// and for one that holds the store and does not serve its socket yet.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	for socket := c.socket; ; pause(ctx, dialPause) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", socket)
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
		if errors.Is(err, syscall.EAGAIN) {
			continue
		}
		holder := (*store.LockedError)(nil)
		if c.store != "" && !errors.Is(err, fs.ErrPermission) {
			holder = store.Holder(c.store)
		}
		if holder == nil || holder.Socket == "" || errors.Is(err, syscall.EINVAL) && socket == holder.Socket {
			return nil, err
		}
		socket = holder.Socket
	}
}

// unreachable says why there is no connection.
func (c *Client) unreachable(err error) error {
	switch {
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w that can be spoken to at %s: systems allow about a hundred bytes for the path of a socket; "+
			"give the proxy and this command a shorter one (--socket)", ErrNotRunning, c.socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the socket %s is not this user's; run this as the user who runs the proxy, or name another one (--socket)", c.socket)
	}
	return fmt.Errorf("%w at %s; start one with: mcpproxy serve", ErrNotRunning, c.socket)
}

// Who says which process answers.
func (c *Client) Who(ctx context.Context) (api.Version, error) {
	var who api.Version
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	return who, c.Get(ctx, "/v1/version", &who)
}

// Yield asks the holder of the store to give it free for a proxy that starts, and reports
// whether it does. started says that a bridge has started that proxy, and no user.
func (c *Client) Yield(ctx context.Context, started bool) (bool, error) {
	form := url.Values{}
	if started {
		form.Set("started", "yes")
	}
	var answer api.Yielded
	err := c.Post(ctx, "/v1/yield", form, &answer)
	return answer.Yields, err
}

// Get reads a document.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	return c.do(ctx, http.MethodGet, path, nil, into)
}

// Post asks for something.
func (c *Client) Post(ctx context.Context, path string, form url.Values, into any) error {
	return c.do(ctx, http.MethodPost, path, form, into)
}

func (c *Client) send(ctx context.Context, method, path string, form url.Values) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://proxy"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.ask(request)
}

func (c *Client) ask(request *http.Request) (*http.Response, error) {
	response, err := c.http.Do(request)
	var operation *net.OpError
	if errors.As(err, &operation) && operation.Op == "dial" {
		return nil, c.unreachable(err)
	}
	if err != nil {
		return nil, c.gone(request.Context(), err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	refused := &RefusedError{}
	if err := json.NewDecoder(response.Body).Decode(&refused.Problem); err != nil {
		refused.Problem = api.Problem{Status: response.StatusCode, Detail: "the proxy answers " + response.Status, Kind: api.KindFailed}
	}
	return nil, refused
}

// gone is the error of a request whose answer did not come, or not whole: the proxy
// ended meanwhile.
func (c *Client) gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w at %s any more: it ended before it had answered (%w)", ErrNotRunning, c.socket, err)
}

func (c *Client) do(ctx context.Context, method, path string, form url.Values, into any) error {
	response, err := c.send(ctx, method, path, form)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return c.gone(ctx, err)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// LoginOptions are how a login is asked for.
type LoginOptions struct {
	// Elsewhere opens no browser where the proxy runs.
	Elsewhere bool
	// Register registers a client for this login, and gives up one that is open.
	Register bool
	// Since, if not nil, is what a [api.Report] of the same login said before the process
	// ended that it was begun in: it is followed if it is open, and done if there is a later
	// token.
	Since *uint64
}

// Login begins or joins a login and follows it to its outcome. With elsewhere the
// proxy opens no browser. When ctx ends first the login stays open. It returns a
// [*RefusedError] where no login was begun, a [*LoginFailedError] where it ended without a
// token, and ctx's error.
func (c *Client) Login(ctx context.Context, name string, elsewhere bool, progress func(api.Report)) error {
	return c.LoginWith(ctx, name, LoginOptions{Elsewhere: elsewhere}, progress)
}

// LoginWith is Login with options.
func (c *Client) LoginWith(ctx context.Context, name string, o LoginOptions, progress func(api.Report)) error {
	form := url.Values{}
	if o.Elsewhere {
		form.Set("browser", "none")
	}
	if o.Register {
		form.Set("client", "new")
	}
	if o.Since != nil {
		form.Set("since", strconv.FormatUint(*o.Since, 10))
	}
	response, err := c.send(ctx, http.MethodPost, "/v1/upstreams/"+url.PathEscape(name)+"/login", form)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := json.NewDecoder(response.Body)
	for {
		var report api.Report
		if err := lines.Decode(&report); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			return fmt.Errorf("%w (%w); once it runs again (mcpproxy serve), a page that was shown can still be completed", ErrEnded, err)
		}
		switch {
		case report.Done && report.Error != "":
			return &LoginFailedError{report.Reason, report.Error}
		case report.Done:
			return nil
		}
		progress(report)
	}
}
