package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
)

// joined is up to which length a request's body is one piece, in bytes: the
// transport sends it together with the header then.
const joined = 32 << 10

// outgoing is the body of one request, in pieces of which most are the caller's
// parameters: they are not copied, however large they are.
type outgoing struct {
	pieces [8][]byte
	count  int
	size   int64

	mu      sync.Mutex
	over    bool
	writing sync.WaitGroup // connections that write the pieces as they lie
}

// newOutgoing is the request of a call with meta in the place of what its caller has there;
// nil leaves it.
func newOutgoing(id json.RawMessage, call *relay.Call, members *jsonrpc.Object, meta json.RawMessage) *outgoing {
	method, _ := json.Marshal(call.Method) // strings always encode
	head := make([]byte, 0, 64+len(method))
	head = append(append(head, `{"jsonrpc":"2.0","id":`...), id...)
	head = append(append(head, `,"method":`...), method...)
	o := &outgoing{}
	if members.Raw == nil && meta == nil {
		o.add(append(head, '}'))
		return o
	}
	head = append(head, `,"params":`...)
	before, behind, found := members.Around("_meta")
	switch {
	case meta == nil:
		o.add(head, members.Raw)
	case found:
		o.add(head, before, meta, behind)
	default:
		begin, between, rest := splitOpening(members.Raw)
		o.add(head, begin, []byte(`"_meta":`), meta, between, rest)
	}
	o.add([]byte("}"))
	return o
}

// splitOpening splits an object behind its opening, ready for another member. What is
// none is taken for an empty one.
func splitOpening(object json.RawMessage) (begin, between, rest []byte) {
	at := bytes.IndexByte(object, '{')
	if at < 0 || len(bytes.TrimSpace(object[:at])) > 0 {
		return []byte("{"), nil, []byte("}")
	}
	begin, rest = object[:at+1], object[at+1:]
	if bytes.TrimLeft(rest, " \t\r\n")[0] != '}' {
		between = []byte(",")
	}
	return begin, between, rest
}

func (o *outgoing) add(pieces ...[]byte) {
	for _, piece := range pieces {
		o.pieces[o.count] = piece
		o.count++
		o.size += int64(len(piece))
	}
}

// put makes it the body of a request that can be sent again.
func (o *outgoing) put(request *http.Request) {
	if o.size <= joined {
		setBody(request, bytes.Join(o.pieces[:o.count], nil))
		return
	}
	request.ContentLength = o.size
	request.Body = &pieceReader{from: o}
	request.GetBody = func() (io.ReadCloser, error) { return &pieceReader{from: o}, nil }
}

// end gives the pieces back to who has them from: a transport may still be reading
// a body when the answer is there, and reads no more of it then. Who calls it has
// closed the answer, or has none, so that a connection which is still writing them
// is closed by its transport and lets go of them.
func (o *outgoing) end() {
	o.mu.Lock()
	o.over = true
	o.mu.Unlock()
	o.writing.Wait()
}

// writeTo writes all pieces to a connection without copying them first.
func (o *outgoing) writeTo(connection io.Writer) (int64, error) {
	o.mu.Lock()
	if o.over {
		o.mu.Unlock()
		return 0, errCallOver
	}
	o.writing.Add(1)
	o.mu.Unlock()
	defer o.writing.Done()
	pieces := net.Buffers(slices.Clone(o.pieces[:o.count]))
	return pieces.WriteTo(connection)
}

var errCallOver = errors.New("the call is over")

// pieceReader reads the pieces once.
type pieceReader struct {
	from      *outgoing
	piece, at int
}

func (r *pieceReader) Read(buffer []byte) (n int, err error) {
	r.from.mu.Lock()
	defer r.from.mu.Unlock()
	if r.from.over {
		return 0, errCallOver
	}
	for n < len(buffer) && r.piece < r.from.count {
		copied := copy(buffer[n:], r.from.pieces[r.piece][r.at:])
		n += copied
		if r.at += copied; r.at == len(r.from.pieces[r.piece]) {
			r.piece, r.at = r.piece+1, 0
		}
	}
	if n == 0 && len(buffer) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *pieceReader) Close() error { return nil }
