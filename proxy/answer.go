package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
)

// jsonType is shared by all answers; nobody may change it.
var jsonType = []string{"application/json"}

// answerStream answers one POST: with one JSON document, or as a stream of
// events from the first message that comes before the result.
type answerStream struct {
	server *Server
	mu     sync.Mutex
	w      http.ResponseWriter
	// status is the HTTP status of an answer that is one document; nil for 200.
	status    func(*jsonrpc.Message) int
	streaming bool
	over      bool
	// result says that a result went out as it arrived, and broken that it did so
	// only in part.
	result, broken bool
	buffer         []byte
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
	return err == nil && http.NewResponseController(a.w).Flush() == nil
}

// finish sends the answer; nil means that there is none.
func (a *answerStream) finish(m *jsonrpc.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	switch {
	case a.broken:
		panic(http.ErrAbortHandler) // the client must not take what it got for the whole
	case a.result:
	case m == nil && !a.streaming:
		a.w.WriteHeader(http.StatusAccepted)
	case m == nil:
	case a.streaming:
		_, _ = a.w.Write(appendEvent(a.buffer[:0], m)) // the client went away
	case a.status != nil:
		a.server.writeMessage(a.w, a.status(m), m)
	default:
		a.server.writeMessage(a.w, http.StatusOK, m)
	}
}

// errOver is returned for a result that comes after the answer.
var errOver = errors.New("the request was answered already")

// pass sends the answer to the request id while its result arrives: no more is
// read from the server than the client takes.
func (a *answerStream) pass(id []byte, result relay.Stream) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return errOver
	}
	a.over, a.result, a.broken = true, true, true
	head := append(append([]byte(`{"jsonrpc":"2.0","id":`), id...), `,"result":`...)
	to, end := io.Writer(a.w), ""
	if a.streaming {
		head, to, end = append([]byte("event: message\ndata: "), head...), oneLine{a.w}, "\n\n"
	} else {
		header := a.w.Header()
		header["Content-Type"] = jsonType
		if result.Size >= 0 {
			header["Content-Length"] = []string{strconv.FormatInt(int64(len(head))+result.Size, 10)}
		}
	}
	if _, err := a.w.Write(head); err != nil {
		return err
	}
	buffer := a.server.buffers.take(passed)
	defer a.server.buffers.give(buffer)
	if err := copyAll(to, result.Body, (*buffer)[:passed]); err != nil {
		return err
	}
	_, err := io.WriteString(a.w, end)
	a.broken = err != nil
	return err
}

// passed is how much of a result is in hand at a time, in bytes.
const passed = 64 << 10

func copyAll(to io.Writer, from io.Reader, buffer []byte) error {
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func streamHeader(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
}

// appendEvent writes a message as one server-sent event, on one line.
func appendEvent(buffer []byte, m *jsonrpc.Message) []byte {
	buffer = append(buffer, "event: message\ndata: "...)
	begin := len(buffer)
	buffer = m.Append(buffer)
	joinLines(buffer[begin:])
	return append(buffer, "\n\n"...)
}

// joinLines makes a newline between the tokens of a raw part a space, which means
// the same in JSON.
func joinLines(text []byte) {
	for _, newline := range []byte("\n\r") {
		for rest := text; ; {
			at := bytes.IndexByte(rest, newline)
			if at < 0 {
				break
			}
			rest[at] = ' '
			rest = rest[at+1:]
		}
	}
}

// oneLine writes what it is given on one line; it changes its argument.
type oneLine struct{ w io.Writer }

func (o oneLine) Write(text []byte) (int, error) {
	joinLines(text)
	return o.w.Write(text)
}
