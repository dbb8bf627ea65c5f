package proxy

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"

	"mcpproxy/jsonrpc"

	"github.com/mark3labs/mcp-go/mcp"
)

// requestMeta is what a request of the stateless protocol says of itself (MCP
// 2026-07-28 basic, _meta).
type requestMeta struct {
	version      string
	capabilities json.RawMessage
	logLevel     string
}

// readMeta reads what is there; what cannot be read is missing.
func readMeta(m *jsonrpc.Message) requestMeta {
	var meta requestMeta
	given := jsonrpc.Look(m.Members().Get("_meta"))
	meta.version, _ = given.String(mcp.MetaKeyProtocolVersion)
	meta.capabilities = bytes.Clone(given.Get(mcp.MetaKeyClientCapabilities)) // the name before it may be cut
	meta.logLevel, _ = given.String(mcp.MetaKeyLogLevel)
	return meta
}

// statelessRevisions are those without a session, newest first.
func statelessRevisions() []string { return []string{mcp.ProtocolVersion20260728} }

// allRevisions are what server/discover tells.
func allRevisions() []string { return slices.Concat(statelessRevisions(), revisions()) }

// isStateless reports whether a request belongs to the stateless protocol: its
// header or its _meta names a revision of it.
func isStateless(r *http.Request, m *jsonrpc.Message) bool {
	return mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion)) || mcp.IsModernProtocol(readMeta(m).version)
}

// check refuses a request whose headers and _meta do not agree with each other,
// with its body, or with what this server speaks (MCP 2026-07-28 transports,
// standard headers; versioning).
func (meta *requestMeta) check(header http.Header, m *jsonrpc.Message) *jsonrpc.Error {
	version := header.Get(mcp.HeaderProtocolVersion)
	switch {
	case version == "":
		return jsonrpc.Errorf(mcp.HEADER_MISMATCH, "the header %s is missing", mcp.HeaderProtocolVersion)
	case meta.version == "":
		return jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "the member %q of _meta is missing", mcp.MetaKeyProtocolVersion)
	case version != meta.version:
		return jsonrpc.Errorf(mcp.HEADER_MISMATCH, "the header %s is %q and the member %q of _meta is %q", mcp.HeaderProtocolVersion, version,
			mcp.MetaKeyProtocolVersion, meta.version)
	case !slices.Contains(statelessRevisions(), version):
		e := jsonrpc.Errorf(mcp.UNSUPPORTED_PROTOCOL_VERSION, "the protocol version %q is not spoken here", version)
		e.Data, _ = json.Marshal(map[string]any{"supported": allRevisions(), "requested": version}) // strings always encode
		return e
	case meta.capabilities == nil:
		return jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "the member %q of _meta is missing", mcp.MetaKeyClientCapabilities)
	}
	return checkRouting(header, m)
}

// checkRouting compares the headers that repeat a request's method and name.
func checkRouting(header http.Header, m *jsonrpc.Message) *jsonrpc.Error {
	if method := header.Get(mcp.HeaderMethod); method != m.Method {
		return jsonrpc.Errorf(mcp.HEADER_MISMATCH, "the header %s is %q and the method is %q", mcp.HeaderMethod, method, m.Method)
	}
	named := "name"
	switch m.Method {
	case "resources/read":
		named = "uri"
	case "tools/call", "prompts/get":
	default:
		return nil
	}
	name, ok := m.Members().String(named)
	if !ok {
		return nil // said where the request is carried out
	}
	if given, valid := mcp.DecodeHeaderValue(header.Get(mcp.HeaderName)); !valid || given != name {
		return jsonrpc.Errorf(mcp.HEADER_MISMATCH, "the header %s is %q and the parameter %s is %q", mcp.HeaderName, header.Get(mcp.HeaderName),
			named, name)
	}
	return nil
}

// statusOf is the HTTP status of an answer of the stateless protocol.
func statusOf(m *jsonrpc.Message) int {
	if m.Error == nil {
		return http.StatusOK
	}
	switch m.Error.Code {
	case jsonrpc.CodeMethodNotFound:
		return http.StatusNotFound
	case mcp.HEADER_MISMATCH, mcp.MISSING_REQUIRED_CLIENT_CAPABILITY, mcp.UNSUPPORTED_PROTOCOL_VERSION,
		jsonrpc.CodeInvalidParams, jsonrpc.CodeInvalidRequest, jsonrpc.CodeParse:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// completed puts what the stateless protocol wants in every result into one that
// comes from elsewhere: its type, and how long it may be kept (not at all, and by
// nobody else, where its server did not say).
func (s *Server) completed(method string, result json.RawMessage) json.RawMessage {
	given := map[string]bool{}
	for name := range jsonrpc.Members(result) {
		given[name] = true
	}
	if !given["resultType"] {
		result = jsonrpc.Put(result, json.RawMessage(`"complete"`), "resultType")
	}
	if cacheable(method) && !given["cacheScope"] {
		result = jsonrpc.Put(result, json.RawMessage(`"private"`), "cacheScope")
	}
	if cacheable(method) && !given["ttlMs"] {
		result = jsonrpc.Put(result, json.RawMessage("0"), "ttlMs")
	}
	if !given["_meta"] || jsonrpc.Member(result, "_meta", mcp.MetaKeyServerInfo) == nil {
		info, _ := json.Marshal(map[string]string{"name": "mcpproxy", "version": s.options.Version}) // strings always encode
		result = jsonrpc.Put(result, info, "_meta", mcp.MetaKeyServerInfo)
	}
	return result
}

func cacheable(method string) bool {
	switch method {
	case "server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read":
		return true
	}
	return false
}
