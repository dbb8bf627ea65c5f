package proxy

import (
	"bytes"
	"context"
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
	// session is whose request it is, and takes the stream up again where its
	// connection breaks; nil in the stateless protocol.
	session *session

	mu sync.Mutex
	w  http.ResponseWriter
	// status is the HTTP status of an answer that is one document; nil for 200.
	status func(*jsonrpc.Message) int
	// box has what is streamed, from the first message on, and ended yields how that
	// ended.
	box    *outbox
	writer *reader
	ended  chan error
	over   bool
	// lost, if set, is called when the client does not read.
	lost func()
	// result says that a result went out as it arrived, and broken that it did so
	// only in part.
	result, broken bool
}

// send implements stream.
func (a *answerStream) send(m *jsonrpc.Message) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return false
	}
	if a.box == nil {
		a.stream()
	}
	return a.box.send(m)
}

// stream begins the stream. Its own goroutine writes, until finish.
func (a *answerStream) stream() {
	if a.session != nil {
		a.box = a.session.openStream()
	} else {
		a.box = a.server.outgoing.outbox(&a.server.stateless, false, encodeEvent(""))
	}
	a.ended = make(chan error, 1)
	to := pacedHTTP(a.w)
	a.writer = a.box.attach(to)
	go func() {
		streamHeader(a.w)
		err := a.writer.run(context.Background(), nil) // until the box is closed
		if to.done(); err != nil {
			hangUp(a.w) // the call may go on for long
			if a.lost != nil {
				a.lost()
			}
		}
		a.ended <- err
	}()
}

// hangUp closes the connection of a request that is being served.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// finish sends the answer; nil means that there is none.
func (a *answerStream) finish(m *jsonrpc.Message) {
	passed := a.end()
	switch {
	case a.broken:
		panic(http.ErrAbortHandler) // the client must not take what it got for the whole
	case a.result || passed && a.box != nil:
	case a.box != nil:
		if m != nil {
			_ = a.box.deliver(context.Background(), m) // a client that does not read loses it
		}
		_ = a.endStream() // the session was told of its error
	case m == nil:
		a.w.WriteHeader(http.StatusAccepted)
	case a.status != nil:
		a.server.writeMessage(a.w, a.status(m), m)
	default:
		a.server.writeMessage(a.w, http.StatusOK, m)
	}
}

// end is where nothing more may be sent by the way; it reports whether it was before.
func (a *answerStream) end() (before bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, a.over = a.over, true
	return before
}

// endStream waits until the stream is written, or its client lost.
func (a *answerStream) endStream() error {
	a.box.close()
	err := <-a.ended
	if a.session != nil {
		a.session.closeStream(a.box, err)
	} else {
		a.box.drop()
	}
	return err
}

// errOver is returned for a result that comes after the answer.
var errOver = errors.New("the request was answered already")

// pass sends the answer to the request id while its result arrives: no more is
// read from the server than the client takes.
func (a *answerStream) pass(id []byte, result relay.Stream) error {
	if a.end() {
		return errOver
	}
	to := pacedHTTP(a.w)
	head := append(append([]byte(`{"jsonrpc":"2.0","id":`), id...), `,"result":`...)
	body, end := io.Writer(to), ""
	if a.box != nil {
		if err := a.handOver(id); err != nil {
			return err
		}
		head, body, end = append([]byte("event: message\ndata: "), head...), oneLine{to}, "\n\n"
	} else {
		header := a.w.Header()
		header["Content-Type"] = jsonType
		if result.Size >= 0 {
			header["Content-Length"] = []string{strconv.FormatInt(int64(len(head))+result.Size, 10)}
		}
	}
	a.result, a.broken = true, true
	defer to.done()
	if _, err := to.Write(head); err != nil {
		return err
	}
	buffer := a.server.buffers.take(passed)
	defer a.server.buffers.give(buffer)
	if err := copyAll(body, result.Body, (*buffer)[:passed]); err != nil {
		return err
	}
	_, err := to.Write([]byte(end))
	a.broken = err != nil
	return err
}

// handOver waits until what was said before the result is written, and leaves the
// connection to the result. A client that comes back for it finds an error: what is
// passed on while it arrives is not kept.
func (a *answerStream) handOver(id []byte) error {
	written := a.box.drained(a.writer)
	if !written {
		a.box.force(&jsonrpc.Message{ID: id, Error: errorObject(errNotKept)})
	}
	err := a.endStream()
	if err == nil && !written {
		err = errNotRead
	}
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

// encodeEvent writes messages as server-sent events, on one line; with ids, if the
// stream has a name.
func encodeEvent(stream string) func(*jsonrpc.Message, uint64) []byte {
	return func(m *jsonrpc.Message, number uint64) []byte {
		text := make([]byte, 0, 128+len(m.Params)+len(m.Result))
		if stream != "" {
			text = append(append(append(text, "id: "...), stream...), '-')
			text = append(strconv.AppendUint(text, number, 10), '\n')
		}
		return appendEvent(text, m)
	}
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
