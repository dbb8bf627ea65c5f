package wire

import (
	"bytes"
	"encoding/json"
	"io"

	"mcpproxy/jsonrpc"
)

// mcp-go's transports decode parameters, error objects and ids into Go values, in
// which numbers lose digits, members their order, and objects what the
// specification does not name. What they would decode is therefore packed into a
// JSON string at one side of the transport and unpacked at the other. Results are
// carried as they are on the way in, and packed on the way out.

// packed is a raw value on its way through a transport.
type packed struct {
	Raw *string `json:"raw"`
}

func pack(raw json.RawMessage) json.RawMessage {
	text := string(raw)
	object, _ := json.Marshal(packed{&text}) // a string always encodes
	return object
}

// unpack returns value itself where it is not packed.
func unpack(value json.RawMessage) json.RawMessage {
	var p packed
	if value == nil || json.Unmarshal(value, &p) != nil || p.Raw == nil || !json.Valid([]byte(*p.Raw)) {
		return value
	}
	return json.RawMessage(*p.Raw)
}

// packMessage packs a message of the server. What is none is left to the transport,
// which passes over it.
func packMessage(text []byte) []byte {
	m, err := jsonrpc.Decode(text)
	switch {
	case err != nil:
		return text
	case m.IsRequest():
		m.ID, _ = json.Marshal(string(m.ID)) // a string always encodes
	case m.IsResponse() && m.Error == nil:
		return text
	}
	if m.Params != nil {
		m.Params = pack(m.Params)
	}
	if m.Error != nil {
		raw, _ := m.Error.MarshalJSON() // it came as JSON
		m.Error = &jsonrpc.Error{Code: m.Error.Code, Message: m.Error.Message, Data: pack(raw)}
	}
	return m.Encode()
}

// unpackMessage undoes what packMessage and [session] have done to a message for the server.
func unpackMessage(text []byte) (*jsonrpc.Message, error) {
	m, err := jsonrpc.Decode(text)
	if err != nil {
		return nil, err
	}
	m.Params, m.Result = unpack(m.Params), unpack(m.Result)
	if m.Error != nil {
		m.Error = unpackError(m.Error)
	}
	var id string
	if m.IsResponse() && json.Unmarshal(m.ID, &id) == nil && json.Valid([]byte(id)) {
		m.ID = json.RawMessage(id)
	}
	return m, nil
}

func unpackError(e *jsonrpc.Error) *jsonrpc.Error {
	raw := unpack(e.Data)
	object := &jsonrpc.Error{}
	if bytes.Equal(raw, e.Data) || object.UnmarshalJSON(raw) != nil {
		return e
	}
	return object
}

// unpackingWriter unpacks the lines for a child process. mcp-go writes each message
// with one call.
type unpackingWriter struct {
	io.WriteCloser
	lines *jsonrpc.LineWriter
}

func (w *unpackingWriter) Write(line []byte) (int, error) {
	m, err := unpackMessage(line)
	if err != nil {
		return 0, err
	}
	return len(line), w.lines.Write(m)
}
