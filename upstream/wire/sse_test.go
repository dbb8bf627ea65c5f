package wire_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/relay"
	"mcpproxy/upstream/wire"
)

// thinking is a server over server-sent events that takes its time for calls.
type thinking struct {
	pause  time.Duration
	stream *io.PipeWriter
	body   *io.PipeReader
}

func (s *thinking) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet {
		go s.say("event: endpoint\ndata: /post\n\n")
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: s.body,
			Request: request}, nil
	}
	var m struct {
		ID     json.RawMessage
		Method string
	}
	if err := json.NewDecoder(request.Body).Decode(&m); err != nil {
		return nil, err
	}
	switch m.Method {
	case "initialize":
		go s.answer(m.ID, `{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`)
	case "tools/call":
		time.AfterFunc(s.pause, func() { s.answer(m.ID, `{"content":[]}`) })
	}
	return &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
}

func (s *thinking) answer(id json.RawMessage, result string) {
	s.say(`data: {"jsonrpc":"2.0","id":` + string(id) + `,"result":` + result + "}\n\n")
}

func (s *thinking) say(text string) { _, _ = io.Copy(s.stream, strings.NewReader(text)) }

// How long a call may take is its caller's to say, and not the transport's.
func TestACallOverServerSentEventsMayTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &thinking{pause: 3 * time.Hour}
		s.body, s.stream = io.Pipe()
		c, err := wire.SSE("http://127.0.0.1/", &http.Client{Transport: s}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = s.stream.Close()
			c.Close(context.Background())
		}()
		if _, err := c.Handshake(t.Context(), wire.Client{Name: "t", Version: "1"}); err != nil {
			t.Fatal(err)
		}
		result, err := c.Call(t.Context(), relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"x"}`)})
		if err != nil || string(result) != `{"content":[]}` {
			t.Errorf("%s, %v", result, err)
		}
	})
}
