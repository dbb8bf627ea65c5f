package upstream_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// Whatever becomes of an attempt to connect, it is one event: about a server that may
// be there again, which is tried again, or about one that will answer the same the next
// time, which waits for a user. It says in words what went wrong.
func TestEachFailureOfAnAttemptIsOneEvent(t *testing.T) {
	answer := func(status int, kind, body string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	plain := func(status int) http.HandlerFunc { return answer(status, "text/plain", "no") }
	const again, no = transitions.TransportFailed, transitions.ProtocolFailed
	for _, test := range []struct {
		name   string
		server func(*testing.T) string // nil for one of handler
		handle http.HandlerFunc
		want   transitions.Event
		says   string
		pause  time.Duration // at least
	}{
		{name: "no such host", server: func(*testing.T) string { return "http://nowhere.invalid/mcp" }, want: again, says: "no such host"},
		{name: "refused", server: closedServer, want: again, says: "connection refused"},
		{name: "an unknown certificate", server: tlsServer, want: again, says: "x509: certificate signed by unknown authority"},
		{name: "no TLS at all", server: plainServer, want: again, says: "first record does not look like a TLS handshake"},
		{name: "cut off before the answer", handle: func(w http.ResponseWriter, _ *http.Request) { cutOff(w, "") }, want: again, says: "EOF"},
		{name: "cut off in the answer", handle: func(w http.ResponseWriter, _ *http.Request) {
			cutOff(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		}, want: again, says: "unexpected EOF"},
		{name: "no answer", handle: func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // so that the end of the connection is seen
			<-r.Context().Done()
		}, want: transitions.ConnectTimedOut, says: "has not answered in time"},
		{name: "400", handle: plain(400), want: no, says: "400 Bad Request"},
		{name: "401", handle: plain(401), want: transitions.CredentialParked},
		{name: "403", handle: plain(403), want: no, says: "403 Forbidden"},
		{name: "404", handle: plain(404), want: no, says: "404 Not Found"},
		{name: "408", handle: plain(408), want: again, says: "408 Request Timeout"},
		{name: "425", handle: plain(425), want: again, says: "425 Too Early"},
		{name: "429", handle: answer(429, "text/plain", "no", "Retry-After", "600"), want: again, says: "429 Too Many Requests", pause: 590 * time.Second},
		{name: "500", handle: plain(500), want: again, says: "500 Internal Server Error"},
		{name: "503", handle: plain(503), want: again, says: "503 Service Unavailable"},
		{name: "a redirect", handle: answer(307, "text/plain", "", "Location", "http://127.0.0.1:1/other"), want: no, says: "redirects to http://127.0.0.1:1/other"},
		{name: "a page", handle: answer(200, "text/html", "<p>hello"), want: again, says: `no message: it has the content type "text/html"`},
		{name: "no JSON", handle: answer(200, "application/json", `{"jsonrpc"`), want: again, says: "no message: not a JSON-RPC 2.0 message"},
		{name: "no answer to the request", handle: answer(200, "application/json", `{"jsonrpc":"2.0","id":"x","result":{}}`), want: no, says: "does not speak the protocol"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRigOver(t, nobodyBeyond(t), oauthserver.Options{}, func(c *upstream.Config) {
				c.Settings.ConnectDeadline = 5 * time.Second
				if test.want == transitions.ConnectTimedOut {
					c.Settings.ConnectDeadline = 300 * time.Millisecond
				}
				if test.server != nil {
					c.URL = test.server(t)
					return
				}
				server := httptest.NewServer(test.handle)
				t.Cleanup(server.Close)
				c.URL = server.URL + "/mcp"
			})
			r.await("the end of the attempt", func(s *transitions.Snapshot) bool {
				state := s.Region(states.Connection).State
				return state == states.BackingOff || state == states.Failed || s.Region(states.Credential).State == states.LoginRequired
			})
			s := r.up.Snapshot()
			r.stopped()
			var ends []fsm.Entry // of attempts, which others may have followed
			for _, e := range r.entries() {
				if e.Region == states.Connection && e.From == string(states.Connecting) {
					ends = append(ends, e)
				}
			}
			if len(ends) == 0 || ends[0].Event != string(test.want) || ends[0].Disposition != fsm.Moved {
				t.Fatalf("the attempt ended with %+v, want %s", ends, test.want)
			}
			if text := s.Data.ConnectionError.Text; !strings.Contains(text, test.says) || (text == "") != (test.says == "") {
				t.Errorf("it says %q, want %q", text, test.says)
			}
			if test.want == transitions.TransportFailed && s.Data.RetryAt.Sub(ends[0].Time) < max(test.pause, 200*time.Millisecond) {
				t.Errorf("it is tried again after %s", s.Data.RetryAt.Sub(ends[0].Time))
			}
		})
	}
}

func closedServer(t *testing.T) string {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	return server.URL + "/mcp"
}

func tlsServer(t *testing.T) string {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of what is meant
	t.Cleanup(server.Close)
	return server.URL + "/mcp"
}

func plainServer(t *testing.T) string {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "http:", "https:", 1) + "/mcp"
}

// cutOff sends something and closes the connection.
func cutOff(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

// nobodyBeyond is the proxy's network where no other machine has a name.
func nobodyBeyond(t *testing.T) http.RoundTripper {
	network := upstream.NewNetwork()
	dial := network.DialContext
	network.DialContext = func(ctx context.Context, kind, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "127.0.0.1:") {
			return dial(ctx, kind, address)
		}
		return nil, &net.OpError{Op: "dial", Net: kind, Err: &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}}
	}
	t.Cleanup(network.CloseIdleConnections)
	return network
}
