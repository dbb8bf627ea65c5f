// Package jsonrpc is the envelope of JSON-RPC 2.0 as MCP uses it: method, id and
// the raw bytes of parameters, results and error data.
//
// It promises that what it does not need to read stays byte for byte as it came,
// ids included, and that a message that is none is refused with the reason. It
// knows nothing of methods, sessions or transports. A batch is no message (MCP
// dropped them in 2025-06-18); [Split] takes one of an older peer apart, and
// [AppendBatch] puts the answers together.
package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Codes of JSON-RPC 2.0 section 5.1, and those of this program and of MCP.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603
	// CodeResourceNotFound is MCP's for an unknown resource.
	CodeResourceNotFound = -32002
	// CodeLoginNeeded says that a user has to log in to the upstream first.
	CodeLoginNeeded = -32001
	// CodeUnavailable says that the upstream could not be reached in time.
	CodeUnavailable = -32003
)

var (
	// ErrInvalid is matched by every refusal of [Decode] and [Split].
	ErrInvalid = errors.New("not a JSON-RPC 2.0 message")
	// ErrParse is matched where the text is no JSON at all.
	ErrParse = fmt.Errorf("%w: not JSON", ErrInvalid)
	// ErrBatch is matched where [Decode] finds a batch.
	ErrBatch = fmt.Errorf("%w: a batch, and one message was expected", ErrInvalid)
)

// Message is one message: a request (Method and ID), a notification (Method
// alone) or a response (ID and either Result or Error).
type Message struct {
	// ID is a JSON string or integer as it came; nil for notifications.
	ID     json.RawMessage
	Method string
	// Params, Result are raw; nil where absent.
	Params json.RawMessage
	Result json.RawMessage
	Error  *Error

	params Object
}

// Error is the error object of a response. It is also a Go error, so that a
// server's answer travels through the program unchanged.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
	// Raw is the whole object as it came from a peer, or nil; it is what is sent on.
	Raw json.RawMessage `json:"-"`
}

func (e *Error) Error() string { return fmt.Sprintf("%s (JSON-RPC error %d)", e.Message, e.Code) }

// MarshalJSON yields the object as it came, or the fields.
func (e *Error) MarshalJSON() ([]byte, error) {
	if e.Raw != nil {
		return e.Raw, nil
	}
	type fields Error
	return json.Marshal((*fields)(e))
}

// UnmarshalJSON reads the fields and keeps the raw object.
func (e *Error) UnmarshalJSON(text []byte) error {
	type fields Error
	if err := json.Unmarshal(text, (*fields)(e)); err != nil {
		return err
	}
	e.Raw = bytes.Clone(text)
	return nil
}

// Errorf returns an error object with a formatted message.
func Errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// IsRequest reports whether an answer is expected.
func (m *Message) IsRequest() bool { return m.Method != "" && m.ID != nil }

// IsNotification reports whether none is.
func (m *Message) IsNotification() bool { return m.Method != "" && m.ID == nil }

// IsResponse reports whether m is an answer.
func (m *Message) IsResponse() bool { return m.Method == "" }

// envelope are the members of a message, raw; nil where absent.
type envelope struct {
	version, id, method, params, result, err json.RawMessage
}

// readEnvelope takes the names exactly as they are written, and each once: what
// one reader takes for a method and another does not could get past either. The
// members of params are noted on the way. ok is false where text is no JSON object.
func readEnvelope(text []byte, params *Object) (e envelope, ok bool, err error) {
	at := space(text, 0)
	if at >= len(text) || text[at] != '{' {
		return e, false, nil
	}
	if at = space(text, at+1); at < len(text) && text[at] == '}' {
		return e, space(text, at+1) == len(text), nil
	}
	for at < len(text) && text[at] == '"' {
		key := at
		nameEnd := stringEnd(text, at)
		if nameEnd < 0 {
			return e, false, err
		}
		if at = space(text, nameEnd); at >= len(text) || text[at] != ':' {
			return e, false, err
		}
		value := space(text, at+1)
		into := e.member(text[key:nameEnd])
		if into == &e.params && value < len(text) && text[value] == '{' {
			*params = Object{known: true}
			at = checkObject(text, value, 2, params)
		} else {
			at = check(text, value, 2)
		}
		if at < 0 {
			return e, false, err
		}
		if into != nil {
			err = once(*into, text[key+1:nameEnd-1], err)
			*into = text[value:at:at]
		}
		if at = space(text, at); at < len(text) && text[at] == '}' {
			return e, space(text, at+1) == len(text), err
		}
		if at >= len(text) || text[at] != ',' {
			break
		}
		at = space(text, at+1)
	}
	return e, false, err
}

// once is the error of a member that was there before, unless there is an earlier one.
func once(before json.RawMessage, name []byte, earlier error) error {
	if before == nil || earlier != nil {
		return earlier
	}
	return fmt.Errorf("%w: the member %s is there twice", ErrInvalid, name)
}

// member is where the value of a member belongs; nil for one that has no meaning.
func (e *envelope) member(quoted []byte) *json.RawMessage {
	name, _ := unquote(quoted)
	switch name {
	case "jsonrpc":
		return &e.version
	case "id":
		return &e.id
	case "method":
		return &e.method
	case "params":
		return &e.params
	case "result":
		return &e.result
	case "error":
		return &e.err
	}
	return nil
}

// Decode reads one message, looking once through the text. Its raw parts alias
// text, and the inside of the strings in them has not been looked at. Errors match
// [ErrInvalid], and [ErrParse] too where text is no JSON.
func Decode(text []byte) (*Message, error) {
	m := &Message{}
	e, ok, err := readEnvelope(text, &m.params)
	if !ok {
		return nil, notAnObject(text)
	}
	if err != nil {
		return nil, err
	}
	if string(e.version) != `"2.0"` {
		return nil, fmt.Errorf("%w: the member jsonrpc must be \"2.0\"", ErrInvalid)
	}
	if e.method == nil {
		return decodeResponse(&e)
	}
	m.ID, m.Params = e.id, e.params
	switch {
	case !m.setMethod(e.method):
		return nil, fmt.Errorf("%w: the method must be a string", ErrInvalid)
	case m.Method == "":
		return nil, fmt.Errorf("%w: the method is empty", ErrInvalid)
	case e.result != nil || e.err != nil:
		return nil, fmt.Errorf("%w: a request with a result or an error", ErrInvalid)
	case e.id != nil && !validID(e.id):
		return nil, fmt.Errorf("%w: an id must be a string or an integer", ErrInvalid)
	case !structured(e.params):
		return nil, fmt.Errorf("%w: params must be an object or an array", ErrInvalid)
	}
	return m, nil
}

// notAnObject says what a text is that is no object.
func notAnObject(text []byte) error {
	if at := space(text, 0); check(text, at, 1) > 0 && text[at] == '[' {
		return ErrBatch
	}
	var anything json.RawMessage
	if err := json.Unmarshal(text, &anything); err != nil {
		return fmt.Errorf("%w: %w", ErrParse, err)
	}
	return fmt.Errorf("%w: the message must be an object", ErrInvalid)
}

func (m *Message) setMethod(raw json.RawMessage) (ok bool) {
	m.Method, ok = unquote(raw)
	return ok
}

// Members returns where the members of Params stand, as [Decode] found them. Who
// changes the object sets Params to its Raw.
func (m *Message) Members() *Object {
	if m.params.Raw == nil {
		m.params.Raw = m.Params
	}
	return &m.params
}

func decodeResponse(e *envelope) (*Message, error) {
	null := bytes.Equal(e.err, []byte("null"))
	switch {
	case e.id == nil:
		return nil, fmt.Errorf("%w: neither a method nor an id", ErrInvalid)
	case e.result == nil && (e.err == nil || null):
		return nil, fmt.Errorf("%w: a response with neither a result nor an error", ErrInvalid)
	case e.result != nil && e.err != nil && !null:
		return nil, fmt.Errorf("%w: a response with both a result and an error", ErrInvalid)
	case !validID(e.id) && !(e.err != nil && bytes.Equal(e.id, []byte("null"))):
		return nil, fmt.Errorf("%w: an id must be a string or an integer", ErrInvalid)
	}
	m := &Message{ID: e.id, Result: e.result}
	if e.err != nil && !null {
		m.Error = &Error{}
		if err := json.Unmarshal(e.err, m.Error); err != nil {
			return nil, fmt.Errorf("%w: the error object: %w", ErrInvalid, err)
		}
	}
	return m, nil
}

// validID accepts strings and numbers without fraction or exponent.
func validID(id json.RawMessage) bool {
	return len(id) > 0 && (id[0] == '"' || (id[0] == '-' || '0' <= id[0] && id[0] <= '9') && !bytes.ContainsAny(id, ".eE"))
}

func structured(params json.RawMessage) bool {
	return params == nil || params[0] == '{' || params[0] == '['
}

// Append writes the message's wire form to buffer and returns it; raw parts are
// copied as they are.
func (m *Message) Append(buffer []byte) []byte {
	buffer = append(buffer, `{"jsonrpc":"2.0"`...)
	if m.ID != nil {
		buffer = append(append(buffer, `,"id":`...), m.ID...)
	} else if m.Method == "" {
		buffer = append(buffer, `,"id":null`...)
	}
	if m.Method != "" {
		method, _ := json.Marshal(m.Method) // a string always encodes
		buffer = append(append(buffer, `,"method":`...), method...)
		if m.Params != nil {
			buffer = append(append(buffer, `,"params":`...), m.Params...)
		}
		return append(buffer, '}')
	}
	if m.Error != nil {
		object, err := m.Error.MarshalJSON()
		if err != nil {
			object, _ = json.Marshal(&Error{Code: m.Error.Code, Message: m.Error.Message})
		}
		return append(append(append(buffer, `,"error":`...), object...), '}')
	}
	result := m.Result
	if result == nil {
		result = json.RawMessage("{}")
	}
	return append(append(append(buffer, `,"result":`...), result...), '}')
}

// Encode returns the message's wire form.
func (m *Message) Encode() []byte {
	return m.Append(make([]byte, 0, 64+len(m.ID)+len(m.Method)+len(m.Params)+len(m.Result)))
}
