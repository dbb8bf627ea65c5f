package oauthserver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one way of misbehaving.
type Fault struct {
	// Endpoint is prm, metadata, register, par, authorize, token, revoke, device or mcp.
	Endpoint string `json:"endpoint"`
	// Kind is one of Kinds.
	Kind string `json:"kind"`
	// Grant narrows a token fault to a grant_type, Method an mcp fault to a method.
	Grant  string `json:"grant,omitempty"`
	Method string `json:"method,omitempty"`
	// Count is how many requests meet it; 0 means all until it is cleared.
	Count int `json:"count,omitempty"`
	// Delay in milliseconds, for the kind delay; Status for the kind status;
	// RetryAfter in seconds for 429 and 503; TTL in seconds for the kind ttl.
	Delay      int `json:"delay,omitempty"`
	Status     int `json:"status,omitempty"`
	RetryAfter int `json:"retry_after,omitempty"`
	TTL        int `json:"ttl,omitempty"`
	// Error is the OAuth error code for the kind refuse.
	Error string `json:"error,omitempty"`
	// Body and ContentType are the answer of the kinds answer and taken, under Status, or
	// 200; without a type it is application/json. In the body {{access_token}},
	// {{refresh_token}} and {{url}} stand for what would have been issued and for the
	// server's own address.
	Body        string `json:"body,omitempty"`
	ContentType string `json:"content_type,omitempty"`
}

// Kinds are the kinds of fault.
func Kinds() []string {
	return slices.Sorted(maps.Keys(endpoints()))
}

// endpoints says where each kind of fault makes sense.
func endpoints() map[string][]string {
	everywhere := []string{"prm", "metadata", "register", "par", "authorize", "token", "revoke", "device", "mcp"}
	token := []string{"token"}
	all := map[string][]string{
		"answer": everywhere, "delay": everywhere, "status": everywhere, "cut-before": everywhere, "malformed": everywhere, "html": everywhere,
		"taken": token, "cut-after": token, "hold-after": token, "invalid-grant": token, "invalid-client": token, "no-expiry": token,
		"refuse": {"register", "par", "token", "revoke", "device"}, "no-refresh-token": token, "ttl": token, "clock-skew": token,
		"narrow":       token,
		"wrong-issuer": {"metadata", "authorize"}, "denied": {"authorize"}, "unauthorized": {"mcp"},
	}
	maps.Copy(all, mcpKinds())
	return all
}

// ParseFault reads "endpoint:kind[,key=value]...", the form of the flag. A body comes last,
// as it may hold commas.
func ParseFault(text string) (Fault, error) {
	text, body, _ := strings.Cut(text, ",body=")
	head, rest, _ := strings.Cut(text, ",")
	endpoint, kind, _ := strings.Cut(head, ":")
	f := Fault{Endpoint: endpoint, Kind: kind, Body: body}
	for _, part := range strings.FieldsFunc(rest, func(r rune) bool { return r == ',' }) {
		key, value, _ := strings.Cut(part, "=")
		if text := map[string]*string{"grant": &f.Grant, "method": &f.Method, "error": &f.Error,
			"content_type": &f.ContentType}[key]; text != nil {
			*text = value
			continue
		}
		n, err := strconv.Atoi(value)
		field := map[string]*int{"count": &f.Count, "delay": &f.Delay, "status": &f.Status, "retry_after": &f.RetryAfter, "ttl": &f.TTL}[key]
		if err != nil || field == nil {
			return f, fmt.Errorf("fault %q: %q is not one of grant=, method=, error=, content_type=, body=, count=, delay=, status=, "+
				"retry_after=, ttl= with a number", text, part)
		}
		*field = n
	}
	return f, f.check()
}

func (f *Fault) check() error {
	places := endpoints()[f.Kind]
	switch {
	case places == nil:
		return fmt.Errorf("unknown kind %q of a fault; there are %s", f.Kind, strings.Join(Kinds(), ", "))
	case !slices.Contains(places, f.Endpoint):
		return fmt.Errorf("a fault of the kind %s happens at %s, and not at %q", f.Kind, strings.Join(places, ", "), f.Endpoint)
	case f.Kind == "status" && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("a fault of the kind status needs a status from 400 to 599, and not %d", f.Status)
	case (f.Kind == "answer" || f.Kind == "taken") && f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("a fault of the kind %s has a status from 200 to 599, and not %d", f.Kind, f.Status)
	case f.Kind == "moved" && (f.Status < 300 || f.Status > 399):
		return fmt.Errorf("a fault of the kind moved needs a status from 300 to 399, and not %d", f.Status)
	case f.Kind == "refuse" && f.Error == "":
		return errors.New("a fault of the kind refuse needs an error code")
	case (f.Kind == "ttl" || f.Kind == "clock-skew") && f.TTL <= 0:
		return fmt.Errorf("a fault of the kind %s needs ttl, in seconds", f.Kind)
	}
	return nil
}

func (f *Fault) is(kind string) bool { return f != nil && f.Kind == kind }

// SetFaults replaces all faults.
func (s *Server) SetFaults(faults ...Fault) error {
	var all []*Fault
	for _, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
		all = append(all, &f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = all
	return nil
}

// fault takes the next fault that is ordered for a request. what is the grant_type
// or the method that it asks for.
func (s *Server) fault(endpoint, what string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Endpoint != endpoint || f.Grant+f.Method != "" && f.Grant+f.Method != what {
			continue
		}
		copied := *f
		if f.Count > 0 {
			if f.Count--; f.Count == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return &copied
	}
	return nil
}

// faulty performs the faults that every endpoint may have, and hands on the others.
func (s *Server) faulty(endpoint string, next func(http.ResponseWriter, *http.Request, *Fault)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		grant := ""
		if r.Method == http.MethodPost && endpoint == "token" {
			grant = r.PostFormValue("grant_type")
		}
		s.count(func(c *Counters) { c.request(endpoint, grant) })
		f := s.fault(endpoint, grant)
		if f != nil && s.misbehave(w, r, f) {
			return
		}
		next(w, r, f)
	}
}

// request counts one request, whatever becomes of it.
func (c *Counters) request(endpoint, grant string) {
	switch {
	case endpoint == "prm":
		c.ResourceMetadata++
	case endpoint == "metadata":
		c.ServerMetadata++
	case endpoint == "register":
		c.Register++
	case endpoint == "authorize":
		c.Authorize++
	case endpoint == "revoke":
		c.Revoke++
	case endpoint == "par":
		c.Pushed++
	case endpoint == "device":
		c.Device++
	case grant == "refresh_token":
		c.TokenRefresh++
	case grant == "client_credentials":
		c.TokenClient++
	case grant == exchangeGrant:
		c.TokenExchange++
	case grant == bearerGrant:
		c.TokenAssertion++
	case grant == deviceGrant:
		c.TokenDevice++
	default:
		c.TokenCode++
	}
}

// misbehave reports whether the fault was the whole answer.
func (s *Server) misbehave(w http.ResponseWriter, r *http.Request, f *Fault) bool {
	switch f.Kind {
	case "delay":
		select {
		case <-time.After(time.Duration(f.Delay) * time.Millisecond):
		case <-r.Context().Done():
			return true
		}
		return false
	case "status":
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		http.Error(w, "on purpose", f.Status)
	case "answer":
		s.say(w, f, answer{})
	case "refuse":
		oauthError(w, http.StatusBadRequest, f.Error, "on purpose")
	case "cut-before":
		cut(w)
	case "malformed":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token": `)) // the client went away
	case "html":
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><body>maintenance</body></html>")) // the client went away
	default:
		return false
	}
	return true
}

// say gives the answer of a fault; a is what would have been issued.
func (s *Server) say(w http.ResponseWriter, f *Fault, a answer) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	w.Header().Set("Content-Type", cmp.Or(f.ContentType, "application/json"))
	w.WriteHeader(cmp.Or(f.Status, http.StatusOK))
	fill := strings.NewReplacer("{{access_token}}", a.AccessToken, "{{refresh_token}}", a.RefreshToken, "{{url}}", s.url)
	_, _ = fill.WriteString(w, f.Body) // the client went away
}

// cut closes the connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// control is for tests and users on this machine.
func (s *Server) control(mux *http.ServeMux) {
	mux.HandleFunc("GET /control/counters", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Counters()) })
	mux.HandleFunc("POST /control/faults", func(w http.ResponseWriter, r *http.Request) {
		var faults []Fault
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&faults)
		if err == nil {
			err = s.SetFaults(faults...)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	for name, act := range map[string]func(){"reset": s.Reset, "revoke-access": s.RevokeAccess, "forget-clients": s.ForgetClients,
		"forget-sessions": s.ForgetSessions, "move-token": s.MoveToken} {
		mux.HandleFunc("POST /control/"+name, func(http.ResponseWriter, *http.Request) { act() })
	}
}

// Reset sets the counters to zero and clears the faults.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters, s.faults = Counters{MCP: map[string]int{}}, nil
}

// RevokeAccess makes the MCP endpoint refuse every access token that there is;
// refresh tokens still work.
func (s *Server) RevokeAccess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants.access = map[string]*access{}
}

// ForgetClients drops every client and grant.
func (s *Server) ForgetClients() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants = newGrants(nil)
}

// ForgetSessions makes the MCP endpoint refuse the sessions that there are: with 404.
func (s *Server) ForgetSessions() {
	s.ForgetSessionsSaying(http.StatusNotFound, "text/plain", "session not found")
}

// ForgetSessionsSaying makes the MCP endpoint refuse the sessions that there are in words of
// another server.
func (s *Server) ForgetSessionsSaying(status int, contentType, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessionRefusal = sessionAnswer{status, contentType, body}
	for id := range s.sessions {
		s.sessions[id] = false
	}
}

// sessionAnswer is one to a request of a session that is forgotten.
type sessionAnswer struct {
	status      int
	contentType string
	body        string
}

func (s *Server) refuseSession(w http.ResponseWriter) {
	s.mu.Lock()
	answer := s.sessionRefusal
	s.mu.Unlock()
	w.Header().Set("Content-Type", answer.contentType)
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, answer.body)
}

// RefreshWorks reports whether the refresh token would be exchanged for another now.
func (s *Server) RefreshWorks(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.grants.refresh[token]
	return g != nil && !g.revoked && g.refresh == token && s.grants.clients[g.client] != nil
}

// RevokeGrants ends every grant that there is, as a user does at the server.
func (s *Server) RevokeGrants() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.grants.refresh {
		g.revoked = true
	}
}
