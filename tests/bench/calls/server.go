package calls

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Payload is text as tools return it, with line ends and quotes, that takes size
// bytes as the inside of a JSON string.
func Payload(size int) string {
	const line = `The \"quick\" brown fox jumps over the lazy dog, and then goes on to the next line.\n`
	text := strings.Repeat(line, size/len(line)+1)[:size]
	return strings.TrimRight(text, `\`) + strings.Repeat(".", len(text)-len(strings.TrimRight(text, `\`)))
}

// answering is an MCP server that answers every call with a text as long as the one
// that came, taken from memory: what is measured is the way there and back.
// /session speaks 2025-11-25, /stateless speaks 2026-07-28.
func answering() http.Handler {
	results := map[int]string{}
	for _, size := range sizes {
		results[size] = fmt.Sprintf(`{"content":[{"type":"text","text":"%s"}]`, Payload(size))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/session", func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			answer(w, r, results, "}")
		case http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
	mux.HandleFunc("POST /stateless", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, results, `,"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench","version":"1"}}}`)
	})
	return mux
}

func answer(w http.ResponseWriter, r *http.Request, results map[int]string, ending string) {
	body := make([]byte, max(r.ContentLength, 0))
	if _, err := io.ReadFull(r.Body, body); r.ContentLength < 0 || err != nil {
		rest, _ := io.ReadAll(r.Body) // a length that is not known
		body = append(body[:0], rest...)
	}
	id, method := envelope(body)
	result := "{}"
	switch {
	case id == nil:
		w.WriteHeader(http.StatusAccepted)
		return
	case method == "initialize":
		w.Header().Set("Mcp-Session-Id", "session")
		var p struct {
			Params struct {
				ProtocolVersion string `json:"protocolVersion"`
			} `json:"params"`
		}
		_ = json.Unmarshal(body, &p) // without one, the answer names none
		result = fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}`, p.Params.ProtocolVersion)
	case method == "server/discover" && strings.HasSuffix(r.URL.Path, "/stateless"):
		result = `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench","version":"1"}}}`
	case method == "server/discover":
		w.WriteHeader(http.StatusBadRequest)
		return
	case method == "tools/list":
		result = `{"tools":[{"name":"echo","description":"Answers with as much as it was given.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]` + ending
	case method == "tools/call":
		result = nearest(results, len(body)) + ending
	}
	head := `{"jsonrpc":"2.0","id":` + string(id) + `,"result":`
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(head)+len(result)+1))
	_, _ = io.WriteString(w, head) // the caller went away
	_, _ = io.WriteString(w, result)
	_, _ = io.WriteString(w, "}")
}

// nearest is the result for a request of the length given.
func nearest(results map[int]string, length int) string {
	for _, size := range sizes {
		if length < 2*size+1000 {
			return results[size]
		}
	}
	return results[sizes[len(sizes)-1]]
}

// envelope finds id and method where clients put them: at either end.
func envelope(body []byte) (id []byte, method string) {
	ends := body
	if len(body) > 600 {
		ends = append(bytes.Clone(body[:300]), body[len(body)-300:]...)
	}
	if _, rest, ok := bytes.Cut(ends, []byte(`"id":`)); ok {
		id = rest[:max(bytes.IndexAny(rest, ",}"), 0)]
	}
	if _, rest, ok := bytes.Cut(ends, []byte(`"method":"`)); ok {
		method = string(rest[:max(bytes.IndexByte(rest, '"'), 0)])
	}
	return id, method
}
