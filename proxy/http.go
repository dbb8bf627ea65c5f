package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpproxy/jsonrpc"

	"github.com/mark3labs/mcp-go/mcp"
)

// maxBody bounds one message of a client, in bytes.
const maxBody = 64 << 20

// keepAlive is how often an idle stream says that it is alive.
const keepAlive = 25 * time.Second

// queued bounds the messages that wait for a client's own stream.
const queued = 256

// serve is streamable HTTP (MCP 2025-11-25 transports).
func (s *Server) serve(w http.ResponseWriter, r *http.Request, v view) {
	version := r.Header.Get("Mcp-Protocol-Version")
	if mcp.IsModernProtocol(version) && r.Method != http.MethodPost {
		onlyPost(w, r.Method)
		return
	}
	if version != "" && !mcp.IsModernProtocol(version) && !slices.Contains(revisions(), version) {
		http.Error(w, fmt.Sprintf("the protocol version %q is not one of %s", version, strings.Join(revisions(), ", ")), http.StatusBadRequest)
		return
	}
	id := r.Header.Get("Mcp-Session-Id")
	if r.Method == http.MethodPost {
		s.post(w, r, v, id)
		return
	}
	c := s.find(id, v)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodDelete:
		w.Header().Set("Allow", "GET, POST, DELETE")
		http.Error(w, "GET, POST or DELETE", http.StatusMethodNotAllowed)
	case c == nil:
		noSession(w, id)
	case r.Method == http.MethodDelete:
		s.end(id)
		w.WriteHeader(http.StatusNoContent)
	default:
		c.listen(w, r)
	}
}

func noSession(w http.ResponseWriter, id string) {
	if id == "" {
		http.Error(w, "the header Mcp-Session-Id is missing; initialize first", http.StatusBadRequest)
		return
	}
	http.Error(w, "the session is not known, or over; initialize again", http.StatusNotFound)
}

func (s *Server) post(w http.ResponseWriter, r *http.Request, v view, id string) {
	body, err := readBody(w, r)
	if err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			http.Error(w, "the message is longer than 64 MiB", http.StatusRequestEntityTooLarge)
		}
		return
	}
	m, err := jsonrpc.Decode(body)
	if err != nil {
		writeMessage(w, http.StatusBadRequest, refusal(err))
		return
	}
	if isStateless(r, m) {
		s.serveStateless(w, r, v, m)
		return
	}
	if m.Method == "initialize" && m.IsRequest() {
		s.initialize(w, r, v, id, m)
		return
	}
	c := s.find(id, v)
	if c == nil {
		noSession(w, id)
		return
	}
	if !m.IsRequest() {
		c.receive(r.Context(), m)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	on := &answerStream{w: w, control: http.NewResponseController(w)}
	on.finish(c.handle(r.Context(), m, on))
}

// initialize begins a session, unless the client's initialize will not do.
func (s *Server) initialize(w http.ResponseWriter, r *http.Request, v view, id string, m *jsonrpc.Message) {
	if id != "" {
		writeMessage(w, http.StatusBadRequest, &jsonrpc.Message{ID: m.ID, Error: jsonrpc.Errorf(jsonrpc.CodeInvalidRequest, "this session is initialized; begin another one without the header Mcp-Session-Id")})
		return
	}
	id, c, err := s.open(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	on := &answerStream{w: w, control: http.NewResponseController(w)}
	answer := c.handle(r.Context(), m, on)
	if answer == nil || answer.Error != nil {
		s.end(id)
	} else {
		w.Header().Set("Mcp-Session-Id", id)
	}
	on.finish(answer)
}

// readBody reads one message of a client, of a bounded length.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var body bytes.Buffer
	if r.ContentLength > 0 && r.ContentLength <= maxBody {
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	return body.Bytes(), err
}

// refusal answers what is no message (JSON-RPC 2.0 section 5.1).
func refusal(err error) *jsonrpc.Message {
	code := jsonrpc.CodeInvalidRequest
	if errors.Is(err, jsonrpc.ErrParse) {
		code = jsonrpc.CodeParse
	}
	return &jsonrpc.Message{Error: jsonrpc.Errorf(code, "%v", err)}
}

func writeMessage(w http.ResponseWriter, status int, m *jsonrpc.Message) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(m.Encode()) // the client went away
}

// answerStream answers one POST: with one JSON document, or as a stream of
// events from the first message that comes before the result.
type answerStream struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	// status is the HTTP status of an answer that is one document; nil for 200.
	status    func(*jsonrpc.Message) int
	streaming bool
	over      bool
	buffer    []byte
}

// send implements stream. A client that reads slowly slows its own call down.
func (a *answerStream) send(m *jsonrpc.Message) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return false
	}
	if !a.streaming {
		a.streaming = true
		streamHeader(a.w)
	}
	a.buffer = appendEvent(a.buffer[:0], m)
	_, err := a.w.Write(a.buffer)
	return err == nil && a.control.Flush() == nil
}

// finish sends the answer; nil means that there is none.
func (a *answerStream) finish(m *jsonrpc.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	switch {
	case m == nil && !a.streaming:
		a.w.WriteHeader(http.StatusAccepted)
	case m == nil:
	case a.streaming:
		_, _ = a.w.Write(appendEvent(a.buffer[:0], m)) // the client went away
	case a.status != nil:
		writeMessage(a.w, a.status(m), m)
	default:
		writeMessage(a.w, http.StatusOK, m)
	}
}

func streamHeader(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
}

// appendEvent writes a message as one server-sent event; a newline between the
// tokens of a raw part becomes a space, which means the same in JSON.
func appendEvent(buffer []byte, m *jsonrpc.Message) []byte {
	buffer = append(buffer, "event: message\ndata: "...)
	begin := len(buffer)
	buffer = m.Append(buffer)
	for i := begin; i < len(buffer); i++ {
		if buffer[i] == '\n' || buffer[i] == '\r' {
			buffer[i] = ' '
		}
	}
	return append(buffer, "\n\n"...)
}

// queue is a session's own stream; what does not fit is dropped.
type queue chan *jsonrpc.Message

func (q queue) send(m *jsonrpc.Message) bool {
	select {
	case q <- m:
		return true
	default:
		return false
	}
}

// listen serves the session's own stream (GET) until the client goes away.
func (c *session) listen(w http.ResponseWriter, r *http.Request) {
	messages := make(queue, queued)
	defer c.attach(messages)()
	control := http.NewResponseController(w)
	streamHeader(w)
	_ = control.Flush() // the next write says whether the client is there
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	var buffer []byte
	for {
		select {
		case <-r.Context().Done():
			return
		case <-c.over:
			return
		case m := <-messages:
			buffer = appendEvent(buffer[:0], m)
		case <-alive.C:
			buffer = append(buffer[:0], ": alive\n\n"...)
		}
		if _, err := w.Write(buffer); err != nil || control.Flush() != nil {
			return
		}
	}
}
