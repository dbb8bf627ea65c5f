package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/jsonrpc"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

func secret(text string) credential.Secret { return credential.NewSecret(text) }

var graph = transitions.Definition

var errorCode = regexp.MustCompile(`"code":(-\d+)`)

// call is a client's tool call through the proxy's downstream face.
func (w *world) call(name string, limit time.Duration) {
	w.mu.Lock()
	w.called++
	id := w.called
	w.mu.Unlock()
	p := w.now.Load()
	w.users.Go(func() {
		random := draw(w.seed, time.Now(), fmt.Sprint("call ", id))
		tool := "echo"
		if random.IntN(12) == 0 {
			tool = "admin" // which needs a scope that the first login does not ask for
		}
		sleep(context.Background(), time.Duration(random.IntN(3_000_000)))
		began := time.Now()
		outcome := w.ask(p, name, tool, fmt.Sprintf("c%d", id), limit)
		if late := time.Since(began) - limit; late > time.Second {
			w.violated("calls are answered", "call c%d was answered %s after its deadline", id, late)
		}
		w.trace("call c%d: %s", id, outcome)
		w.mu.Lock()
		w.answers[outcome]++
		w.mu.Unlock()
		if outcome == needsLogin && random.IntN(6) == 0 {
			sleep(context.Background(), time.Duration(random.Int64N(int64(time.Minute))))
			w.login(name, 7*time.Minute)
		}
	})
}

// needsLogin is what a call comes to that a user has to log in for.
var needsLogin = fmt.Sprint("error ", jsonrpc.CodeLoginNeeded)

func (w *world) ask(p *process, name, tool, text string, limit time.Duration) string {
	if !p.enter() {
		return "no proxy"
	}
	defer p.calls.Done()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // a client whose proxy dies hears of it
		select {
		case <-p.dead:
			cancel()
		case <-p.gone:
			cancel()
		case <-stop:
		}
	}()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},"name":%q,"arguments":{"text":%q}}}`, name+"__"+tool, text)
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:8930/mcp", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	request.Header.Set("Mcp-Protocol-Version", "2026-07-28")
	request.Header.Set("Mcp-Method", "tools/call")
	request.Header.Set("Mcp-Name", name+"__"+tool)
	answer := httptest.NewRecorder()
	p.face.ServeHTTP(answer, request)
	switch code := errorCode.FindSubmatch(answer.Body.Bytes()); {
	case p.isDead():
		return "the proxy died"
	case bytes.Contains(answer.Body.Bytes(), []byte(`"text":"`+text+`"`)), bytes.Contains(answer.Body.Bytes(), []byte("you are an administrator")):
		return "answered"
	case ctx.Err() != nil:
		return "given up"
	case code != nil:
		return "error " + string(code[1])
	}
	w.violated("calls are answered", "call %s got %d %s", text, answer.Code, answer.Body)
	return "nonsense"
}

// person does something with an upstream.
func (w *world) person(name, what string, do func(context.Context, *upstream.Upstream) error) {
	u, err := w.now.Load().manager.Get(name)
	if err != nil {
		return // it is being replaced
	}
	w.trace("a user %s %s", what, name)
	w.users.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		w.trace("a user %s %s: %t", what, name, do(ctx, u) == nil)
	})
}

func (w *world) login(name string, patience time.Duration) {
	p := w.now.Load()
	u, err := p.manager.Get(name)
	if err != nil {
		return
	}
	w.trace("a user logs in to %s", name)
	w.users.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err := u.Login(ctx, nil)
		var refused *upstream.LoginError
		switch {
		case p.isDead():
		case errors.As(err, &refused):
			w.trace("the login to %s ended: %s %s", name, refused.State, refused.Reason)
		default:
			w.trace("the login to %s ended: %t", name, err == nil)
		}
	})
}

// browse is the browser being opened at a page.
func (w *world) browse(p *process, page string) error {
	if p.isDead() {
		return errDead
	}
	target, err := url.Parse(page)
	if err != nil {
		return err
	}
	name := w.nameOf(target.Host)
	w.ledger.mu.Lock()
	out := w.ledger.loggedOut[name]
	w.ledger.mu.Unlock()
	if out {
		w.violated("logout is final", "a browser opens for %s", name)
	}
	random := draw(w.seed, time.Now(), "browser "+name)
	pause, n := time.Duration(random.Int64N(int64(time.Minute))), random.IntN(100)
	if !w.stormy() {
		n = 0
	}
	w.trace("the browser opens for %s", name)
	switch {
	case n >= 95:
		return errors.New("there is no browser")
	case n >= 85:
		w.faults.add(browserVanished)
		return nil
	case n >= 80:
		pause += 6 * time.Minute
	}
	w.users.Go(func() {
		sleep(context.Background(), pause)
		switch {
		case n >= 70 && n < 80:
			w.faults.add(loginDeclined)
			w.visit(declined(target, w.sites[name]))
		case n >= 60 && n < 70:
			w.faults.add(tabDoubled)
			w.users.Go(func() { w.visit(page) })
			w.visit(page)
		default:
			w.visit(page)
		}
	})
	return nil
}

// declined is where the authorization server sends a user who says no.
func declined(page *url.URL, s *site) string {
	q := page.Query()
	answer := url.Values{"error": {"access_denied"}, "state": {q.Get("state")}, "iss": {s.server.URL()}}
	return q.Get("redirect_uri") + "?" + answer.Encode()
}

// visit follows a page to its end. Where this machine does not answer the browser
// is reloaded a few times, as users do.
func (w *world) visit(page string) {
	client := &http.Client{Transport: w.browser, Timeout: 2 * time.Minute}
	for range 4 {
		response, err := client.Get(page)
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
			_ = response.Body.Close()
			if err == nil {
				return
			}
		}
		var failed *url.Error
		if !errors.As(err, &failed) || !strings.Contains(failed.URL, "/callback") {
			return
		}
		page = failed.URL
		sleep(context.Background(), 8*time.Second)
	}
}

// heal ends the faults and looks whether everything comes back, first by itself,
// then with a user who does what is asked.
func (w *world) heal() {
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	for _, s := range w.sites {
		s.leave(time.Time{})
	}
	w.elapse(30 * time.Minute)
	w.trace("the sky is clear")
	for _, c := range w.configs {
		if c.Name == spoilt {
			continue
		}
		u, err := w.now.Load().manager.Get(c.Name)
		if err != nil {
			w.violated("a way to Connected", "%v", err)
			continue
		}
		if !settled(u.Snapshot()) {
			w.violated("a way to Connected", "half an hour after the last fault %s is %s", c.Name, where(u))
		}
		w.helpUp(c.Name, u)
		w.auditParts(c.Name, u)
	}
	w.auditSpoilt()
}

func settled(s *transitions.Snapshot) bool {
	switch s.Region(states.Connection).State {
	case states.Connected, states.Disconnected, states.Failed:
		return true
	}
	switch state := s.Region(states.Credential).State; state {
	case states.Failed, states.AwaitingBrowser, states.AwaitingDevice: // a page that the machine opened a moment ago waits for its person
		return true
	default:
		return transitions.Is(states.Credential, state, transitions.NeedsUser)
	}
}

func where(u *upstream.Upstream) string {
	s := u.Snapshot()
	return fmt.Sprintf("%s/%s (%s; %s; %s)", s.Region(states.Connection).State, s.Region(states.Credential).State, s.Data.Reason,
		s.Data.ConnectionError.Text, s.Data.CredentialError.Text)
}

// helpUp is a user who connects an upstream, calls it, and logs in where that is
// asked: a grant that was revoked shows in the call only. The second login is for a
// client that the server has forgotten, which shows only in the browser.
func (w *world) helpUp(name string, u *upstream.Upstream) {
	outcome := ""
	for range 3 {
		_, _ = u.Connect(fsm.Person)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		err := u.AwaitPhase(ctx, states.Phase(states.Connected))
		cancel()
		if err == nil {
			if outcome = w.ask(w.now.Load(), name, "echo", "last", time.Minute); outcome == "answered" {
				return
			}
		}
		ctx, cancel = context.WithTimeout(context.Background(), 8*time.Minute)
		err = u.Login(ctx, nil)
		cancel()
		w.trace("helping %s: %t", name, err == nil)
	}
	if outcome = w.ask(w.now.Load(), name, "echo", "last", time.Minute); outcome != "answered" {
		w.violated("a way to Connected", "a user helped and the call to %s got %s: %s", name, outcome, where(u))
	}
}
