package oauthserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one way of misbehaving.
type Fault struct {
	// Endpoint is prm, metadata, register, authorize, token, revoke or mcp.
	Endpoint string `json:"endpoint"`
	// Kind is one of Kinds.
	Kind string `json:"kind"`
	// Grant narrows a token fault to a grant_type.
	Grant string `json:"grant,omitempty"`
	// Count is how many requests meet it; 0 means all until it is cleared.
	Count int `json:"count,omitempty"`
	// Delay in milliseconds, for the kind delay; Status for the kind status;
	// RetryAfter in seconds for 429 and 503; TTL in seconds for the kind ttl.
	Delay      int `json:"delay,omitempty"`
	Status     int `json:"status,omitempty"`
	RetryAfter int `json:"retry_after,omitempty"`
	TTL        int `json:"ttl,omitempty"`
}

// Kinds are the kinds of fault.
func Kinds() []string {
	return []string{"delay", "status", "cut-before", "cut-after", "hold-after", "invalid-grant", "invalid-client", "wrong-issuer", "no-expiry", "no-refresh-token", "ttl",
		"malformed", "html", "unauthorized", "denied"}
}

// ParseFault reads "endpoint:kind[,key=value]...", the form of the flag.
func ParseFault(text string) (Fault, error) {
	head, rest, _ := strings.Cut(text, ",")
	endpoint, kind, _ := strings.Cut(head, ":")
	f := Fault{Endpoint: endpoint, Kind: kind}
	for _, part := range strings.FieldsFunc(rest, func(r rune) bool { return r == ',' }) {
		key, value, _ := strings.Cut(part, "=")
		if key == "grant" {
			f.Grant = value
			continue
		}
		n, err := strconv.Atoi(value)
		field := map[string]*int{"count": &f.Count, "delay": &f.Delay, "status": &f.Status, "retry_after": &f.RetryAfter, "ttl": &f.TTL}[key]
		if err != nil || field == nil {
			return f, fmt.Errorf("fault %q: %q is not one of grant=, count=, delay=, status=, retry_after=, ttl= with a number", text, part)
		}
		*field = n
	}
	return f, f.check()
}

func (f *Fault) check() error {
	if !slices.Contains([]string{"prm", "metadata", "register", "authorize", "token", "revoke", "mcp"}, f.Endpoint) {
		return fmt.Errorf("unknown endpoint %q of a fault", f.Endpoint)
	}
	if !slices.Contains(Kinds(), f.Kind) {
		return fmt.Errorf("unknown kind %q of a fault; there are %s", f.Kind, strings.Join(Kinds(), ", "))
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

// fault takes the next fault that is ordered for a request.
func (s *Server) fault(endpoint, grant string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Endpoint != endpoint || f.Grant != "" && f.Grant != grant {
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
		f := s.fault(endpoint, grant)
		if f != nil && s.misbehave(w, r, f) {
			return
		}
		next(w, r, f)
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
	if f.Kind == "status" && r.URL.Path == "/token" {
		s.count(func(c *Counters) {
			if r.PostFormValue("grant_type") == "refresh_token" {
				c.TokenRefresh++
			} else {
				c.TokenCode++
			}
		})
	}
	return true
}

// cut closes the connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// control is for tests and people on this machine.
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
	for name, act := range map[string]func(){"reset": s.Reset, "revoke-access": s.RevokeAccess, "forget-clients": s.ForgetClients, "forget-sessions": s.ForgetSessions} {
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

// ForgetSessions makes the MCP endpoint answer 404 to the sessions that there are.
func (s *Server) ForgetSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.sessions {
		s.sessions[id] = false
	}
}
