// Package admin is the interface for users' programs to a running proxy: HTTP and
// JSON, described in openapi.json, on a unix socket with the mode 0600.
//
// It promises that no answer holds a secret but the authorization page's address
// for the user who asked to log in, and that a client which does not read is
// dropped and delays nobody. It serves users' requests only; what is legal is the
// state machines' to say. It authenticates nobody: whoever serves [Handler] decides
// who reaches it. On the socket that is the file's mode; elsewhere wrap it, and
// remember that a browser sends form posts to it from any page.
package admin

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"mcpproxy/admin/api"
	"mcpproxy/explain"
	"mcpproxy/instance"
	"mcpproxy/status"
	"mcpproxy/upstream"
)

// description is the interface in OpenAPI 3.1.
//
//go:embed openapi.json
var description []byte

// api serves one instance.
type handler struct {
	instance *instance.Instance
	version  string
	options  Options
}

// Options are what a proxy can do beyond its upstreams.
type Options struct {
	// Reload reads the configuration again; nil where there is none to be read.
	Reload func(context.Context) error
	// Problems are those of the configuration that no upstream has; nil for none.
	Problems func() []string
	// Invite returns the address that opens the page for users, once and for a minute;
	// nil where there is no page.
	Invite func() (string, error)
	// Temporary marks a process that holds the store for a command of its own.
	Temporary bool
	// Yield is asked whether this process ends, to give the store free for a proxy that
	// wants it; nil where it does not. started says that a bridge has started that proxy,
	// and no user.
	Yield func(started bool) bool
}

// route is one operation. serve writes the answer, or returns why not without
// having written anything.
type route struct {
	method, path string
	serve        func(http.ResponseWriter, *http.Request) error
}

func (a *handler) routes() []route {
	return []route{
		{http.MethodGet, "/v1/openapi", describe},
		{http.MethodGet, "/v1/version", a.who},
		{http.MethodPost, "/v1/reload", a.reload},
		{http.MethodGet, "/v1/events", a.events},
		{http.MethodPost, "/v1/page", a.page},
		{http.MethodPost, "/v1/yield", a.yield},
		{http.MethodPost, "/v1/paste", a.paste},
		{http.MethodPost, "/v1/stdio", a.stdio},
		{http.MethodGet, "/v1/inactive", a.inactive},
		{http.MethodGet, "/v1/upstreams", a.list},
		{http.MethodGet, "/v1/upstreams/{name}", a.upstream(oneStatus)},
		{http.MethodGet, "/v1/upstreams/{name}/explain", a.upstream(explained)},
		{http.MethodGet, "/v1/upstreams/{name}/journal", a.upstream(a.journal)},
		{http.MethodGet, "/v1/upstreams/{name}/logs", a.upstream(logs)},
		{http.MethodPost, "/v1/upstreams/{name}/login", a.upstream(login)},
		{http.MethodPost, "/v1/upstreams/{name}/logout", a.logout},
		{http.MethodPost, "/v1/upstreams/{name}/cancel", a.upstream(cancel)},
		{http.MethodPost, "/v1/upstreams/{name}/connect", a.upstream(connect)},
		{http.MethodPost, "/v1/upstreams/{name}/disconnect", a.upstream(disconnect)},
		{http.MethodPost, "/v1/upstreams/{name}/retry", a.upstream(retry)},
	}
}

// maxForm bounds what a request may carry, in bytes.
const maxForm = 1 << 20

// Handler serves an instance.
func Handler(i *instance.Instance, version string, o Options) http.Handler {
	a := &handler{instance: i, version: version, options: o}
	mux := http.NewServeMux()
	for _, r := range a.routes() {
		mux.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, request *http.Request) {
			request.Body = http.MaxBytesReader(w, request.Body, maxForm)
			if err := r.serve(w, request); err != nil {
				refuse(w, err)
			}
		})
	}
	return mux
}

// upstream finds the upstream that a request names.
func (a *handler) upstream(
	serve func(http.ResponseWriter, *http.Request, *upstream.Upstream) error,
) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		u, err := a.instance.Manager.Get(r.PathValue("name"))
		if err != nil {
			return err
		}
		return serve(w, r, u)
	}
}

func reply(w http.ResponseWriter, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(value) // the client went away
	return nil
}

func describe(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(description) // the client went away
	return nil
}

func (a *handler) who(w http.ResponseWriter, _ *http.Request) error {
	v := api.Version{Version: a.version, PID: os.Getpid(), Temporary: a.options.Temporary}
	if a.options.Problems != nil {
		v.Problems = a.options.Problems()
	}
	return reply(w, v)
}

func (a *handler) list(w http.ResponseWriter, _ *http.Request) error {
	all := []status.Upstream{}
	for _, u := range a.instance.Manager.All() {
		all = append(all, u.Status())
	}
	return reply(w, all)
}

func (a *handler) inactive(w http.ResponseWriter, _ *http.Request) error {
	all, err := a.instance.Manager.Inactive()
	if err != nil {
		return err
	}
	return reply(w, all)
}

func oneStatus(w http.ResponseWriter, _ *http.Request, u *upstream.Upstream) error {
	return reply(w, u.Status())
}

func explained(w http.ResponseWriter, _ *http.Request, u *upstream.Upstream) error {
	return reply(w, explain.Of(u.Machine().Definition().Graph(), u.Status()))
}

func (a *handler) reload(w http.ResponseWriter, r *http.Request) error {
	if a.options.Reload == nil {
		return fmt.Errorf("%w: this proxy was started without a configuration file, so that there is none to be read; restart it with its "+
			"new upstreams", errRequest)
	}
	if err := a.options.Reload(r.Context()); err != nil {
		return err
	}
	return reply(w, struct{}{})
}

// page invites whoever asks at the socket to the page for users.
func (a *handler) page(w http.ResponseWriter, _ *http.Request) error {
	if a.options.Invite == nil {
		return fmt.Errorf("%w: this process has no page; start a proxy with: mcpproxy serve", errRequest)
	}
	address, err := a.options.Invite()
	if err != nil {
		return err
	}
	return reply(w, api.Invitation{URL: address})
}

// yield has the store given free for the proxy that asks, soon after the answer.
func (a *handler) yield(w http.ResponseWriter, r *http.Request) error {
	return reply(w, api.Yielded{Yields: a.options.Yield != nil && a.options.Yield(r.PostFormValue("started") == "yes")})
}

func (a *handler) journal(w http.ResponseWriter, r *http.Request, u *upstream.Upstream) error {
	limit, err := count(r.URL.Query(), "limit")
	if err != nil {
		return err
	}
	lines, err := u.Journal(limit)
	if err != nil {
		return err
	}
	return reply(w, lines)
}

// count reads a number that is not negative; one that is not there is 0.
func count(query url.Values, name string) (int, error) {
	text := query.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %s=%q is not a number from 0 on", errRequest, name, text)
	}
	return n, nil
}

// paste takes the address that a browser elsewhere ended on.
func (a *handler) paste(w http.ResponseWriter, r *http.Request) error {
	address, err := url.Parse(r.PostFormValue("address"))
	if err != nil || address.RawQuery == "" {
		return fmt.Errorf("%w: the pasted text is not the address that the browser ended on; it begins with http://127.0.0.1 and has a "+
			"question mark", errRequest)
	}
	page, err := a.instance.Callback.Pasted(r.Context(), address.Query())
	if err != nil {
		return err
	}
	return reply(w, api.Pasted{Good: page.Good, Title: page.Title, Text: page.Text, Next: page.Next})
}

// stdio turns the connection into an MCP client's standard streams.
func (a *handler) stdio(w http.ResponseWriter, r *http.Request) error {
	if a.options.Temporary {
		return fmt.Errorf("%w: this process serves no MCP client; start a proxy with: mcpproxy serve", errRequest)
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mcp\r\n\r\n")); err != nil {
		return nil // the client went away
	}
	_ = a.instance.Proxy.ServeStdio(context.WithoutCancel(r.Context()), r.URL.Query().Get("upstream"), buffered, conn) // the client went away
	return nil
}
