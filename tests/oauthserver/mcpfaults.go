package oauthserver

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
)

// mcpKinds are the faults of an MCP server: what it need not have is not there, is there
// in a strange way, or never.
func mcpKinds() map[string][]string {
	kinds := map[string][]string{}
	for _, kind := range []string{"empty", "text", "brief", "silent", "rpc-error", "same-cursor", "moved", "bomb", "noise"} {
		kinds[kind] = []string{"mcp"}
	}
	return kinds
}

// rpcRequest is what of a request its faults need.
type rpcRequest struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
}

// misbehaveMCP reports whether the fault was the whole answer.
func (s *Server) misbehaveMCP(w http.ResponseWriter, r *http.Request, f *Fault, asked rpcRequest) bool {
	result := func(body string) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,%s}`, asked.ID, body) // the client went away
	}
	switch f.Kind {
	case "empty":
		w.WriteHeader(http.StatusNoContent)
	case "text":
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "hello") // the client went away
	case "brief":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, ": bye\n\n") // the client went away
	case "silent":
		<-r.Context().Done()
	case "rpc-error":
		result(`"error":{"code":-32603,"message":"on purpose"}`)
	case "same-cursor":
		result(fmt.Sprintf(`"result":{"resultType":"complete",%q:[{"name":"echo","inputSchema":{"type":"object"}}],"nextCursor":"again"}`,
			strings.TrimSuffix(asked.Method, "/list")))
	case "moved":
		if strings.HasSuffix(r.URL.Path, "/") {
			return false
		}
		http.Redirect(w, r, r.URL.Path+"/", f.Status)
	case "bomb":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		_, _ = fmt.Fprintf(packed, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"`, asked.ID)
		blanks := bytes.Repeat([]byte(" "), 1<<20)
		for range 1 << 10 {
			if _, err := packed.Write(blanks); err != nil {
				return true // the client went away
			}
		}
		_, _ = io.WriteString(packed, `"}]}}`)
		_ = packed.Close()
	default:
		return false
	}
	return true
}

// noisily puts what is no message before the answer: events of another type, text, and
// an answer to nobody.
func noisily(w http.ResponseWriter, r *http.Request, next http.Handler) {
	recorded := httptest.NewRecorder()
	next.ServeHTTP(recorded, r)
	body := recorded.Body.String()
	if !strings.HasPrefix(recorded.Header().Get("Content-Type"), "text/event-stream") {
		body = "data: " + body + "\n\n"
	}
	for name, values := range recorded.Header() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(recorded.Code)
	// the client went away
	_, _ = io.WriteString(w, "event: ping\ndata: {\"time\":1}\n\ndata: now comes the answer\n\ndata: "+
		"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{}}\n\n"+body)
}

// TellToolsChanged has the MCP server say so often, at once, that its tools have changed.
func (s *Server) TellToolsChanged(times int) {
	for range times {
		s.tools.SendNotificationToAllClients("notifications/tools/list_changed", nil)
	}
}
