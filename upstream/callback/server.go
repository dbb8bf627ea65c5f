// Package callback receives the browser at the end of a login: a listener on
// 127.0.0.1 that knows the open flows by their state parameter.
//
// It promises that a request with an unknown state, from a wrong host, with a
// wrong method or path changes nothing and reaches no flow; that the listener is
// bound before a redirect address is given out and closed when no flow needs it;
// and that the page tells the login's real outcome. It decides nothing about a
// response: that is the flow's [Handler].
package callback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"mcpproxy/credential"
)

// Path is the path of a redirect address, unless the configuration gives another one.
const Path = "/callback"

// linger is how long a listener outlives its last flow, so that a browser that
// was redirected to the outcome finds it.
const linger = 3 * time.Second

// Handler is given the parsed query of a response that carries the flow's state.
// It returns what to show, and may take as long as the login takes to end.
type Handler func(ctx context.Context, query map[string][]string) Page

// Server owns the listeners of all open flows of one process.
type Server struct {
	// Listen binds an address of this machine: the network's, unless it is set before
	// the first flow.
	Listen func(ctx context.Context, address string) (net.Listener, error)

	logger *slog.Logger

	mu        sync.Mutex
	listeners map[int]*listener
	// ended remembers whom states of the past belonged to, newest last.
	ended []endedFlow
	work  sync.WaitGroup
}

type endedFlow struct {
	state credential.Secret
	late  Handler
}

// remembered bounds how many ended flows are recognised.
const remembered = 64

type listener struct {
	port   int
	http   *http.Server
	holds  int
	closes *time.Timer
	flows  map[credential.Secret]Handler
	// paths are those of redirect addresses beside Path.
	paths map[string]bool
}

// BusyError says that a port cannot be listened on.
type BusyError struct {
	Port int
	Err  error
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("the redirect address 127.0.0.1:%d cannot be listened on (%v): another program holds the port; end it, or set "+
		"oauth.callbackPort to another one or to 0", e.Port, e.Err)
}

// Unwrap returns the network error.
func (e *BusyError) Unwrap() error { return e.Err }

// NewServer returns a server without listeners.
func NewServer(logger *slog.Logger) *Server {
	return &Server{logger: logger, listeners: map[int]*listener{}, Listen: listenOnNetwork}
}

func listenOnNetwork(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp4", address)
}

// Reservation keeps a listener open. Release it when the flow is over.
type Reservation struct {
	server   *Server
	listener *listener
	once     sync.Once

	mu         sync.Mutex
	host, path string // of the redirect address, where they are not the usual ones
	state      credential.Secret
	late       Handler
}

// Reserve binds 127.0.0.1:port, or a free port for 0, unless it is bound already.
// It returns a [*BusyError] where another program holds the port.
func (s *Server) Reserve(ctx context.Context, port int) (*Reservation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[port]
	if port == 0 {
		for _, open := range s.listeners {
			l = open
		}
	}
	if l == nil {
		// Binding a loopback port does not wait for anybody.
		bound, err := s.Listen(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return nil, &BusyError{Port: port, Err: err}
		}
		l = s.serve(bound)
	}
	l.holds++
	if l.closes != nil && l.closes.Stop() {
		s.work.Done()
	}
	l.closes = nil
	return &Reservation{server: s, listener: l}, nil
}

func (s *Server) serve(bound net.Listener) *listener {
	l := &listener{port: bound.Addr().(*net.TCPAddr).Port, flows: map[credential.Secret]Handler{}, paths: map[string]bool{}}
	l.http = &http.Server{
		Handler:           s.routes(l),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	s.listeners[l.port] = l
	s.work.Go(func() {
		if err := l.http.Serve(limited(bound)); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Warn("the callback listener ended", "port", l.port, "error", err)
		}
	})
	return l
}

// RedirectURI is the address to give to the authorization server.
func (r *Reservation) RedirectURI() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("http://%s:%d%s", cmp.Or(r.host, "127.0.0.1"), r.listener.port, cmp.Or(r.path, Path))
}

// At gives the redirect address another host of this machine, which has to lead to
// 127.0.0.1, and another path; "" leaves either as it is.
func (r *Reservation) At(host, path string) {
	r.mu.Lock()
	r.host, r.path = host, path
	r.mu.Unlock()
	if path != "" {
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		r.listener.paths[path] = true
	}
}

// Served is At for a redirect address that was given out before.
func (r *Reservation) Served(redirect string) {
	if u, err := url.Parse(redirect); err == nil {
		r.At(u.Hostname(), u.Path)
	}
}

// Port is the bound port.
func (r *Reservation) Port() int { return r.listener.port }

// Expect makes responses with this state reach handle, and those that come when
// the flow is over reach late.
func (r *Reservation) Expect(state credential.Secret, handle, late Handler) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	r.listener.flows[state] = handle
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.late = state, late
}

// Release ends the flow at the listener. Further calls do nothing.
func (r *Reservation) Release() {
	r.once.Do(func() {
		r.mu.Lock()
		state, late := r.state, r.late
		r.mu.Unlock()
		r.server.release(r.listener, state, late)
	})
}

func (s *Server) release(l *listener, state credential.Secret, late Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !state.IsZero() {
		delete(l.flows, state)
		s.ended = append(s.ended, endedFlow{state, late})
		if len(s.ended) > remembered {
			s.ended = s.ended[1:]
		}
	}
	if l.holds--; l.holds > 0 {
		return
	}
	s.work.Add(1)
	l.closes = time.AfterFunc(linger, func() {
		defer s.work.Done()
		s.closeIdle(l)
	})
}

// closeIdle closes the listener unless a flow took it up again.
func (s *Server) closeIdle(l *listener) {
	s.mu.Lock()
	idle := l.holds == 0 && s.listeners[l.port] == l
	if idle {
		delete(s.listeners, l.port)
	}
	s.mu.Unlock()
	if idle {
		s.shut(l)
	}
}

// shut lets requests that wait for an outcome have it, for a moment.
func (s *Server) shut(l *listener) {
	ctx, cancel := context.WithTimeout(context.Background(), linger)
	defer cancel()
	if l.http.Shutdown(ctx) != nil {
		_ = l.http.Close()
	}
}

// Close closes every listener at once and waits for them.
func (s *Server) Close() {
	s.mu.Lock()
	open := s.listeners
	s.listeners = map[int]*listener{}
	for _, l := range open {
		if l.closes != nil && l.closes.Stop() {
			s.work.Done()
		}
	}
	s.mu.Unlock()
	for _, l := range open {
		s.shut(l)
	}
	s.work.Wait()
}

// find returns the handler for a state: of an open flow, else of one that is over.
func (s *Server) find(l *listener, state credential.Secret) (handle Handler, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if handle, open = l.flows[state]; open {
		return handle, true
	}
	for _, past := range s.ended {
		if past.state == state {
			return past.late, false
		}
	}
	return nil, false
}

// maxConnections bounds what a loopback program can hold open.
const maxConnections = 64

func limited(inner net.Listener) net.Listener {
	return &limitedListener{Listener: inner, slots: make(chan struct{}, maxConnections)}
}

type limitedListener struct {
	net.Listener
	slots chan struct{}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &limitedConn{Conn: conn, free: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			_ = conn.Close()
		}
	}
}

type limitedConn struct {
	net.Conn
	free func()
}

func (c *limitedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
