package proxy

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mcpproxy/credential"
	"mcpproxy/relay"
)

// Options of a server.
type Options struct {
	Upstreams relay.Upstreams
	Logger    *slog.Logger
	Version   string
	// Token, if set, is demanded of every client as a bearer token.
	Token credential.Secret
	// Login, if set, begins a login for a user at a browser and returns the page to
	// send the browser to. /login/<upstream> offers it.
	Login func(ctx context.Context, upstream string) (page string, err error)
	// Metrics, if set, is served at /metrics.
	Metrics http.Handler
	// AllowedHosts are names that are accepted in the Host header beside the loopback
	// names and, where clients need a token, beside addresses.
	AllowedHosts []string
	// AllowedOrigins are origins of web pages that may call, as https://app.example.com.
	// Pages of allowed hosts may too; only these are told so (CORS).
	AllowedOrigins []string
	// Limits bound what clients may have under way; the zero value is [DefaultLimits].
	Limits Limits
}

// Server serves all downstream clients. Close it after the HTTP server around it.
type Server struct {
	options Options

	limits   atomic.Pointer[Limits]
	sessions sync.Map // *session by id
	open     atomic.Int64
	buffers  buffers
	bodies   bodies
	outgoing outgoing
	// stateless is what waits for clients that have no session.
	stateless client
	// What is logged now and then only.
	drops, rooms seldom

	mu     sync.Mutex
	parked map[string]parkedCall // by request state
	idle   []idleSession         // perhaps, the least recently used first
	watch  *time.Timer           // nil while there are no sessions
	closed bool

	calls         sync.WaitGroup // of the stateless protocol
	subscriptions subscribers
}

// New returns a server.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{options: o, parked: map[string]parkedCall{}}
	s.Limit(o.Limits)
	s.bodies.buffers, s.bodies.limit = &s.buffers, func() int { return s.limits.Load().RequestMiB << 20 }
	s.outgoing.limits = func() Limits { return *s.limits.Load() }
	return s
}

// Bounds of a request: of its header, in bytes, of the time that a client may take to
// send it, and of the time that its connection may then lie idle. An answer may take
// as long as the call.
const (
	maxHeader   = 64 << 10
	headerLimit = 10 * time.Second
	readLimit   = time.Minute
	idleClient  = 10 * time.Minute
)

// NewHTTPServer returns a server for clients, bounded in what a request may take.
func NewHTTPServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerLimit,
		ReadTimeout:       readLimit,
		IdleTimeout:       idleClient,
		MaxHeaderBytes:    maxHeader,
	}
}

// Listen listens on address. Elsewhere than on the loopback address it demands
// that clients have a token.
func Listen(address string, token credential.Secret) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("the address %q is not host:port, write it as 127.0.0.1:8930: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && token.IsZero() {
		return nil, fmt.Errorf("listening on %s would open every upstream to the network; set a token for clients (--token-file), or listen "+
			"on 127.0.0.1", address)
	}
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("another program listens on %s; end it, or choose another address (--listen): %w", address, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be listened on; choose another address (--listen): %w", address, err)
	}
	return listener, nil
}

// Handler serves /mcp for all upstreams and /mcp/<upstream> for one, and
// /login/<upstream> for users; /metrics where there are any.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/mcp", s.guard(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, view{}) }))
	mux.Handle("/mcp/{upstream}", s.guard(func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("upstream")
		if _, ok := s.options.Upstreams.Upstream(name); !ok {
			http.Error(w, fmt.Sprintf("there is no upstream %q; configured are: %s", name, strings.Join(s.options.Upstreams.Names(), ", ")),
				http.StatusNotFound)
			return
		}
		s.serve(w, r, view{only: name})
	}))
	if s.options.Login != nil {
		offer := s.guard(s.loginPage)
		mux.Handle("GET /login/{upstream}", offer)
		mux.Handle("POST /login/{upstream}", offer)
	}
	if s.options.Metrics != nil {
		mux.Handle("GET /metrics", s.guard(s.options.Metrics.ServeHTTP))
		mux.HandleFunc("/metrics", onlyRead)
	}
	mux.HandleFunc("/", elsewhere)
	return mux
}

func onlyRead(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, r.Method+" is not for this address; it is only read", http.StatusMethodNotAllowed)
}

// elsewhere tells a user who has opened another address what is where.
func elsewhere(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "there is nothing here. MCP clients find all upstreams at /mcp, and one at /mcp/NAME; to look at the proxy, run: "+
		"mcpproxy ui", http.StatusNotFound)
}

// guard refuses what no MCP client of this machine sends: another Host (DNS
// rebinding), a web page's Origin, a missing token (MCP 2025-11-25 transports,
// security warning).
func (s *Server) guard(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		switch {
		case !s.hostAllowed(r.Host):
			http.Error(w, fmt.Sprintf("requests for the host %q are not served; call the proxy by 127.0.0.1 or localhost, or start it with "+
				"--allow-host and the name", r.Host), http.StatusForbidden)
		case !s.originAllowed(origin):
			http.Error(w, "requests of web pages of other machines are not served; call the proxy from a client or from a page of this "+
				"machine, or start it with --allow-origin and the page's origin", http.StatusForbidden)
		case s.shares(w, r, origin):
			w.WriteHeader(http.StatusNoContent)
		case !s.tokenFits(r.Header.Get("Authorization")):
			w.Header().Set("WWW-Authenticate", `Bearer realm="mcpproxy"`)
			http.Error(w, "a bearer token is needed: this proxy was started with --token-file; give the client the header Authorization: "+
				"Bearer with the token in that file", http.StatusUnauthorized)
		default:
			next(w, r)
		}
	})
}

// hostAllowed reports whether a Host header is the proxy's: a name of it, or, where
// clients need a token, an address, which DNS rebinding cannot give to another machine.
func (s *Server) hostAllowed(host string) bool {
	return s.named(host) || !s.options.Token.IsZero() && net.ParseIP(hostname(host)) != nil
}

// hostname is a host without its port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}

// named reports whether a host is this machine's or one of those that are allowed.
func (s *Server) named(host string) bool {
	name := hostname(host)
	if ip := net.ParseIP(name); name == "localhost" || ip != nil && ip.IsLoopback() {
		return true
	}
	for _, allowed := range s.options.AllowedHosts {
		if strings.EqualFold(allowed, name) || strings.EqualFold(allowed, host) {
			return true
		}
	}
	return false
}

func (s *Server) originAllowed(origin string) bool {
	if origin == "" || slices.Contains(s.options.AllowedOrigins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && s.named(u.Host)
}

// shares tells the browser of an allowed origin that its page may read the answer, and
// reports whether that is all that was asked: a preflight (Fetch standard, CORS protocol).
func (s *Server) shares(w http.ResponseWriter, r *http.Request, origin string) bool {
	if !slices.Contains(s.options.AllowedOrigins, origin) {
		return false
	}
	headers := w.Header()
	headers.Add("Vary", "Origin")
	headers.Set("Access-Control-Allow-Origin", origin)
	headers.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	headers.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	headers.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	headers.Set("Access-Control-Max-Age", "600")
	return true
}

func (s *Server) tokenFits(header string) bool {
	if s.options.Token.IsZero() {
		return true
	}
	return subtle.ConstantTimeCompare([]byte(header), []byte("Bearer "+s.options.Token.Reveal())) == 1
}

// Close ends all sessions and calls, and waits for the calls.
func (s *Server) Close() {
	for id := range s.sessions.Range {
		s.end(id.(string))
	}
	s.mu.Lock()
	s.closed = true
	if s.watch != nil {
		s.watch.Stop()
	}
	parked := s.parked
	s.parked = map[string]parkedCall{}
	s.mu.Unlock()
	for _, waiting := range parked {
		waiting.limit.Stop()
		waiting.call.cancel(errSessionEnded)
	}
	s.calls.Wait()
}
