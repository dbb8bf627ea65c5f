package oauthserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// stepUpScope is what the tool admin needs beyond the scope mcp.
const stepUpScope = "mcp:admin"

func (s *Server) mcpServer() http.Handler {
	s.tools = server.NewMCPServer("oauthserver", "1.0.0", server.WithToolCapabilities(true), server.WithResourceCapabilities(true, true),
		server.WithPromptCapabilities(true), server.WithLogging(), server.WithInstructions("A server to test with."))
	m := s.tools
	m.AddTool(mcp.NewTool("echo", mcp.WithDescription("Returns its text."), mcp.WithString("text", mcp.Required())),
		func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText(r.GetString("text", "")), nil
		})
	m.AddTool(mcp.NewTool("add", mcp.WithDescription("Adds two numbers."), mcp.WithNumber("a", mcp.Required()),
		mcp.WithNumber("b", mcp.Required())), func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText(fmt.Sprint(r.GetFloat("a", 0) + r.GetFloat("b", 0))), nil
	})
	m.AddTool(mcp.NewTool("slow", mcp.WithDescription("Takes its time and says how far it is."),
		mcp.WithNumber("milliseconds", mcp.Required())), slow)
	m.AddTool(mcp.NewTool("admin", mcp.WithDescription("Needs the scope "+stepUpScope+".")),
		func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("you are an administrator"), nil
		})
	m.AddResource(mcp.NewResource("test://greeting", "greeting", mcp.WithMIMEType("text/plain")),
		func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: "test://greeting", MIMEType: "text/plain", Text: "hello"}}, nil
		})
	m.AddPrompt(mcp.NewPrompt("greet", mcp.WithArgument("name")),
		func(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return mcp.NewGetPromptResult("a greeting", []mcp.PromptMessage{mcp.NewPromptMessage(mcp.RoleUser,
				mcp.NewTextContent("Greet "+r.Params.Arguments["name"]))}), nil
		})
	options := []server.StreamableHTTPOption{server.WithStateful(true)}
	if s.options.Sessions {
		options = append(options, server.WithStreamableHTTPProtocolVersions("2025-11-25", "2025-06-18", "2025-03-26"))
	}
	return server.NewStreamableHTTPServer(m, options...)
}

func slow(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	const steps = 4
	for step := range steps {
		select {
		case <-time.After(time.Duration(r.GetFloat("milliseconds", 0)) * time.Millisecond / steps):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if meta := r.Params.Meta; meta != nil && meta.ProgressToken != nil {
			// progress is a courtesy
			_ = server.ServerFromContext(ctx).SendNotificationToClient(ctx, "notifications/progress",
				map[string]any{"progressToken": meta.ProgressToken, "progress": step + 1, "total": steps})
		}
	}
	return mcp.NewToolResultText("done"), nil
}

// protect checks the access token as a resource server does (RFC 6750, RFC 9728
// section 5.1), counts, and performs the faults of the MCP endpoint.
func (s *Server) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		var message struct {
			rpcRequest
			Params struct {
				Name string `json:"name"`
			} `json:"params"`
		}
		_ = json.Unmarshal(body, &message) // the MCP server says what is wrong with it
		method := r.Method
		if message.Method != "" {
			method = message.Method
		}
		s.count(func(c *Counters) { c.MCP[method]++ })
		f := s.fault("mcp", method)
		if f != nil && s.misbehave(w, r, f) {
			return
		}
		if f != nil && s.misbehaveMCP(w, r, f, message.rpcRequest) {
			return
		}
		if !s.options.NoAuth && !s.authorized(w, r, message.Params.Name, f) {
			return
		}
		if s.sessionForgotten(r.Header.Get("Mcp-Session-Id")) {
			s.refuseSession(w)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		w = &sessionWriter{ResponseWriter: w, server: s}
		if f.is("noise") && message.ID != nil {
			noisily(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) authorized(w http.ResponseWriter, r *http.Request, tool string, f *Fault) bool {
	metadata := fmt.Sprintf(`resource_metadata="%s/.well-known/oauth-protected-resource/mcp"`, s.url)
	token, there := s.tokenOf(r)
	s.mu.Lock()
	a := s.grants.access[token]
	valid := a != nil && !a.grant.revoked && s.options.Clock().Before(a.expires.Add(s.options.Leeway)) && !f.is("unauthorized")
	s.mu.Unlock()
	switch {
	case !there && s.options.OptionalAuth:
		return true
	case !there:
		s.count(func(c *Counters) { c.Unauthorized++ })
		w.Header().Set("WWW-Authenticate", s.scheme()+` scope="mcp", `+metadata)
		http.Error(w, "a token is needed", http.StatusUnauthorized)
	case !valid:
		s.count(func(c *Counters) { c.Unauthorized++ })
		w.Header().Set("WWW-Authenticate", s.scheme()+` error="invalid_token", error_description="the token is expired or revoked", `+metadata)
		http.Error(w, "the token is not valid", http.StatusUnauthorized)
	case s.options.ProofRequired && !s.possessed(w, r, token, a, metadata):
	case tool == "admin" && !slices.Contains(strings.Fields(a.scope), stepUpScope):
		s.count(func(c *Counters) { c.Forbidden++ })
		w.Header().Set("WWW-Authenticate", s.scheme()+` error="insufficient_scope", scope="mcp `+stepUpScope+`", `+metadata)
		http.Error(w, "more scope is needed", http.StatusForbidden)
	default:
		return true
	}
	return false
}

func (s *Server) sessionForgotten(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, there := s.sessions[id]
	return there && !known
}

// sessionWriter notes the sessions that the MCP server gives out.
type sessionWriter struct {
	http.ResponseWriter
	server *Server
}

func (w *sessionWriter) WriteHeader(status int) {
	if id := w.Header().Get("Mcp-Session-Id"); id != "" {
		w.server.mu.Lock()
		if _, there := w.server.sessions[id]; !there {
			w.server.sessions[id] = true
		}
		w.server.mu.Unlock()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets streams be flushed.
func (w *sessionWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher.
func (w *sessionWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }
