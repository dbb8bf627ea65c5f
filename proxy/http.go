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
	read, err := s.bodies.read(w, r)
	if err != nil {
		refuseBody(w, err)
		return
	}
	defer read.done()
	body := read.text
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
		if s.serveStateless(w, r, v, m, read) {
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
		c.receive(m)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	on := &answerStream{server: s, session: c, w: w}
	on.finish(c.handle(unlessCancelled(r), r.Context(), m, on))
	s.buffers.give(body) // the call is over; other messages may be kept
}

// unlessCancelled is the context of a request in a session: that its connection breaks
// does not cancel it (MCP 2025-11-25 transports, sending messages to the server). The
// client cancels it with a notification, and the end of the session does.
func unlessCancelled(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }

// initialize begins a session, unless the client's initialize will not do.
func (s *Server) initialize(w http.ResponseWriter, r *http.Request, v view, id string, m *jsonrpc.Message) {
	if id != "" {
		s.writeMessage(w, http.StatusBadRequest, &jsonrpc.Message{ID: m.ID,
			Error: jsonrpc.Errorf(jsonrpc.CodeInvalidRequest, "this session is initialized; begin another one without the header Mcp-Session-Id")})
		return
	}
	c, err := s.addSession(v)
	if err != nil {
		w.Header().Set("Retry-After", "10")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	on := &answerStream{server: s, session: c, w: w}
	answer := c.handle(r.Context(), r.Context(), m, on)
	if answer == nil || answer.Error != nil {
		s.end(c.id)
	} else {
		w.Header().Set("Mcp-Session-Id", c.id)
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
	s.writeDocument(w, status, *buffer)
	s.buffers.give(buffer)
}

// writeDocument writes an answer that is one document.
func (s *Server) writeDocument(w http.ResponseWriter, status int, text []byte) {
	header := w.Header()
	header["Content-Type"] = jsonType
	header["Content-Length"] = []string{strconv.Itoa(len(text))}
	w.WriteHeader(status)
	if len(text) <= piece {
		_, _ = w.Write(text) // the client went away
		return
	}
	to := pacedHTTP(w)
	defer to.done()
	if to.put(text, func(int) {}) != nil {
		panic(http.ErrAbortHandler) // the client must not take what it got for the whole
	}
}

// listen serves the session's own stream (GET) until the client goes away, or the
// stream of a request that the client takes up again.
func (c *session) listen(w http.ResponseWriter, r *http.Request) {
	to := pacedHTTP(w)
	reader, err := c.takeUp(to, r.Header.Get("Last-Event-ID"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusGone)
		return
	}
	streamHeader(w)
	_ = to.flush() // the next write says whether the client is there
	if err := reader.run(r.Context(), []byte(": alive\n\n")); err != nil && r.Context().Err() == nil {
		panic(http.ErrAbortHandler) // it does not read
	}
	to.done()
}
