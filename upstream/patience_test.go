package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/states"
)

// hanging is a network on which nobody ever answers.
type hanging struct{}

func (hanging) RoundTrip(request *http.Request) (*http.Response, error) {
	<-request.Context().Done()
	return nil, request.Context().Err()
}

// asks makes a call without a deadline of its own, and returns after how long it was answered.
func (u bubbled) asks(t *testing.T) (after time.Duration, answer *jsonrpc.Error) {
	t.Helper()
	begun := time.Now()
	_, err := u.Call(t.Context(), relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"t"}`)})
	if err != nil && !errors.As(err, &answer) {
		t.Errorf("the call ended with %v", err)
	}
	return time.Since(begun), answer
}

// A call to a server that refuses connections, or that never answers, is answered within
// 30 s, whenever it comes, and soon where the next attempt is known to come later. The
// answer says the state, the reason, the next attempt and what to do (fault C1).
func TestACallIsAnsweredWithinItsBound(t *testing.T) {
	for name, network := range map[string]http.RoundTripper{"refuses": &flapping{}, "never answers": hanging{}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := serveOver(t, network)
				atOnce := 0
				for range 40 {
					after, answer := u.asks(t)
					if answer == nil || answer.Code != jsonrpc.CodeUnavailable || after > 32*time.Second {
						t.Fatalf("answered after %s with %v", after, answer)
					}
					if after <= 2*time.Second { // an attempt that is made for the call is waited for
						atOnce++
						if after == 0 && !strings.Contains(answer.Message, "the next one is at") {
							t.Errorf("it does not say when the next attempt is: %s", answer.Message)
						}
					}
					for _, says := range []string{"limits.callWait", "mcpproxy upstream connect u", "statectl explain u"} {
						if !strings.Contains(answer.Message, says) {
							t.Errorf("%q is missing in %s", says, answer.Message)
						}
					}
					if state, _ := jsonrpc.String(answer.Data, "state"); !strings.Contains(answer.Message, state) || state == "" {
						t.Errorf("the data are %s", answer.Data)
					}
					time.Sleep(7 * time.Second)
				}
				if atOnce == 0 {
					t.Error("no call was answered soon where the next attempt was known to come later")
				}
			})
		})
	}
}

// A call that comes while a server is away is carried out where it comes back in time,
// and one that runs at the server is not cut.
func TestACallWaitsForAServerThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flapping{}
		u := f.serve(t)
		time.Sleep(time.Second)
		go func() {
			time.Sleep(5 * time.Second)
			f.set(true)
		}()
		if after, answer := u.asks(t); answer != nil || after < 5*time.Second || after > 30*time.Second {
			t.Errorf("answered after %s with %v", after, answer)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := &slowCalls{flapping: &flapping{}, takes: 5 * time.Minute}
		s.set(true)
		u := serveOver(t, s)
		u.awaitState(t, states.Connected)
		if after, answer := u.asks(t); answer != nil || after != s.takes {
			t.Errorf("a call that runs was answered after %s with %v", after, answer)
		}
		s.set(false)
	})
}

// slowCalls answers calls after a while.
type slowCalls struct {
	*flapping
	takes time.Duration
}

func (s *slowCalls) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Header.Get("Mcp-Method") == "tools/call" {
		select {
		case <-time.After(s.takes):
		case <-request.Context().Done():
			return nil, context.Cause(request.Context())
		}
	}
	return s.flapping.RoundTrip(request)
}
