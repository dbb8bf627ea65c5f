package proxy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/proxy"
	"mcpproxy/relay"
)

// lineClient is a client of standard streams.
type lineClient struct {
	net.Conn
	answers *bufio.Scanner
	ended   chan error
}

func newLineClient(t *testing.T, p *proxy.Server) *lineClient {
	t.Helper()
	here, there := net.Pipe()
	c := &lineClient{Conn: here, answers: bufio.NewScanner(here), ended: make(chan error, 1)}
	c.answers.Buffer(nil, 1<<20)
	go func() {
		defer there.Close()
		c.ended <- p.ServeStdio(t.Context(), "", there, there)
	}()
	c.say(t, initializeBody)
	if !c.answers.Scan() {
		t.Fatal("initialize was not answered")
	}
	return c
}

func (c *lineClient) say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// A client of standard streams that does not read is given up; its upstream waits for
// it never, and the other clients get all of theirs, in order. Nothing is kept of what
// was for it, and the proxy ends at once (faults F1 and F3).
func TestAClientThatDoesNotReadHoldsNobodyUp(t *testing.T) {
	for name, test := range map[string]struct{ method, params string }{
		"logs":         {"notifications/message", `{"level":"info","data":"` + strings.Repeat("x", 64<<10) + `"}`},
		"list_changed": {"notifications/tools/list_changed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _ := twoUpstreams()
				p := proxy.New(proxy.Options{Upstreams: fakes{a}, Limits: proxy.Limits{QueuedPerClientMiB: 1}})
				stopped, reads := newLineClient(t, p), newLineClient(t, p)
				begun := time.Now()
				for n := range 100 {
					a.tell(test.method, test.params)
					if !reads.answers.Scan() || !strings.Contains(reads.answers.Text(), test.method) {
						t.Fatalf("notification %d came as %.100s", n, reads.answers.Text())
					}
				}
				if took := time.Since(begun); took != 0 {
					t.Errorf("the upstream waited %s", took)
				}
				// Progress and the answer of the client that reads, in order.
				a.answer = func(_ context.Context, c relay.Call) (json.RawMessage, error) {
					for n := range 3 {
						c.Notify("notifications/progress", json.RawMessage(fmt.Sprint(`{"progress":`, n, `}`)))
					}
					return json.RawMessage(`{"done":true}`), nil
				}
				reads.say(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a__echo"}}`)
				for _, want := range []string{`"progress":0`, `"progress":1`, `"progress":2`, `"done":true`} {
					if !reads.answers.Scan() || !strings.Contains(reads.answers.Text(), want) {
						t.Errorf("%.200s came, and not %s", reads.answers.Text(), want)
					}
				}
				switch name {
				case "logs":
					time.Sleep(3 * time.Second)
					a.tell(test.method, test.params) // there is no room, and nothing was read
					reads.answers.Scan()
				default:
					time.Sleep(31 * time.Second) // one is being written all the time
				}
				select {
				case <-stopped.ended:
				case <-time.After(time.Second):
					t.Error("the client that does not read is still served")
				}
				begun = time.Now()
				p.Close()
				<-reads.ended
				if took := time.Since(begun); took != 0 {
					t.Errorf("the end took %s", took)
				}
				_, _ = stopped.Close(), reads.Close()
			})
		})
	}
}

// stops posts a call on a connection of its own, reads nothing, and returns the connection.
func (f *face) stops(body string) net.Conn {
	f.Helper()
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(f.url, "http://"), "/mcp"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		f.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodPost, f.url, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	request.Header.Set("Mcp-Session-Id", f.session)
	if err := request.Write(conn); err != nil {
		f.Fatal(err)
	}
	return conn
}

// sends answers calls after so many notifications of a KiB each, as fast as they are taken.
func (f *fake) sends(notifications int, then <-chan struct{}) (took chan time.Duration) {
	took = make(chan time.Duration, 1)
	text := strings.Repeat("x", 1<<10)
	f.answer = func(ctx context.Context, c relay.Call) (json.RawMessage, error) {
		if !strings.Contains(string(c.Params), "echo") {
			c.Notify("notifications/progress", json.RawMessage(`{"message":"`+text+text+`"}`))
			return json.RawMessage(`{}`), nil
		}
		begun := time.Now()
		for n := range notifications {
			c.Notify("notifications/progress", json.RawMessage(fmt.Sprintf(`{"progress":%d,"message":"%s"}`, n, text)))
		}
		took <- time.Since(begun)
		select {
		case <-then:
		case <-ctx.Done():
		}
		return json.RawMessage(`{"done":true}`), nil
	}
	return took
}

// An HTTP client that does not read its progress stream holds nobody up, costs no more
// than its bound, and loses the stream. It takes it up again after the last event that
// it has, and gets the answer (fault F2).
func TestAStreamThatIsNotReadIsLostAndTakenUpAgain(t *testing.T) {
	a, _ := twoUpstreams()
	answer := make(chan struct{})
	took := a.sends(30_000, answer)
	f := serve(t, proxy.Options{Upstreams: fakes{a}, Limits: proxy.Limits{QueuedPerClientMiB: 8}}).initialize()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	conn := f.stops(`{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"a__echo"}}`)
	if pushed := <-took; pushed > 20*time.Second {
		t.Errorf("the upstream waited for the client: 30 MB took %s", pushed)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 24<<20 {
		t.Errorf("%d MiB are kept for a client that may have 8", grown>>20)
	}
	// It is cut once it has taken nothing for two seconds and there is more to say to it.
	time.Sleep(2100 * time.Millisecond)
	if _, body := f.post(`{"jsonrpc":"2.0","id":10,"method":"tools/call","params":{"name":"a__only"}}`); !strings.Contains(body, `"id":10`) {
		t.Errorf("another call of the session was answered with %s", body)
	}
	last := lastEvent(t, conn)
	close(answer)
	next := events(f.do(http.MethodGet, "", "Last-Event-ID", last))
	for {
		data := next()
		if data == "" {
			t.Fatal("the stream ended without the answer")
		}
		if strings.Contains(data, `"done":true`) && strings.Contains(data, `"id":9`) {
			break
		}
	}
	if status := f.do(http.MethodGet, "", "Last-Event-ID", "77-1").StatusCode; status != http.StatusGone {
		t.Errorf("a stream that is not there is taken up with %d", status)
	}
}

// lastEvent reads what there is to the end, and returns the id of the last whole event.
func lastEvent(t *testing.T, conn net.Conn) (id string) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(45 * time.Second)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	lines, coming := bufio.NewScanner(response.Body), ""
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			coming = value
		} else if lines.Text() == "" {
			id = coming
		}
	}
	if ne := net.Error(nil); errors.As(lines.Err(), &ne) && ne.Timeout() {
		t.Error("the stream of a client that does not read is still open")
	}
	if id == "" {
		t.Fatal("no event had an id")
	}
	return id
}
