package proxy

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"mcpproxy/jsonrpc"
)

// batchRevision is the one revision that has batches (MCP 2025-03-26 basic).
const batchRevision = "2025-03-26"

// takesBatches reports whether the client speaks that revision.
func (c *session) takesBatches() bool { return c.said.Load().revision == batchRevision }

// inBatch is the stream of a batch: no answer can go out by itself on it.
type inBatch struct{ stream }

// handleBatch carries out what is in a batch, all at once, and returns the answers
// in the order of the requests; none where it has only notifications and responses.
// An error says that it is no batch that is taken.
func (c *session) handleBatch(ctx context.Context, text []byte, on stream) ([]*jsonrpc.Message, error) {
	parts, err := jsonrpc.Split(text)
	if err != nil {
		return nil, err
	}
	answers := make([]*jsonrpc.Message, len(parts))
	var requests sync.WaitGroup
	for i, part := range parts {
		m, err := jsonrpc.Decode(part)
		switch {
		case err != nil:
			answers[i] = refusal(err)
		case m.Method == "initialize":
			answers[i] = &jsonrpc.Message{ID: m.ID, Error: jsonrpc.Errorf(jsonrpc.CodeInvalidRequest, "initialize may not be part of a batch")}
		case m.IsRequest():
			requests.Go(func() { answers[i] = c.handle(ctx, m, inBatch{on}) })
		default:
			c.receive(ctx, m)
		}
	}
	requests.Wait()
	return slices.DeleteFunc(answers, func(m *jsonrpc.Message) bool { return m == nil }), nil
}

// postBatch answers a POST whose body is a batch.
func (s *Server) postBatch(w http.ResponseWriter, r *http.Request, c *session, text []byte) {
	on := &answerStream{server: s, w: w}
	answers, err := c.handleBatch(unlessCancelled(r), text, on)
	if err != nil {
		s.writeMessage(w, http.StatusBadRequest, refusal(err))
		return
	}
	on.finishBatch(answers)
}

// finishBatch sends the answers of a batch: as one document, or as the last event
// where messages went out before.
func (a *answerStream) finishBatch(answers []*jsonrpc.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if len(answers) == 0 {
		if !a.streaming {
			a.w.WriteHeader(http.StatusAccepted)
		}
		return
	}
	text := jsonrpc.AppendBatch(nil, answers)
	if !a.streaming {
		header := a.w.Header()
		header["Content-Type"] = jsonType
		header["Content-Length"] = []string{strconv.Itoa(len(text))}
		_, _ = a.w.Write(text) // the client went away
		return
	}
	joinLines(text)
	_, _ = a.w.Write(append(append([]byte("event: message\ndata: "), text...), "\n\n"...)) // and so here
}
