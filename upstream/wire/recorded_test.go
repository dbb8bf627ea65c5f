package wire_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/upstream/wire"
)

// sent is one request as a server got it.
type sent struct {
	method  string // of HTTP
	message *jsonrpc.Message
	header  http.Header
}

// name is the message's method, or HTTP's.
func (s *sent) name() string {
	switch {
	case s.message == nil:
		return s.method
	case s.message.IsResponse():
		return "response " + string(s.message.ID)
	}
	return s.message.Method
}

// recording is a server that keeps what it was sent and answers as the test says.
type recording struct {
	answer func(w http.ResponseWriter, r *http.Request, s *sent)

	mu   sync.Mutex
	sent []sent
}

func (s *recording) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	got := sent{method: r.Method, header: r.Header}
	if r.Method == http.MethodPost {
		if got.message, err = jsonrpc.Decode(body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	s.mu.Lock()
	s.sent = append(s.sent, got)
	s.mu.Unlock()
	s.answer(w, r, &got)
}

// all is everything that was sent so far.
func (s *recording) all() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sent(nil), s.sent...)
}

// names are the names of everything that was sent so far.
func (s *recording) names() []string {
	var names []string
	for _, one := range s.all() {
		names = append(names, one.name())
	}
	return names
}

// await waits for the nth request of a name, and returns it.
func (s *recording) await(t *testing.T, name string, n int) sent {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(10 * time.Second); ; {
		found := 0
		for _, one := range s.all() {
			if one.name() != name {
				continue
			}
			if found++; found == n {
				return one
			}
		}
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("there was no %s number %d: %q", name, n, s.names())
		}
	}
}

// result answers a request with a JSON document.
func result(w http.ResponseWriter, s *sent, result string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, s.message.ID, result)
}

// refusal answers a request with an error object under a status.
func refusal(w http.ResponseWriter, s *sent, status, code int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"no"}}`, s.message.ID, code)
}

// stream begins to answer with server-sent events, and returns what sends some.
func stream(w http.ResponseWriter) func(format string, args ...any) {
	w.Header().Set("Content-Type", "text/event-stream")
	return func(format string, args ...any) {
		fmt.Fprintf(w, format, args...)
		_ = http.NewResponseController(w).Flush()
	}
}

// param is one member of what was sent.
func (s *sent) param(path ...string) json.RawMessage {
	return jsonrpc.Member(s.message.Params, path...)
}

// listening is a listener that is not told of streams.
func listening(notified func(string, json.RawMessage)) wire.Listener {
	return wire.Listener{Notified: notified, Stream: func(error, time.Time) {}}
}
