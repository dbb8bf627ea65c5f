package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// ledger stands before the test authorization server and notes every request to its
// token endpoint: in which of the proxy's lives it was sent, and what it brought.
type ledger struct {
	life   atomic.Int64
	active atomic.Int64 // requests to the token endpoint

	mu   sync.Mutex
	uses []use
	// hold is how long answers of the token endpoint are on their way.
	hold time.Duration
}

// use is one request with a refresh token or a code.
type use struct {
	life             int64
	presented, grant string
	// brought is the refresh token of the answer, or empty.
	brought string
}

type lifeKey struct{}

// tag gives a connection the life in which it was accepted.
func (l *ledger) tag(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, lifeKey{}, l.life.Load())
}

func (l *ledger) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/token" {
			next.ServeHTTP(w, r)
			return
		}
		l.active.Add(1)
		defer l.active.Add(-1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		select {
		case <-time.After(l.note(r, body, answer.Body.Bytes())):
		case <-r.Context().Done():
			return
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // the proxy died
	})
}

func (l *ledger) note(r *http.Request, body, answer []byte) (hold time.Duration) {
	form, _ := url.ParseQuery(string(body))
	var tokens struct {
		Refresh string `json:"refresh_token"`
	}
	_ = json.Unmarshal(answer, &tokens) // an error brings nothing
	life, _ := r.Context().Value(lifeKey{}).(int64)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uses = append(l.uses, use{life, form.Get("refresh_token") + form.Get("code"), form.Get("grant_type"), tokens.Refresh})
	return l.hold
}

func (l *ledger) delay(hold time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = hold
}

// bury ends a life: what its process has sent was answered when it returns.
func (l *ledger) bury(server string) {
	// Connections are accepted in the order in which they were made.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	if response, err := client.Get(server + "/control/counters"); err == nil {
		_ = response.Body.Close()
	}
	l.life.Add(1)
	for end := time.Now().Add(10 * time.Second); l.active.Load() > 0 && time.Now().Before(end); {
		<-time.After(time.Millisecond)
	}
}

// lastAnswer is the last refresh token that the life was given, with the grant.
func (l *ledger) lastAnswer(life int64) (brought, grant string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range l.uses {
		if u.life == life && u.brought != "" {
			brought, grant = u.brought, u.grant
		}
	}
	return brought, grant
}

// redeemed reports whether a code was sent to the token endpoint.
func (l *ledger) redeemed(code string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range l.uses {
		if u.presented == code {
			return true
		}
	}
	return false
}
