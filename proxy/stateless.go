package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// serveStateless answers one request of the stateless protocol (MCP 2026-07-28):
// nothing of it is remembered, but for a call that waits for its client's input.
// read is what the message was read into; over says that nobody needs it any more.
func (s *Server) serveStateless(w http.ResponseWriter, r *http.Request, v view, m *jsonrpc.Message, read *body) (over bool) {
	if !m.IsRequest() {
		// Clients of this protocol answer in the request that they send again, and
		// cancel by closing the stream.
		w.WriteHeader(http.StatusAccepted)
		return true
	}
	meta := readMeta(m)
	refused := meta.check(r.Header, m)
	if refused == nil && m.Method == "tools/call" {
		refused = s.checkParameterHeaders(r.Header, v, m)
	}
	if refused != nil {
		answer := &jsonrpc.Message{ID: m.ID, Error: refused}
		s.writeMessage(w, statusOf(answer), answer)
		return true
	}
	c := s.newRequester(v, &declared{capabilities: meta.capabilities, revision: meta.version, logLevel: meta.logLevel, stateless: true})
	c.read = read
	ctx, lost := context.WithCancel(r.Context())
	defer lost()
	on := &answerStream{server: s, w: w, status: statusOf, lost: lost}
	if m.Method == string(mcp.MethodSubscriptionsListen) {
		on.finish(c.serveSubscription(ctx, m, on))
		return true
	}
	answer, over := s.handleStateless(ctx, c, m, on)
	on.finish(answer)
	return over
}

// handleStateless carries a request out, or takes one up that waited for input.
// Behind a server that speaks the stateless protocol too nothing can be asked on
// the way, and its results have what that protocol wants in them.
func (s *Server) handleStateless(ctx context.Context, c *session, m *jsonrpc.Message, on stream) (answer *jsonrpc.Message, over bool) {
	if name, alike := c.alike(m); alike {
		result, err := c.dispatchStateless(ctx, m, on)
		if err == nil {
			return &jsonrpc.Message{ID: m.ID, Result: result}, true
		}
		if loginPageOf(err) == "" || !c.opensPages() {
			return refusedStateless(m, err), true
		}
		// Nothing was sent. The login is offered as a result that asks for input.
		m = &jsonrpc.Message{ID: m.ID, Method: m.Method, Params: rename(m.Params, name)}
	}
	result, err := s.resumeOrBegin(ctx, c, m, on)
	if err != nil {
		return refusedStateless(m, err), false
	}
	return &jsonrpc.Message{ID: m.ID, Result: s.completed(m.Method, result)}, false
}

// alike reports whether a request goes, by the name in it, to a server of the
// stateless protocol.
func (c *session) alike(m *jsonrpc.Message) (name string, alike bool) {
	if m.Method != "tools/call" && m.Method != "prompts/get" {
		return "", false
	}
	name, err := memberOf(m, "name")
	if err != nil {
		return "", false
	}
	if state, _ := m.Members().String("requestState"); strings.HasPrefix(state, statePrefix) {
		return "", false
	}
	u, _, err := c.view.resolve(c.server.options.Upstreams, name)
	return name, err == nil && mcp.IsModernProtocol(u.Catalog().ProtocolVersion)
}

func refusedStateless(m *jsonrpc.Message, err error) *jsonrpc.Message {
	object := errorObject(err)
	if object.Code == jsonrpc.CodeResourceNotFound {
		// The code of earlier revisions (MCP 2026-07-28 resources, error handling).
		object = &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: object.Message, Data: object.Data}
	}
	return &jsonrpc.Message{ID: m.ID, Error: object}
}

// dispatchStateless is [session.dispatch] without what the stateless protocol has
// no more, and with what it has instead.
func (c *session) dispatchStateless(ctx context.Context, m *jsonrpc.Message, on stream) (json.RawMessage, error) {
	switch m.Method {
	case "server/discover":
		return c.discover()
	case "initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe":
		return nil, jsonrpc.Errorf(jsonrpc.CodeMethodNotFound, "the method %s is not one of the protocol version %s", m.Method,
			c.said.Load().revision)
	}
	return c.dispatch(ctx, m, on)
}

// discover says who this is and which revisions it speaks (MCP 2026-07-28,
// server/discover).
func (c *session) discover() (json.RawMessage, error) {
	capabilities, info, instructions := c.offers()
	result := map[string]any{"supportedVersions": allRevisions(), "capabilities": capabilities,
		"_meta": map[string]any{mcp.MetaKeyServerInfo: info}}
	if instructions != "" {
		result["instructions"] = instructions
	}
	return json.Marshal(result)
}

// checkParameterHeaders compares the headers that repeat a tool's parameters with
// the parameters (MCP 2026-07-28 transports, x-mcp-header).
func (s *Server) checkParameterHeaders(header http.Header, v view, m *jsonrpc.Message) *jsonrpc.Error {
	name, err := memberOf(m, "name")
	if err != nil {
		return nil // said where the call is carried out
	}
	u, inner, err := v.resolve(s.options.Upstreams, name)
	if err != nil {
		return nil
	}
	tools := u.Catalog().Tools
	i := slices.IndexFunc(tools, func(item relay.Item) bool { return item.Name == inner })
	if i < 0 || !bytes.Contains(tools[i].Raw, []byte("x-mcp-header")) {
		return nil
	}
	var tool mcp.Tool
	if json.Unmarshal(tools[i].Raw, &tool) != nil {
		return nil
	}
	if err := mcp.ValidateParamHeaders(header.Get, &tool, m.Params); err != nil {
		return jsonrpc.Errorf(mcp.HEADER_MISMATCH, "%v", err)
	}
	return nil
}

// onlyPost refuses what the stateless protocol has no use for.
func onlyPost(w http.ResponseWriter, method string) {
	w.Header().Set("Allow", http.MethodPost)
	http.Error(w, fmt.Sprintf("%s is not part of this protocol version; notifications come with subscriptions/listen", method),
		http.StatusMethodNotAllowed)
}
