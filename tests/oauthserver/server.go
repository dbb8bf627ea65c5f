package oauthserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// Options of a server. The zero value rotates refresh tokens, asks for consent on
// a page and lets access tokens live an hour.
type Options struct {
	// Port to listen on; 0 takes a free one.
	Port int
	// Listener to serve on instead of a port.
	Listener net.Listener
	// Clock is the server's; nil is everybody's.
	Clock func() time.Time
	// Front, if set, stands before every handler; ConnContext is net/http's.
	Front          func(http.Handler) http.Handler
	ConnContext    func(context.Context, net.Conn) context.Context
	AccessTokenTTL time.Duration
	// KeepRefreshTokens switches rotation off.
	KeepRefreshTokens bool
	// NoRefreshTokens issues none.
	NoRefreshTokens bool
	// AutoApprove consents without a page.
	AutoApprove bool
	// NoRegistration switches dynamic registration off; NoAuth protection altogether.
	// OptionalAuth takes requests without a token, and refuses tokens that are not good.
	NoRegistration bool
	NoAuth         bool
	OptionalAuth   bool
	// ConfidentialOnly registers no public client, and lists none all the same. ScopeBound
	// holds a client to the scopes that it registered, as Ory Hydra does. RefuseScope is one
	// that no client may register.
	// SignedOnly is the algorithm of client assertions by which alone clients show
	// themselves (private_key_jwt, RFC 7523).
	SignedOnly       string
	ConfidentialOnly bool
	ScopeBound       bool
	RefuseScope      string
	// PushRequired takes authorization requests only that were pushed (RFC 9126); they are
	// good for PushTTL, a minute by default.
	PushRequired bool
	PushTTL      time.Duration
	// Quirks are what the specifications do not have.
	Quirks Quirks
	// Sessions has the MCP server speak the revisions with a session only (up to
	// 2025-11-25).
	Sessions bool
	// ProofRequired binds tokens to keys (RFC 9449); ProofNonces demands a nonce with
	// each proof, at the token endpoint and at the MCP endpoint another one.
	ProofRequired bool
	ProofNonces   bool
	// MetadataCacheControl is the Cache-Control header of the metadata; empty is none.
	MetadataCacheControl string
	// Leeway is how long after their end access tokens are still taken.
	Leeway time.Duration
	// Identities are the ID tokens that are exchanged, and the JWTs of workloads.
	Identities []string
	// Faults are ordered from the first request on.
	Faults []Fault
	// Clients are registered beforehand: ids and their secrets ("" for public ones).
	Clients map[string]string
	Logger  *slog.Logger
}

// Server is a running server.
type Server struct {
	options Options
	url     string
	http    *http.Server
	work    sync.WaitGroup
	// handlers are the requests that are being answered.
	handlers sync.WaitGroup
	tools    *server.MCPServer

	mu       sync.Mutex
	closed   bool // no handler begins any more
	grants   grants
	counters Counters
	faults   []*Fault
	nonces   nonces
	sessions map[string]bool // false once forgotten
	// sessionRefusal is how those are refused.
	sessionRefusal sessionAnswer
	moved          bool // the token endpoint
}

// Counters count what the server was asked, since the start or the last reset.
type Counters struct {
	Authorize        int            `json:"authorize"`
	Approved         int            `json:"approved"`
	Register         int            `json:"register"`
	Revoke           int            `json:"revoke"`
	TokenCode        int            `json:"token_code"`
	TokenRefresh     int            `json:"token_refresh"`
	TokenClient      int            `json:"token_client"`
	TokenDevice      int            `json:"token_device"`
	TokenExchange    int            `json:"token_exchange"`
	TokenAssertion   int            `json:"token_assertion"`
	Device           int            `json:"device"`
	Pushed           int            `json:"pushed"`
	RefreshReused    int            `json:"refresh_reused"`
	ResourceMetadata int            `json:"resource_metadata"`
	ServerMetadata   int            `json:"server_metadata"`
	Unauthorized     int            `json:"unauthorized"`
	Forbidden        int            `json:"forbidden"`
	NonceDemanded    int            `json:"nonce_demanded"`
	MCP              map[string]int `json:"mcp"`
}

// Start runs a server until Close.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.AccessTokenTTL == 0 {
		o.AccessTokenTTL = time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	listener := o.Listener
	if listener == nil {
		var config net.ListenConfig
		var err error
		if listener, err = config.Listen(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", o.Port)); err != nil {
			return nil, err
		}
	}
	s := &Server{options: o, url: "http://" + listener.Addr().String(), sessions: map[string]bool{}}
	s.grants = newGrants(o.Clients)
	s.nonces.proofs = map[string]bool{}
	if o.ProofNonces {
		s.RenewNonces()
	}
	if err := s.SetFaults(o.Faults...); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.counters.MCP = map[string]int{}
	s.http = &http.Server{
		Handler:           s.routes(),
		ConnContext:       o.ConnContext,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	s.work.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.Logger.Error("the server ended", "error", err)
		}
	})
	return s, nil
}

// URL is the issuer.
func (s *Server) URL() string { return s.url }

// MCPURL is the protected MCP endpoint.
func (s *Server) MCPURL() string { return s.url + "/mcp" }

// Counters returns the counts so far.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	counters := s.counters
	counters.MCP = map[string]int{}
	for method, n := range s.counters.MCP {
		counters.MCP[method] = n
	}
	return counters
}

// Close ends the server and every open connection.
func (s *Server) Close() error {
	err := s.http.Close()
	s.work.Wait()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.handlers.Wait()
	return err
}

func (s *Server) count(add func(*Counters)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	add(&s.counters)
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-protected-resource/mcp", s.faulty("prm", s.resourceMetadata))
	mux.HandleFunc("GET /.well-known/oauth-protected-resource", s.faulty("prm", s.resourceMetadata))
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", s.faulty("metadata", s.serverMetadata))
	mux.HandleFunc("GET /.well-known/openid-configuration", s.faulty("metadata", s.serverMetadata))
	mux.HandleFunc("POST /par", s.faulty("par", s.pushRequest))
	mux.HandleFunc("POST /device_authorization", s.faulty("device", s.deviceAuthorization))
	mux.HandleFunc("POST /device", s.deviceDecision)
	mux.HandleFunc("GET /authorize", s.faulty("authorize", s.authorize))
	mux.HandleFunc("POST /authorize", s.decide)
	mux.HandleFunc("POST /token", s.faulty("token", s.token))
	mux.HandleFunc("POST /moved/token", s.faulty("token", s.token))
	mux.HandleFunc("POST /register", s.faulty("register", s.register))
	mux.HandleFunc("POST /revoke", s.faulty("revoke", s.revoke))
	served := s.protect(s.mcpServer())
	mux.Handle("/mcp", served)
	mux.Handle("/mcp/", served)
	s.control(mux)
	var handler http.Handler = mux
	if s.options.Front != nil {
		handler = s.options.Front(mux)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.begin() {
			return
		}
		defer s.handlers.Done()
		handler.ServeHTTP(w, r)
	})
}

// begin notes a request, unless the server is closed: its connection was taken just
// before, and is cut by now.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.handlers.Add(1)
	return true
}

// publish answers with a metadata document.
func (s *Server) publish(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	if s.options.MetadataCacheControl != "" {
		w.Header().Set("Cache-Control", s.options.MetadataCacheControl)
	}
	_ = json.NewEncoder(w).Encode(document) // the client went away
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client went away
}

func oauthError(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": description})
}
