package fidelity_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
)

// odd is an MCP server that answers with odd values; what it was given comes back
// in the result as text. It is the same behind every transport.
type odd struct {
	mu sync.Mutex
	// changed is closed, and made again, when what is below changes.
	changed chan struct{}
	// handshaken servers speak MCP 2025-11-25 only.
	handshaken bool
	// cancelled are the ids of requests that the client gave up, heard the cases of
	// held calls that know of it.
	cancelled map[string]bool
	heard     map[int]bool
	answers   map[string]chan string // of the client, by the id of the question
}

func newOdd() *odd {
	return &odd{changed: make(chan struct{}), cancelled: map[string]bool{}, heard: map[int]bool{}, answers: map[string]chan string{}}
}

// incoming is a message, with the parts that are compared raw.
type incoming struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

type toolCall struct {
	Name string `json:"name"`
	Meta struct {
		Token json.RawMessage `json:"progressToken"`
	} `json:"_meta"`
	Arguments struct {
		Case int `json:"case"`
	} `json:"arguments"`
}

// question has an id and parameters that a typed proxy would change.
const questionID = `9007199254740993`

func question(value string) string {
	return `{"jsonrpc":"2.0","id":` + questionID + `,"method":"sampling/createMessage","params":` + value + `}`
}

// receive handles a message of the client. say sends one on the stream of the request;
// gone is closed when the client has left it. An empty answer means none.
func (o *odd) receive(text []byte, say func(string), gone <-chan struct{}) (answer string) {
	var m incoming
	if json.Unmarshal(text, &m) != nil {
		return ""
	}
	switch m.Method {
	case "":
		o.answered(string(m.ID), string(text))
		return ""
	case "notifications/cancelled":
		var p struct{ RequestID json.RawMessage }
		_ = json.Unmarshal(m.Params, &p) // an id that is missing is nobody's
		o.change(func() { o.cancelled[string(p.RequestID)] = true })
		return ""
	}
	if m.ID == nil {
		return ""
	}
	body := `"error":{"code":-32601,"message":"unknown"}`
	switch m.Method {
	case "server/discover":
		if !o.handshaken {
			body = `"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"odd","version":"1"}}}`
		}
	case "initialize":
		body = `"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"odd","version":"1"}}`
	case "tools/list":
		body = `"result":{"resultType":"complete","tools":[{"name":"odd","inputSchema":{"type":"object","maximum":1.0}}]}`
	case "tools/call":
		body = o.call(m, say, gone)
	}
	return `{"jsonrpc":"2.0","id":` + string(m.ID) + `,` + body + `}`
}

func (o *odd) call(m incoming, say func(string), gone <-chan struct{}) string {
	var c toolCall
	if err := json.Unmarshal(m.Params, &c); err != nil {
		return fmt.Sprintf(`"error":{"code":-32602,"message":%q}`, err)
	}
	value := corpus[c.Arguments.Case].value
	switch c.Name {
	case "fail":
		return `"error":{"code":-5,"message":"m","data":` + value + `,"more":` + value + `}`
	case "progress", "hold":
		say(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0,"odd":%s,"progressToken":%s,"total":12345678901234567890}}`, value, c.Meta.Token))
		if c.Name == "hold" {
			o.until(gone, func() bool { return o.cancelled[string(m.ID)] })
			o.change(func() { o.heard[c.Arguments.Case] = true })
		}
	case "await":
		o.until(gone, func() bool { return o.heard[c.Arguments.Case] })
	case "ask":
		answer := o.expect(questionID)
		say(question(value))
		return `"result":{"resultType":"complete","content":[],"received":` + quote(<-answer) + `}`
	}
	inner := strings.TrimSuffix(strings.TrimLeft(value, "{ "), "}")
	return `"result":{"received":` + quote(string(m.Params)) + `,"resultType":"complete",` + inner + `}`
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string always encodes
	return string(quoted)
}

func (o *odd) change(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
	close(o.changed)
	o.changed = make(chan struct{})
}

// until waits for a condition, or for the client to be gone.
func (o *odd) until(gone <-chan struct{}, condition func() bool) {
	for {
		o.mu.Lock()
		is, changed := condition(), o.changed
		o.mu.Unlock()
		if is {
			return
		}
		select {
		case <-changed:
		case <-gone:
			return
		}
	}
}

func (o *odd) expect(id string) <-chan string {
	o.mu.Lock()
	defer o.mu.Unlock()
	answer := make(chan string, 1)
	o.answers[id] = answer
	return answer
}

func (o *odd) answered(id, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if answer := o.answers[id]; answer != nil {
		answer <- text
		delete(o.answers, id)
	}
}

// serveStdio is the child process.
func serveStdio(in io.Reader, out io.Writer) {
	o := newOdd()
	o.handshaken = true
	var mu sync.Mutex
	say := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.WriteString(out, text+"\n") // the proxy is gone
	}
	for lines := bufio.NewReaderSize(in, 1<<20); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		go func() {
			if answer := o.receive(line, say, nil); answer != "" {
				say(answer)
			}
		}()
	}
}
