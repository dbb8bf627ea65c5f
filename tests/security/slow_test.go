package security

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/admin"
	"mcpproxy/credential"
	"mcpproxy/proxy"
	"mcpproxy/upstream/callback"
	"mcpproxy/upstream/oauth"
)

// wires is a network in memory: whoever dials is accepted.
type wires struct {
	waiting chan net.Conn
	closed  chan struct{}
}

func newWires() *wires { return &wires{make(chan net.Conn), make(chan struct{})} }

func (w *wires) Accept() (net.Conn, error) {
	select {
	case c := <-w.waiting:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wires) Close() error {
	close(w.closed)
	return nil
}

func (w *wires) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (w *wires) dial() net.Conn {
	here, there := net.Pipe()
	w.waiting <- there
	return here
}

// drip sends a text slowly, a byte each second, and returns after how long nobody took
// it any more, or all was sent.
func drip(c net.Conn, text string) time.Duration {
	began := time.Now()
	for i := range len(text) {
		time.Sleep(time.Second)
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			break
		}
	}
	return time.Since(began)
}

// Whoever sends a request slowly is cut off, by each of the doors, after the time that
// a request may take: its header, and its body.
func TestSlowClientsAreCutOff(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
	long := strings.Repeat("x", 1000)
	swallow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	for name, test := range map[string]struct {
		serve        func(*testing.T, net.Listener) (end func())
		header, body time.Duration
	}{
		"the proxy":     {func(t *testing.T, l net.Listener) func() { return served(t, proxy.NewHTTPServer(swallow), l) }, 10 * time.Second, time.Minute},
		"the interface": {func(t *testing.T, l net.Listener) func() { return served(t, admin.NewHTTPServer(swallow), l) }, 10 * time.Second, 10 * time.Second},
		"the callback listener": {func(t *testing.T, l net.Listener) func() {
			s := callback.NewServer(slog.New(slog.DiscardHandler))
			s.Listen = func(context.Context, string) (net.Listener, error) { return l, nil }
			r, err := s.Reserve(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			return func() { r.Release(); s.Close() }
		}, 5 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := newWires()
				end := test.serve(t, network)
				slow := network.dial()
				answered := make(chan struct{})
				go func() { defer close(answered); _, _ = io.Copy(io.Discard, slow) }()
				if after := drip(slow, "GET / HTTP/1.1\r\nX-Long: "+long); after < test.header-2*time.Second || after > test.header+2*time.Second {
					t.Errorf("a slow header is read for %s", after)
				}
				_ = slow.Close()
				<-answered
				slow = network.dial()
				answered = make(chan struct{})
				go func() { defer close(answered); _, _ = io.Copy(io.Discard, slow) }()
				if _, err := io.WriteString(slow, head); err != nil {
					t.Fatal(err)
				}
				if after := drip(slow, long); after < test.body-2*time.Second || after > test.body+2*time.Second {
					t.Errorf("a slow body is read for %s", after)
				}
				_ = slow.Close()
				<-answered
				end()
			})
		})
	}
}

func served(t *testing.T, server *http.Server, l net.Listener) func() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); err != http.ErrServerClosed {
			t.Error(err)
		}
	}()
	return func() {
		_ = server.Close()
		<-done
	}
}

// An authorization server that answers slowly, or without an end, is given up within
// the time and the length that an answer may have.
func TestSlowAndEndlessAnswersAreGivenUp(t *testing.T) {
	for name, answer := range map[string]func(net.Conn){
		"nothing":       func(net.Conn) {},
		"a slow header": func(c net.Conn) { drip(c, "HTTP/1.1 200 OK\r\nX-Long: "+strings.Repeat("x", 1000)) },
		"a slow body": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n")
			drip(c, `{"issuer": "`+strings.Repeat("x", 1000))
		},
		"a body without end": func(c net.Conn) {
			_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"issuer\": \"")
			for part := strings.Repeat("x", 64<<10); err == nil; {
				_, err = io.WriteString(c, part)
			}
		},
	} {
		for _, asked := range []string{"metadata", "token"} {
			t.Run(name+" for "+asked, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var servers sync.WaitGroup
					client := oauth.NewHTTPClient(oauth.HTTPOptions{Reach: oauth.Loopback,
						Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
						Dial: func(context.Context, string, string) (net.Conn, error) {
							here, there := net.Pipe()
							servers.Go(func() {
								if _, err := http.ReadRequest(bufio.NewReader(there)); err == nil {
									servers.Go(func() { _, _ = io.Copy(io.Discard, there) })
									answer(there)
								}
							})
							return here, nil
						}})
					began := time.Now()
					var err error
					most := 20 * time.Second
					if asked == "token" {
						_, err = oauth.Refresh(t.Context(), client, credential.Token{TokenEndpoint: "http://127.0.0.1/token",
							Refresh: credential.NewSecret("r")}, credential.Registration{ClientID: "c"}, oauth.RefreshOptions{})
					} else {
						_, err = oauth.Discover(t.Context(), client, oauth.DiscoveryRequest{ServerURL: "http://127.0.0.1/mcp"})
						most *= 8 // each of the well-known places in turn; the state's deadline is shorter
					}
					if took := time.Since(began); err == nil || took > most+time.Second {
						t.Errorf("it ended after %s with %v", took, err)
					}
					client.CloseIdleConnections()
					servers.Wait()
				})
			})
		}
	}
}
