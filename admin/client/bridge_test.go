package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcpproxy/admin"
)

// proxies are what a bridge talks to one after the other: each is the lines that it was
// told, and a place for those that it says.
type proxies struct {
	*testing.T
	client *Client
	next   chan *told
}

type told struct {
	conn  net.Conn
	lines *bufio.Scanner
}

// newProxies serves a socket whose connections are given out one by one.
func newProxies(t *testing.T) *proxies {
	dir, err := os.MkdirTemp("", "admin-") // sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	p := &proxies{T: t, client: New(filepath.Join(dir, "s")), next: make(chan *told)}
	listener, err := admin.Listen(p.client.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mcp\r\n\r\n")
		p.next <- &told{conn, bufio.NewScanner(buffered)}
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
		_ = os.RemoveAll(dir)
	})
	return p
}

// hears expects lines that have the words, in this order.
func (p *proxies) hears(from *bufio.Scanner, words ...string) {
	p.Helper()
	for _, w := range words {
		if !from.Scan() || !strings.Contains(from.Text(), w) {
			p.Fatalf("heard %q (%v), want %s", from.Text(), from.Err(), w)
		}
	}
}

func (p *proxies) say(to io.Writer, lines ...string) {
	p.Helper()
	if _, err := io.WriteString(to, strings.Join(lines, "\n")+"\n"); err != nil {
		p.Fatal(err)
	}
}

// A bridge tells the next proxy what it has to know, asks again what can be asked twice,
// and answers what cannot; its client sees each answer once.
func TestABridgeTellsTheNextProxy(t *testing.T) {
	p := newProxies(t)
	in, client := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ready := func(context.Context) error { return nil }
		ended <- p.client.Bridge(t.Context(), Bridge{In: in, Out: out, Ready: ready})
		_ = out.Close()
	}()
	heard, one := bufio.NewScanner(answers), <-p.next
	p.say(client, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}`)
	p.hears(one.lines, "initialize")
	p.say(one.conn, `{"jsonrpc":"2.0","id":0,"result":{"first":true}}`)
	p.hears(heard, "first")
	p.say(client, `{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"info"}}`,
		`{"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"a:1"}}`,
		`{"jsonrpc":"2.0","id":3,"method":"resources/subscribe","params":{"uri":"a:2"}}`,
		`{"jsonrpc":"2.0","id":4,"method":"resources/unsubscribe","params":{"uri":"a:1"}}`,
		`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"spend"}}`,
		`[{"jsonrpc":"2.0","id":6,"method":"tools/list"},{"jsonrpc":"2.0","id":7,"method":"tools/call"}]`)
	p.hears(one.lines, "initialized", `"id":1`, `"id":2`, `"id":3`, `"id":4`, `"id":5`, `"id":6`)
	p.say(one.conn, `{"jsonrpc":"2.0","id":1,"result":{}}`, `{"jsonrpc":"2.0","id":3,"result":{}}`, `{"jsonrpc":"2.0","id":4,"result":{}}`)
	p.hears(heard, `"id":1`, `"id":3`, `"id":4`)
	_ = one.conn.Close()

	p.hears(heard, `"id":5,"error"`, `"id":7,"error"`)
	two := <-p.next
	p.hears(two.lines, `"id":0,"method":"initialize"`)
	p.say(two.conn, `{"jsonrpc":"2.0","id":0,"result":{"second":true}}`)
	p.hears(two.lines, "initialized", `"id":1,"method":"logging/setLevel"`, `"uri":"a:2"`, `"id":2,`, `"id":6,"method":"tools/list"`)
	p.say(two.conn, `{"jsonrpc":"2.0","id":1,"result":{}}`, `{"jsonrpc":"2.0","id":3,"result":{}}`, `{"jsonrpc":"2.0","id":6,"result":{"tools":[]}}`)
	p.hears(heard, `"id":6,"result":{"tools":[]}`)
	p.say(client, `{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"spend"}}`)
	p.hears(two.lines, `"id":8`)
	p.say(two.conn, `{"jsonrpc":"2.0","method":"notifications/message"}`, `{"jsonrpc":"2.0","id":8,"result":{}}`)
	p.hears(heard, "notifications/message", `"id":8,"result"`)
	_ = client.Close()
	if two.lines.Scan() {
		t.Errorf("heard %s after the end", two.lines.Text())
	}
	_ = two.conn.Close()
	for heard.Scan() {
		if !strings.Contains(heard.Text(), `"id":2,"error"`) {
			t.Errorf("answered %s after the end", heard.Text())
		}
	}
	if err := <-ended; err != nil {
		t.Errorf("the bridge ended with %v", err)
	}
}

// Where no proxy can be had, what was asked is answered before the bridge ends.
func TestABridgeThatCannotGoOnAnswers(t *testing.T) {
	p := newProxies(t)
	in, client := io.Pipe()
	answers, out := io.Pipe()
	gone, ended, calls := errors.New("none can be had"), make(chan error, 1), 0
	go func() {
		ended <- p.client.Bridge(t.Context(), Bridge{In: in, Out: out, Ready: func(context.Context) error {
			if calls++; calls > 1 {
				return gone
			}
			return nil
		}})
	}()
	heard, one := bufio.NewScanner(answers), <-p.next
	p.say(client, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	p.hears(one.lines, "tools/list")
	_ = one.conn.Close()
	p.hears(heard, `"id":1,"error"`)
	if err := <-ended; !errors.Is(err, gone) {
		t.Errorf("it ended with %v", err)
	}
	_ = client.Close()
}
