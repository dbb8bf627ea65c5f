package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"mcpproxy/jsonrpc"
)

// talk is what a client and its proxies have said so far.
type talk struct {
	// input has the client's lines; once it is closed, refused is why no more are read,
	// where that is not their end.
	input   chan []byte
	refused error
	out     io.Writer

	mu sync.Mutex
	// lasting is what a next proxy has to be told first, and open what is not answered yet.
	lasting, open []*asked
	// greeted is closed once this connection's proxy has answered initialize.
	greeted chan struct{}
}

// asked is a message of the client's.
type asked struct {
	*jsonrpc.Message
	line []byte
	// sent says that a proxy has it, answered that the client has the answer, and repeated
	// that the next answer is not for the client.
	sent, answered, repeated bool
}

func (t *talk) read(in io.Reader) {
	defer close(t.input)
	for lines := jsonrpc.NewLineReader(in); ; {
		line, err := lines.Next()
		if errors.Is(err, jsonrpc.ErrTooLong) {
			t.refused = fmt.Errorf("what the client says: %w", err)
		}
		if err != nil {
			return
		}
		t.input <- append(line, '\n')
	}
}

// carry carries lines both ways until the connection ends, and reports whether the
// client's input has ended.
func (t *talk) carry(ctx context.Context, conn *net.UnixConn, answers io.Reader) (ended bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	t.mu.Lock()
	t.greeted = make(chan struct{})
	t.mu.Unlock()
	over := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() { ended = t.write(conn, over) })
	for lines := jsonrpc.NewLineReader(answers); ; {
		line, lost := lines.Next()
		if errors.Is(lost, jsonrpc.ErrTooLong) {
			err = fmt.Errorf("what the proxy says: %w", lost)
		}
		if lost != nil {
			break
		}
		if !t.passes(line) {
			continue
		}
		if _, err = t.out.Write(append(line, '\n')); err != nil {
			break
		}
	}
	close(over)
	_ = conn.Close()
	writing.Wait()
	return ended, err
}

// write sends what a new proxy has to know, and then what the client says. It reports
// whether the client has ended.
func (t *talk) write(conn io.Writer, over <-chan struct{}) (ended bool) {
	for _, a := range t.owed() {
		if _, err := conn.Write(a.line); err != nil {
			return false
		}
		a.sent = true
		if a.Method != "initialize" {
			continue
		}
		select { // nothing else may be said before
		case <-t.greeted:
		case <-over:
			return false
		}
	}
	for {
		select {
		case line, more := <-t.input:
			if !more {
				_ = conn.(*net.UnixConn).CloseWrite()
				return true
			}
			noted := t.note(line)
			if _, err := conn.Write(line); err != nil {
				return false
			}
			for _, a := range noted {
				a.sent = true
			}
		case <-over:
			return false
		}
	}
}

// owed is what the client has said that a new proxy has to be told.
func (t *talk) owed() []*asked {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := slices.Clone(t.lasting)
	for _, a := range t.lasting {
		a.repeated = a.answered
	}
	for _, a := range t.open {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// each reads the messages of a line.
func each(line []byte, see func(m *jsonrpc.Message, text []byte)) {
	parts := [][]byte{bytes.TrimSpace(line)}
	if batch, err := jsonrpc.Split(parts[0]); err == nil {
		parts = nil
		for _, part := range batch {
			parts = append(parts, part)
		}
	}
	for _, part := range parts {
		if m, err := jsonrpc.Decode(part); err == nil {
			see(m, part)
		}
	}
}

// note remembers what a next proxy has to be told, and what is not answered yet.
func (t *talk) note(line []byte) (noted []*asked) {
	t.mu.Lock()
	defer t.mu.Unlock()
	each(line, func(m *jsonrpc.Message, text []byte) {
		a := &asked{Message: m, line: append(bytes.Clone(text), '\n')}
		switch m.Method {
		case "initialize":
			t.lasting = []*asked{a}
		case "notifications/initialized", "logging/setLevel":
			t.forget(m.Method, nil)
			t.lasting = append(t.lasting, a)
		case "resources/subscribe":
			t.lasting = append(t.lasting, a)
		case "resources/unsubscribe":
			t.forget("resources/subscribe", jsonrpc.Member(m.Params, "uri"))
		case "notifications/cancelled": // which is not answered any more
			id := jsonrpc.Member(m.Params, "requestId")
			t.open = slices.DeleteFunc(t.open, func(a *asked) bool { return bytes.Equal(a.ID, id) })
		}
		if m.IsRequest() {
			t.open = append(t.open, a)
			noted = append(noted, a)
		}
	})
	return noted
}

// forget drops what lasts of a method, of one resource where uri is one.
func (t *talk) forget(method string, uri []byte) {
	t.lasting = slices.DeleteFunc(t.lasting, func(a *asked) bool {
		return a.Method == method && (uri == nil || bytes.Equal(jsonrpc.Member(a.Params, "uri"), uri))
	})
}

// passes reports whether a line of the proxy's is for the client, which is answered once.
func (t *talk) passes(line []byte) bool {
	passes := true
	t.mu.Lock()
	defer t.mu.Unlock()
	each(line, func(m *jsonrpc.Message, _ []byte) {
		if !m.IsResponse() {
			return
		}
		t.open = slices.DeleteFunc(t.open, func(a *asked) bool { return bytes.Equal(a.ID, m.ID) })
		i := slices.IndexFunc(t.lasting, func(a *asked) bool { return bytes.Equal(a.ID, m.ID) && (a.repeated || !a.answered) })
		if i < 0 {
			return
		}
		a := t.lasting[i]
		passes, a.repeated, a.answered = !a.repeated, false, true
		select {
		case <-t.greeted:
		default:
			if a.Method == "initialize" {
				close(t.greeted)
			}
		}
	})
	return passes
}

func everything(*asked) bool { return true }

// once selects what is not to be asked twice, as nobody knows what became of it.
func once(a *asked) bool {
	return a.sent && !strings.HasSuffix(a.Method, "/list") && !slices.Contains([]string{
		"initialize", "ping", "server/discover", "subscriptions/listen",
		"resources/read", "resources/subscribe", "resources/unsubscribe",
		"prompts/get", "completion/complete", "logging/setLevel",
	}, a.Method)
}

// giveUp answers requests whose answers will not come.
func (t *talk) giveUp(which func(*asked) bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var err error
	t.open = slices.DeleteFunc(t.open, func(a *asked) bool {
		if !which(a) || err != nil {
			return false
		}
		answer := jsonrpc.Message{ID: a.ID, Error: jsonrpc.Errorf(jsonrpc.CodeUnavailable,
			"the proxy ended while %s was on its way, and what became of it is not known; look before you ask again", a.Method)}
		_, err = t.out.Write(append(answer.Encode(), '\n'))
		return true
	})
	return err
}
