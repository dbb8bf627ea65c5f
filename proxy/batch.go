package proxy

import (
	"context"
	"net/http"
	"slices"
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
func (c *session) handleBatch(ctx, client context.Context, text []byte, on stream) ([]*jsonrpc.Message, error) {
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
			requests.Go(func() { answers[i] = c.handle(ctx, client, m, inBatch{on}) })
		default:
			c.receive(m)
		}
	}
	requests.Wait()
	return slices.DeleteFunc(answers, func(m *jsonrpc.Message) bool { return m == nil }), nil
}

// postBatch answers a POST whose body is a batch.
func (s *Server) postBatch(w http.ResponseWriter, r *http.Request, c *session, text []byte) {
	on := &answerStream{server: s, session: c, w: w}
	answers, err := c.handleBatch(unlessCancelled(r), r.Context(), text, on)
	if err != nil {
		s.writeMessage(w, http.StatusBadRequest, refusal(err))
		return
	}
	on.finishBatch(answers)
}

// finishBatch sends the answers of a batch: as one document, or as the last event
// where messages went out before.
func (a *answerStream) finishBatch(answers []*jsonrpc.Message) {
	a.end()
	switch {
	case len(answers) == 0 && a.box == nil:
		a.w.WriteHeader(http.StatusAccepted)
	case a.box == nil:
		text := jsonrpc.AppendBatch(nil, answers)
		a.server.writeDocument(a.w, http.StatusOK, text)
	default:
		if len(answers) > 0 {
			text := jsonrpc.AppendBatch([]byte("event: message\ndata: "), answers)
			joinLines(text[len("event: message\n"):])
			text = append(text, "\n\n"...)
			_ = a.box.deliverText(context.Background(), len(text), func(uint64) []byte { return text }) // a client that does not read loses it
		}
		_ = a.endStream() // and so here
	}
}
