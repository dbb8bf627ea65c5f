package upstream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// openRig is a rig whose server wants no login, with sessions, and with faults from the
// first request on.
func openRig(t *testing.T, faults ...oauthserver.Fault) *rig {
	o := oauthserver.Options{NoAuth: true, Sessions: true}
	for i := range faults {
		faults[i].Endpoint = "mcp"
	}
	o.Faults = faults
	return newRig(t, o, nil)
}

// missing waits until a part is missing, and returns it.
func (r *rig) missing(name string) (found states.Part) {
	r.Helper()
	r.await(name+" to be missing", func(s *transitions.Snapshot) bool {
		at := slices.IndexFunc(s.Data.Parts, func(p states.Part) bool { return p.Name == name })
		if at >= 0 {
			found = s.Data.Parts[at]
		}
		return at >= 0
	})
	return found
}

func (r *rig) mustBeConnected(epoch uint64) {
	r.Helper()
	r.mustCall()
	if s := r.up.Snapshot().Region(states.Connection); s.State != states.Connected || s.Epoch != epoch {
		r.Errorf("it is %s of the epoch %d, and was connected in %d", s.State, s.Epoch, epoch)
	}
}

// A GET for the server's own stream may be answered with anything, by a server whose
// requests work: fault D1. It is connected without such a stream, which is a fact, and
// asked for it again seldom. A 401 there begins no login.
func TestAServerNeedNotHaveAStream(t *testing.T) {
	kinds := map[string]oauthserver.Fault{"empty": {Kind: "empty"}, "text": {Kind: "text"}, "html": {Kind: "html"},
		"malformed": {Kind: "malformed"},
		"cut":       {Kind: "cut-before"}}
	for _, status := range []int{400, 401, 403, 404, 405, 406, 410, 429, 500, 501, 502, 503, 504} {
		kinds[fmt.Sprint(status)] = oauthserver.Fault{Kind: "status", Status: status}
	}
	for name, fault := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault.Method = http.MethodGet
			r := openRig(t, fault)
			part := r.missing(states.OwnStream)
			epoch := r.up.Snapshot().Region(states.Connection).Epoch
			if part.Absent != (name == "405") || part.Text == "" || time.Until(part.RetryAt) < 500*time.Millisecond {
				t.Errorf("what is missing: %+v", part)
			}
			<-time.NewTimer(time.Second).C
			r.mustBeConnected(epoch)
			if asked := r.server.Counters().MCP[http.MethodGet]; asked > 2 { // one may be net/http's own
				t.Errorf("it was asked for its stream %d times in a second", asked)
			}
			status := r.up.Status()
			if len(status.Missing) != 1 || status.Missing[0].Part != states.OwnStream || status.Outlook != transitions.Serves {
				t.Errorf("the facts are %+v, and calls can expect %q", status.Missing, status.Outlook)
			}
			if s := r.up.Snapshot().Region(states.Credential).State; s != states.Anonymous {
				t.Errorf("the credential is %s", s)
			}
		})
	}
}

// A 401 to the GET says nothing about a token that requests are taken with: fault D1.
func TestAStreamThatIsRefusedEndsNoToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, Sessions: true,
		Faults: []oauthserver.Fault{{Endpoint: "mcp", Kind: "unauthorized", Method: http.MethodGet}}}, nil)
	r.login()
	r.missing(states.OwnStream)
	r.mustCall()
	r.awaitCredential(states.Fresh)
	r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// Streams that end as soon as they are open are asked for after pauses that grow:
// fault D2.
func TestAStreamThatEndsAtOnceIsAskedForSeldom(t *testing.T) {
	t.Parallel()
	r := openRig(t, oauthserver.Fault{Kind: "brief", Method: http.MethodGet})
	r.missing(states.OwnStream)
	epoch := r.up.Snapshot().Region(states.Connection).Epoch
	<-time.NewTimer(8 * time.Second).C
	r.mustBeConnected(epoch)
	if asked := r.server.Counters().MCP[http.MethodGet]; asked < 3 || asked > 5 {
		t.Errorf("it was asked for its stream %d times in about ten seconds", asked)
	}
}

// Events of another type, text, and answers to nobody are passed over wherever they
// come, from the handshake on: fault D3.
func TestNoiseOnStreamsIsPassedOver(t *testing.T) {
	for _, sessions := range []bool{true, false} {
		t.Run(fmt.Sprint("sessions ", sessions), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{NoAuth: true, Sessions: sessions, Faults: []oauthserver.Fault{{Endpoint: "mcp", Kind: "noise"}}}, nil)
			r.mustCall()
			if status := r.up.Status(); status.Tools == 0 || status.Resources == 0 || status.Prompts == 0 {
				t.Errorf("its lists have %d, %d, %d", status.Tools, status.Resources, status.Prompts)
			}
		})
	}
}

// A list that fails, or is never answered, is named, while the others and calls work, and
// is tried again: fault D4.
func TestAListThatCannotBeReadDecidesNothing(t *testing.T) {
	methods := []string{"prompts/list", "tools/list"}
	for kind, n := range map[string]int{"rpc-error": 2, "silent": 2, "cut-before": 2, "status": 1, "malformed": 1, "html": 1} {
		for _, method := range methods[:n] {
			t.Run(kind+" "+method, func(t *testing.T) {
				t.Parallel()
				o := oauthserver.Options{NoAuth: true, Sessions: true,
					Faults: []oauthserver.Fault{{Endpoint: "mcp", Kind: kind, Status: 503, Method: method}}}
				r := newRig(t, o, func(c *upstream.Config) { c.Settings.ConnectDeadline = 9 * time.Second })
				r.await("the connection", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.Connected })
				part := r.missing(method)
				epoch := r.up.Snapshot().Region(states.Connection).Epoch
				r.mustBeConnected(epoch)
				if status := r.up.Status(); status.Resources == 0 || part.Text == "" {
					t.Errorf("what could be read is missing: %+v, %+v", status, part)
				}
				r.server.Reset()
				r.await("the list to be read", func(s *transitions.Snapshot) bool {
					return !slices.ContainsFunc(s.Data.Parts, func(p states.Part) bool { return p.Name == method })
				})
				if status := r.up.Status(); status.Tools == 0 || status.Prompts == 0 {
					t.Errorf("it is not read after all: %+v", status)
				}
				r.mustBeConnected(epoch)
			})
		}
	}
}

// A list that no token opens, beside lists and calls that the token opens, is a part that is
// missing: no token is renewed for it, and nobody is asked to log in.
func TestAListThatIsAlwaysUnauthorizedEndsNoToken(t *testing.T) {
	t.Parallel()
	refused := oauthserver.Fault{Endpoint: "mcp", Method: "prompts/list", Kind: "unauthorized"}
	r := newRig(t, oauthserver.Options{AutoApprove: true, Faults: []oauthserver.Fault{refused}}, nil)
	r.login()
	r.mustCall()
	r.missing("prompts/list")
	epoch := r.up.Snapshot().Region(states.Connection).Epoch
	<-time.NewTimer(1500 * time.Millisecond).C // it is tried again meanwhile
	r.mustBeConnected(epoch)
	r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// A list that fails once after the server said that it has changed is tried again, and
// what was known of it stays: fault D5.
func TestAChangedListThatFailsIsReadAgain(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.mustCall()
	r.awaitStream()
	before := r.up.Status().Tools
	told := make(chan string, 16)
	defer r.up.Watch(func(method string, _ json.RawMessage) { told <- method })()
	r.setFaults(oauthserver.Fault{Endpoint: "mcp", Kind: "rpc-error", Method: "tools/list", Count: 1})
	r.server.TellToolsChanged(1)
	r.missing("tools/list")
	if now := r.up.Status().Tools; now != before {
		t.Errorf("%d tools are known, and there were %d", now, before)
	}
	r.await("the list to be read", func(s *transitions.Snapshot) bool { return len(s.Data.Parts) == 0 })
}

// A server that says at once a thousand times that its tools have changed has them read
// a few times, and clients are told a few times: fault D6.
func TestAStormOfChangesIsOneChange(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	r.mustCall()
	r.awaitStream()
	read := func() int { return r.server.Counters().MCP["tools/list"] }
	before := read()
	var told atomic.Int64
	defer r.up.Watch(func(string, json.RawMessage) { told.Add(1) })()
	r.server.TellToolsChanged(2000)
	<-time.NewTimer(2500 * time.Millisecond).C
	if n := read() - before; n < 1 || n > 4 || told.Load() < 1 || told.Load() > 4 {
		t.Errorf("the tools were read %d times, and clients told %d times", n, told.Load())
	}
}

// awaitStream waits until the server's own stream is open.
func (r *rig) awaitStream() {
	r.Helper()
	for range 1000 {
		if r.server.Counters().MCP[http.MethodGet] > 0 {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	r.Fatal("no stream was asked for")
}

// A list whose cursor repeats ends there, is named incomplete, and the upstream is
// connected: fault C6.
func TestACursorThatRepeatsEndsTheList(t *testing.T) {
	t.Parallel()
	r := openRig(t, oauthserver.Fault{Kind: "same-cursor", Method: "tools/list"})
	part := r.missing("tools/list")
	r.mustCall()
	if n := r.server.Counters().MCP["tools/list"]; !strings.Contains(part.Text, "incomplete") || n > 4 || r.up.Status().Tools != 1 {
		t.Errorf("%q after %d requests, %d tools", part.Text, n, r.up.Status().Tools)
	}
}

// An answer that grows beyond bounds when it is unpacked fails the call, which names
// them, and fills no memory: fault C7.
func TestAnAnswerIsUnpackedWithinBounds(t *testing.T) {
	r := openRig(t)
	r.mustCall()
	r.setFaults(oauthserver.Fault{Endpoint: "mcp", Kind: "bomb", Method: "tools/call"})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := r.call()
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "8 MiB and 100 times") || strings.Contains(err.Error(), "not known") {
		t.Errorf("the call ends with %v", err)
	}
	if grown := int64(after.Sys) - int64(before.Sys); grown > 100<<20 {
		t.Errorf("the memory grew by %d MiB", grown>>20)
	}
	r.setFaults()
	r.mustCall()
}

// A server that has moved its endpoint within its origin is followed, with the token, and
// asked there from then on: fault D8.
func TestAnEndpointThatMovedIsFollowed(t *testing.T) {
	for _, status := range []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusMovedPermanently} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true, Sessions: true,
				Faults: []oauthserver.Fault{{Endpoint: "mcp", Kind: "moved", Status: status}}}, nil)
			r.login()
			r.mustCall()
			before := r.server.Counters().MCP["tools/call"]
			r.mustCall()
			if n := r.server.Counters().MCP["tools/call"]; n != before+1 {
				t.Errorf("a call that came later was sent %d times", n-before)
			}
		})
	}
}

// The token goes to no other origin, wherever a redirect leads: fault D8.
func TestATokenFollowsNoRedirectToAnotherOrigin(t *testing.T) {
	t.Parallel()
	var foreign atomic.Int64
	r := newRigOver(t, elsewhere{upstream.NewNetwork(), &foreign}, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	for _, target := range []string{"http://other.invalid/mcp", "https://" + r.up.Config().URL[len("http://"):], "//other.invalid/mcp",
		"http://127.0.0.1:1/mcp"} {
		_, err := r.up.Call(context.WithValue(r.context(), redirectKey{}, target), relay.Call{Method: "tools/call", Params: echo.Params})
		if err == nil || !strings.Contains(err.Error(), "redirects to") {
			t.Errorf("%s: %v", target, err)
		}
	}
	if n := foreign.Load(); n > 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

type redirectKey struct{}

// elsewhere redirects requests whose context says where to, and counts what leaves the
// test's server.
type elsewhere struct {
	next    http.RoundTripper
	foreign *atomic.Int64
}

func (e elsewhere) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != "http" || !strings.HasPrefix(request.URL.Host, "127.0.0.1:") || request.URL.Host == "127.0.0.1:1" {
		e.foreign.Add(1)
	}
	if target, ok := request.Context().Value(redirectKey{}).(string); ok {
		return &http.Response{StatusCode: http.StatusTemporaryRedirect, Header: http.Header{"Location": {target}}, Body: http.NoBody,
			Request: request}, nil
	}
	return e.next.RoundTrip(request)
}
