package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	"mcpproxy/states"
	"mcpproxy/upstream"
)

// ErrNotRunning says that no proxy serves the socket, or that the one that did ended
// before it had answered.
var ErrNotRunning = errors.New("no proxy is running")

// RefusedError is an answer that says no.
type RefusedError struct{ Problem }

func (e *RefusedError) Error() string { return e.Detail }

// LoginFailedError is the end of a login without a token, as the proxy tells it.
type LoginFailedError struct {
	// Reason is why the upstream needs a person now; empty where the proxy gave none.
	Reason states.Reason
	// Text is for the person: what happened, and the next step.
	Text string
}

func (e *LoginFailedError) Error() string { return e.Text }

// Client speaks to a running proxy.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client of the proxy at the socket.
func NewClient(socket string) *Client {
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}}
}

// Running reports whether a proxy answers.
func (c *Client) Running(ctx context.Context) bool { return c.Get(ctx, "/v1/version", nil) == nil }

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
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("the socket %s is not this user's; run this as the user who runs the proxy, or name another one (--socket)", c.socket)
	}
	if errors.As(err, &operation) && operation.Op == "dial" {
		return nil, fmt.Errorf("%w at %s; start one with: mcpproxy serve", ErrNotRunning, c.socket)
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
		refused.Problem = Problem{Status: response.StatusCode, Detail: "the proxy answers " + response.Status, Kind: KindFailed}
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

// Login begins or joins a login and follows it to its outcome. With elsewhere the
// proxy opens no browser. When ctx ends first the login stays open. It returns a
// [*RefusedError] where no login was begun, a [*LoginFailedError] where it ended without a
// token, and ctx's error.
func (c *Client) Login(ctx context.Context, name string, elsewhere bool, progress func(Report)) error {
	return c.LoginWith(ctx, name, upstream.LoginOptions{Elsewhere: elsewhere}, progress)
}

// LoginWith is Login with options.
func (c *Client) LoginWith(ctx context.Context, name string, o upstream.LoginOptions, progress func(Report)) error {
	form := url.Values{}
	if o.Elsewhere {
		form.Set("browser", "none")
	}
	if o.Register {
		form.Set("client", "new")
	}
	response, err := c.send(ctx, http.MethodPost, "/v1/upstreams/"+url.PathEscape(name)+"/login", form)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := json.NewDecoder(response.Body)
	for {
		var report Report
		if err := lines.Decode(&report); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			return fmt.Errorf("the proxy ended before the login did: %w; once it runs again (mcpproxy serve), a page that was shown can still be completed", err)
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

// Bridge connects an MCP client's standard streams with the running proxy until ctx
// or the proxy ends, or in does and what was asked is answered. only names the one upstream to show, or is empty for all.
func (c *Client) Bridge(ctx context.Context, only string, in io.Reader, out io.Writer) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return fmt.Errorf("%w at %s; start one with: mcpproxy serve", ErrNotRunning, c.socket)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://proxy/v1/stdio?upstream="+url.QueryEscape(only), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "mcp")
	if err := request.Write(conn); err != nil {
		return err
	}
	answers := bufio.NewReader(conn)
	response, err := http.ReadResponse(answers, request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the proxy answers %s", response.Status)
	}
	go func() {
		_, _ = io.Copy(conn, in) // what is read already is still answered
		_ = conn.(*net.UnixConn).CloseWrite()
	}()
	_, err = io.Copy(out, answers)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
