package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"

	"mcpproxy/tests/oauthserver"
)

// site is one authorization and MCP server, and what stands in front of it: the
// place where requests are heard, delayed, answered wrongly and counted.
type site struct {
	world  *world
	name   string
	server *oauthserver.Server
	nature int

	mu     sync.Mutex
	ahead  time.Duration // of the server's clock
	away   time.Time     // until when the server is away
	newest time.Time     // arrival of the newest request that was answered
	// spent is what became of each refresh token that was sent, codes which were.
	spent map[string]*spending
	codes map[string]bool
}

// spending is one use of a refresh token.
type spending struct {
	// brought is the refresh token that the answer carries.
	brought string
	// excuse is why the answer may be lost.
	excuse string
}

func newSite(w *world, name string, o oauthserver.Options) *site {
	s := &site{world: w, name: name, spent: map[string]*spending{}, codes: map[string]bool{}}
	inner, err := w.network.listen(name, "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	o.Listener, o.Clock = inner, s.clock
	o.Front = s.front
	o.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	if s.server, err = oauthserver.Start(context.Background(), o); err != nil {
		w.Fatal(err)
	}
	return s
}

type connKey struct{}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead)
}

// request is what a request is to the simulation.
type request struct {
	// identity tells requests of one moment apart, and has nothing secret or random.
	identity string
	form     url.Values
	rpc      string
}

func identify(r *http.Request, body []byte) request {
	q := request{identity: r.Method + " " + r.URL.Path}
	if r.URL.Path == "/token" {
		q.form, _ = url.ParseQuery(string(body))
		q.identity += " " + q.form.Get("grant_type")
	}
	if r.URL.Path == "/mcp" {
		var m struct {
			Method string `json:"method"`
			Params struct {
				Name      string         `json:"name"`
				Arguments map[string]any `json:"arguments"`
			} `json:"params"`
		}
		_ = json.Unmarshal(body, &m) // a GET has no body
		q.rpc = m.Method
		q.identity += " " + m.Method + " " + m.Params.Name
		if text, ok := m.Params.Arguments["text"].(string); ok {
			q.identity += " " + text
		}
	}
	return q
}

// front stands before the server's handler.
func (s *site) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		q := identify(r, body)
		arrived := time.Now()
		random := draw(s.world.seed, arrived, s.name+q.identity)
		s.world.trace("%s %s", s.name, q.identity)
		if !sleep(r.Context(), time.Duration(random.IntN(20_000_000))) {
			s.world.trace("%s %s: nobody waits", s.name, q.identity)
			return
		}
		s.mu.Lock()
		gone := time.Now().Before(s.away)
		s.mu.Unlock()
		if gone {
			hangUp(w)
			return
		}
		c, _ := r.Context().Value(connKey{}).(*conn)
		bad := s.world.stormy() && random.Float64() < s.world.weather.network
		kind := ""
		if bad {
			kind = pickFault(random.IntN(1000))
			if q.form != nil && random.IntN(3) == 0 {
				kind = tokenAnswers[random.IntN(len(tokenAnswers))]
			}
			s.world.faults.add(kind)
			s.world.trace("%s %s: %s", s.name, q.identity, kind)
		}
		switch kind {
		case status429, status5xx:
			if random.IntN(2) == 0 {
				w.Header().Set("Retry-After", fmt.Sprint(1+random.IntN(30)))
			}
			status := []int{http.StatusInternalServerError, http.StatusServiceUnavailable}[random.IntN(2)]
			if kind == status429 {
				status = http.StatusTooManyRequests
			}
			http.Error(w, "on purpose", status)
			return
		case garbage:
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html><body>maintenance</body></html>")
			return
		case refusedOddly:
			http.Error(w, "try another time", http.StatusBadRequest)
			return
		case unreadable, misspelled:
			s.misanswer(w, r, next, q, kind)
			s.order(arrived)
			return
		case repeated:
			twin := r.Clone(r.Context())
			twin.Body = io.NopCloser(bytes.NewReader(body))
			if !streams(r, q) {
				s.spend(q, "the request was repeated on its way")
				next.ServeHTTP(httptest.NewRecorder(), twin)
			}
		case delayed:
			c.hurt(wound{kind: delayed, pause: time.Duration(random.Int64N(int64(40 * time.Second)))})
		case "":
		default:
			c.hurt(wound{kind: kind})
		}
		if q.form.Get("grant_type") != "refresh_token" && q.form.Get("code") == "" {
			next.ServeHTTP(w, r)
			s.order(arrived)
			return
		}
		excuse := kind
		if s.world.gone(c.peer) {
			excuse = "its sender is dead"
		}
		s.spend(q, excuse)
		copied := &copier{ResponseWriter: w}
		next.ServeHTTP(copied, r)
		s.bring(q, copied.text.Bytes())
		s.order(arrived)
	})
}

// misanswer has a token request carried out, and spells the answer in another way or as
// nothing that can be read.
func (s *site) misanswer(w http.ResponseWriter, r *http.Request, next http.Handler, q request, kind string) {
	excuse := "" // what cannot be read is spent, and not sent again
	if c, ok := r.Context().Value(connKey{}).(*conn); ok && s.world.gone(c.peer) {
		excuse = "its sender is dead"
	}
	if q.form.Get("grant_type") == "refresh_token" || q.form.Get("code") != "" {
		s.spend(q, excuse)
	}
	carried := httptest.NewRecorder()
	next.ServeHTTP(carried, r)
	text := carried.Body.Bytes()
	s.bring(q, text)
	var members map[string]any
	if carried.Code != http.StatusOK || json.Unmarshal(text, &members) != nil {
		w.WriteHeader(carried.Code)
		_, _ = w.Write(text) // the client went away
		return
	}
	if kind == unreadable {
		_, _ = w.Write(text[:len(text)/3])
		return
	}
	delete(members, "token_type")
	if life, ok := members["expires_in"].(float64); ok {
		members["expires_in"] = life + .25
	}
	w.Header().Set("Content-Type", "text/plain")
	_ = json.NewEncoder(w).Encode(members)
}

// streams reports whether the answer may last for ever.
func streams(r *http.Request, q request) bool {
	return r.Method == http.MethodGet || q.rpc == "subscriptions/listen"
}

// order notes a response that is given before that to an earlier request.
func (s *site) order(arrived time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if arrived.Before(s.newest) {
		s.world.faults.add(overtaken)
	}
	s.newest = later(s.newest, arrived)
}

func pickFault(n int) string {
	switch {
	case n < 750:
		return wounds[n%len(wounds)]
	case n < 950:
		return answers[n%len(answers)]
	}
	return repeated
}

func hangUp(w http.ResponseWriter) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
	}
}

// copier keeps what is answered.
type copier struct {
	http.ResponseWriter
	text bytes.Buffer
}

func (c *copier) Write(p []byte) (int, error) {
	c.text.Write(p)
	return c.ResponseWriter.Write(p)
}

// spend judges the arrival of a one-time secret.
func (s *site) spend(q request, excuse string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code := q.form.Get("code"); code != "" {
		if s.codes[code] && excuse == "" {
			s.world.violated("one use", "an authorization code was sent twice")
		}
		s.codes[code] = true
		return
	}
	token := q.form.Get("refresh_token")
	before := s.spent[token]
	if before == nil {
		if s.server.RefreshWorks(token) {
			s.spent[token] = &spending{excuse: excuse}
		}
		return
	}
	works := before.brought != "" && s.server.RefreshWorks(before.brought)
	switch {
	case excuse == "the request was repeated on its way":
	case works && s.world.disk.keeps(before.brought):
		s.world.violated("no reuse", "a refresh token was sent again although what it brought is on disk")
	case works && before.excuse == "":
		s.world.violated("no reuse", "a refresh token was sent again although its answer was not lost")
	}
	before.excuse += " " + excuse
}

// bring notes what an answer carries.
func (s *site) bring(q request, text []byte) {
	var answer struct {
		Refresh string `json:"refresh_token"`
	}
	if q.form.Get("grant_type") != "refresh_token" || json.Unmarshal(text, &answer) != nil || answer.Refresh == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.spent[q.form.Get("refresh_token")]; before != nil && before.brought == "" {
		before.brought = answer.Refresh
		s.world.trace("%s rotated", s.name)
	}
}

// excuse notes that what was answered lately may not have reached the disk.
func (s *site) excuse(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, use := range s.spent {
		if use.brought == "" || !s.world.disk.keeps(use.brought) {
			use.excuse += " " + why
		}
	}
}

// leap sets the server's clock.
func (s *site) leap(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += by
}

func (s *site) leave(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = until
}
