package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcpproxy/jsonrpc"

	"github.com/mark3labs/mcp-go/mcp"
)

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
	body, err := s.buffers.read(w, r)
	if err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			http.Error(w, "the message is longer than 64 MiB", http.StatusRequestEntityTooLarge)
		}
		return
	}
	m, err := jsonrpc.Decode(*body)
	if errors.Is(err, jsonrpc.ErrBatch) {
		if c := s.find(id, v); c != nil && c.takesBatches() {
			s.postBatch(w, r, c, *body)
			return
		}
	}
	if err != nil {
		s.writeMessage(w, http.StatusBadRequest, refusal(err))
		return
	}
	if isStateless(r, m) {
		if s.serveStateless(w, r, v, m) {
			s.buffers.give(body)
		}
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
	on := &answerStream{server: s, w: w}
	on.finish(c.handle(unlessCancelled(r), m, on))
	s.buffers.give(body) // the call is over; other messages may be kept
}

// unlessCancelled is the context of a request in a session: that its connection breaks
// does not cancel it (MCP 2025-11-25 transports, sending messages to the server). The
// client cancels it with a notification, and the end of the session does.
func unlessCancelled(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }

// initialize begins a session, unless the client's initialize will not do.
func (s *Server) initialize(w http.ResponseWriter, r *http.Request, v view, id string, m *jsonrpc.Message) {
	if id != "" {
		s.writeMessage(w, http.StatusBadRequest, &jsonrpc.Message{ID: m.ID, Error: jsonrpc.Errorf(jsonrpc.CodeInvalidRequest, "this session is initialized; begin another one without the header Mcp-Session-Id")})
		return
	}
	id, c, err := s.beginSession(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	on := &answerStream{server: s, w: w}
	answer := c.handle(r.Context(), m, on)
	if answer == nil || answer.Error != nil {
		s.end(id)
	} else {
		w.Header().Set("Mcp-Session-Id", id)
	}
	on.finish(answer)
}

// refusal answers what is no message (JSON-RPC 2.0 section 5.1).
func refusal(err error) *jsonrpc.Message {
	code := jsonrpc.CodeInvalidRequest
	if errors.Is(err, jsonrpc.ErrParse) {
		code = jsonrpc.CodeParse
	}
	return &jsonrpc.Message{Error: jsonrpc.Errorf(code, "%v", err)}
}

func (s *Server) writeMessage(w http.ResponseWriter, status int, m *jsonrpc.Message) {
	buffer := s.buffers.take(len(m.Result) + 512)
	*buffer = m.Append(*buffer)
	header := w.Header()
	header["Content-Type"] = jsonType
	header["Content-Length"] = []string{strconv.Itoa(len(*buffer))}
	w.WriteHeader(status)
	_, _ = w.Write(*buffer) // the client went away
	s.buffers.give(buffer)
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
