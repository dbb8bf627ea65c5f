// Package admin is the way to a running proxy for the programs of the same user:
// HTTP and JSON on a unix socket with the mode 0600.
//
// It promises that no answer holds a secret but the authorization page's address
// for the person who asked to log in. It serves people's wishes only; what is
// legal is the state machines' to say.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/instance"
	"mcpproxy/upstream"
)

// Report is one line of a login's answer: progress, or the outcome.
type Report struct {
	Flow     string    `json:"flow,omitempty"`
	URL      string    `json:"url,omitempty"`
	Opened   string    `json:"opened,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"`
	// Done marks the last line; Error is why it failed, or empty.
	Done  bool   `json:"done,omitempty"`
	Error string `json:"error,omitempty"`
}

// Problem is the body of every answer that says no.
type Problem struct {
	Error string `json:"error"`
	// Kind is unknown-upstream, illegal-transition, or failed.
	Kind string `json:"kind"`
}

// Listen listens on the socket. A socket that nobody serves any more is replaced.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("another proxy is running: it serves %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// Handler serves an instance. reload, if not nil, reads the configuration anew.
func Handler(i *instance.Instance, version string, reload func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, act func(http.ResponseWriter, *http.Request, *upstream.Upstream) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			u, err := i.Manager.Get(r.PathValue("name"))
			if err == nil {
				err = act(w, r, u)
			}
			if err != nil {
				refuse(w, err)
			}
		})
	}
	mux.HandleFunc("GET /v1/version", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"version": version, "pid": os.Getpid()})
	})
	mux.HandleFunc("GET /v1/upstreams", func(w http.ResponseWriter, _ *http.Request) {
		all := []upstream.Status{}
		for _, u := range i.Manager.All() {
			all = append(all, u.Status())
		}
		reply(w, all)
	})
	mux.HandleFunc("POST /v1/reload", func(w http.ResponseWriter, r *http.Request) {
		if err := reload(r.Context()); err != nil {
			refuse(w, err)
			return
		}
		reply(w, struct{}{})
	})
	mux.HandleFunc("POST /v1/stdio", func(w http.ResponseWriter, r *http.Request) { stdio(w, r, i) })
	mux.HandleFunc("POST /v1/paste", func(w http.ResponseWriter, r *http.Request) { paste(w, r, i) })
	on("GET /v1/upstreams/{name}", func(w http.ResponseWriter, _ *http.Request, u *upstream.Upstream) error {
		reply(w, u.Status())
		return nil
	})
	on("GET /v1/upstreams/{name}/journal", func(w http.ResponseWriter, r *http.Request, u *upstream.Upstream) error {
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit")) // 0 is all
		return journal(w, i, u.Name(), limit)
	})
	on("POST /v1/upstreams/{name}/login", login)
	on("POST /v1/upstreams/{name}/logout", func(w http.ResponseWriter, r *http.Request, u *upstream.Upstream) error {
		return done(w, u.Logout(r.Context()))
	})
	on("POST /v1/upstreams/{name}/cancel", func(w http.ResponseWriter, _ *http.Request, u *upstream.Upstream) error {
		return done(w, u.CancelLogin())
	})
	on("POST /v1/upstreams/{name}/connect", func(w http.ResponseWriter, _ *http.Request, u *upstream.Upstream) error {
		_, err := u.Connect(fsm.Person)
		return done(w, err)
	})
	on("POST /v1/upstreams/{name}/disconnect", func(w http.ResponseWriter, _ *http.Request, u *upstream.Upstream) error {
		_, err := u.Disconnect(fsm.Person)
		return done(w, err)
	})
	return mux
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client went away
}

func done(w http.ResponseWriter, err error) error {
	if err == nil {
		reply(w, struct{}{})
	}
	return err
}

func refuse(w http.ResponseWriter, err error) {
	status, kind := http.StatusBadGateway, "failed"
	switch {
	case errors.Is(err, upstream.ErrUnknown):
		status, kind = http.StatusNotFound, "unknown-upstream"
	case errors.Is(err, fsm.ErrIllegal), errors.Is(err, fsm.ErrStale), errors.Is(err, fsm.ErrGuarded):
		status, kind = http.StatusConflict, "illegal-transition"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(Problem{Error: err.Error(), Kind: kind}) // the client went away
}

// login streams the progress of a login, one JSON line each, to its outcome. With
// browser=none no browser is opened here.
func login(w http.ResponseWriter, r *http.Request, u *upstream.Upstream) error {
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	control := http.NewResponseController(w)
	say := func(report Report) {
		_ = lines.Encode(report) // the client went away; the login stays open
		_ = control.Flush()
	}
	begin := u.Login
	if r.PostFormValue("browser") == "none" {
		begin = u.LoginElsewhere
	}
	err := begin(r.Context(), func(p upstream.Progress) {
		say(Report{Flow: p.Flow, URL: p.URL, Opened: p.Opened, Deadline: p.Deadline})
	})
	last := Report{Done: true}
	if err != nil {
		last.Error = err.Error()
	}
	say(last)
	return nil
}

// paste takes the address that a browser elsewhere ended on.
func paste(w http.ResponseWriter, r *http.Request, i *instance.Instance) {
	address, err := url.Parse(r.PostFormValue("address"))
	if err != nil {
		refuse(w, errors.New("the pasted text is not an address"))
		return
	}
	page, err := i.Callback.Pasted(r.Context(), address.Query())
	if err != nil {
		refuse(w, err)
		return
	}
	reply(w, map[string]any{"good": page.Good, "title": page.Title, "text": page.Text, "next": page.Next})
}

func journal(w http.ResponseWriter, i *instance.Instance, name string, limit int) error {
	entries, err := i.Store.Journal(name, limit)
	if err != nil {
		return err
	}
	all := make([]json.RawMessage, 0, len(entries))
	for _, entry := range entries {
		all = append(all, entry)
	}
	reply(w, all)
	return nil
}

// stdio turns the connection into an MCP client's standard streams.
func stdio(w http.ResponseWriter, r *http.Request, i *instance.Instance) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, err)
		return
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mcp\r\n\r\n")); err != nil {
		return
	}
	_ = i.Proxy.ServeStdio(context.WithoutCancel(r.Context()), r.URL.Query().Get("upstream"), buffered, conn) // the client went away
}
