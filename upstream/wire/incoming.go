package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
)

// held is up to which length an answer is read before it is looked at, in bytes.
// What is longer is passed on while it arrives, if the caller takes it.
const held = 32 << 10

// ErrCut says that an answer broke off after its beginning was handed on; the
// request was carried out.
var ErrCut = errors.New("the answer broke off")

// document reads an answer that is one JSON document.
func (x *exchange) document(ctx context.Context, response *http.Response) (json.RawMessage, error) {
	size := response.ContentLength
	text, whole, err := readFirst(response.Body, size)
	if err != nil {
		return nil, broken(err)
	}
	if !whole {
		if passed, err := x.pass(text, response.Body, size); passed {
			return nil, err
		}
		if text, err = readRest(text, response.Body, maxBody); err != nil {
			return nil, err
		}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // which may be ignored (RFC 8259 section 8.1)
	m, err := jsonrpc.Decode(text)
	switch {
	case errors.Is(err, jsonrpc.ErrBatch) && x.batches:
		defer x.asked.Wait()
		if result, done, err := x.batch(ctx, text); done {
			return result, err
		}
		return nil, fmt.Errorf("%w: it answers with a batch that has no answer in it", ErrProtocol)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return x.result(m)
}

// readFirst reads an answer, or the beginning of a long one. size is the whole
// answer's, or -1.
func readFirst(from io.Reader, size int64) (text []byte, whole bool, err error) {
	length := int64(held)
	if size >= 0 {
		length = min(size, held)
	}
	text = make([]byte, length)
	for n := 0; n < len(text); {
		read, err := from.Read(text[n:])
		n += read
		if err == io.EOF && (size < 0 || int64(n) == size) {
			return text[:n], true, nil
		}
		if err != nil {
			return nil, false, unexpected(err)
		}
	}
	return text, size == length, nil
}

// readRest reads the whole of an answer whose beginning is there already.
func readRest(first []byte, rest io.Reader, limit int64) ([]byte, error) {
	buffer := bytes.NewBuffer(first)
	n, err := io.Copy(buffer, io.LimitReader(rest, limit+1))
	if n > limit {
		return nil, fmt.Errorf("%w: it is longer than %d MiB", ErrTooLarge, limit>>20)
	}
	if err != nil {
		return nil, broken(err)
	}
	return buffer.Bytes(), nil
}

// pass hands the result in an answer on while it arrives, and reports whether it
// did: it does if the caller takes it so and if the answer's beginning shows that
// it is a result. size is that of the whole answer, or -1.
func (x *exchange) pass(first []byte, rest io.Reader, size int64) (passed bool, err error) {
	if x.call.Stream == nil {
		return false, nil
	}
	begin := jsonrpc.Begin(first)
	if begin.Result < 0 || begin.ID != nil && !bytes.Equal(bytes.Trim(begin.ID, `"`), x.id) {
		return false, nil
	}
	result := relay.Stream{Body: io.MultiReader(bytes.NewReader(first[begin.Result:]), rest), Size: -1}
	if begin.ID != nil && begin.Version {
		// All that has to be read was read; the rest is as it has to be.
		if size >= 0 {
			result.Size = size - int64(begin.Result)
		}
	} else {
		result.Body = &resultReader{from: result.Body, head: first[:begin.Result], id: x.id}
	}
	source := &cutReader{from: result.Body}
	result.Body = source
	err = x.call.Stream(result)
	if source.err != nil {
		err = source.err
	}
	return true, err
}

// cutReader turns what goes wrong into [ErrCut].
type cutReader struct {
	from io.Reader
	err  error
}

func (r *cutReader) Read(buffer []byte) (int, error) {
	n, err := r.from.Read(buffer)
	if err != nil && err != io.EOF {
		r.err = fmt.Errorf("%w: %w", ErrCut, err)
		err = r.err
	}
	return n, err
}

// resultReader yields a result whose message has its id behind it, and then closes
// the message, once it has seen that the id is the right one.
type resultReader struct {
	from  io.Reader
	head  []byte // what came before the result
	id    json.RawMessage
	value jsonrpc.Ending
	over  bool
}

func (r *resultReader) Read(buffer []byte) (int, error) {
	if r.over {
		return 0, io.EOF
	}
	n, err := r.from.Read(buffer[:len(buffer)-1])
	end, ended := r.value.In(buffer[:n])
	if !ended {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	r.over = true
	envelope, err := readRest(append(append(bytes.Clone(r.head), '0'), buffer[end:n]...), r.from, held)
	if err != nil {
		return 0, err
	}
	if m, err := jsonrpc.Decode(envelope); err != nil || !bytes.Equal(bytes.Trim(m.ID, `"`), r.id) {
		return 0, fmt.Errorf("%w: the answer is not one to this request", ErrProtocol)
	}
	buffer[end] = '}'
	return end + 1, nil
}
