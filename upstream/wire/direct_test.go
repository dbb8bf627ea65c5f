package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/upstream/wire"
)

// direct is a connection whose long requests are written from where they lie.
func direct(t *testing.T, call http.HandlerFunc) wire.Conn {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Method") != "server/discover" {
			call(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}}`, jsonrpc.Member(body, "id"))
	}))
	t.Cleanup(server.Close)
	network := http.DefaultTransport.(*http.Transport).Clone()
	wire.WriteDirectly(network)
	t.Cleanup(network.CloseIdleConnections)
	conn, err := wire.HTTP(server.URL, &http.Client{Transport: network}, slog.New(slog.DiscardHandler), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	if _, err := conn.Handshake(t.Context(), wire.Client{Name: "test", Version: "1"}); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A long request arrives as it was given, many times over one connection.
func TestALongRequestIsWrittenFromWhereItLies(t *testing.T) {
	var arrived []byte
	conn := direct(t, func(w http.ResponseWriter, r *http.Request) {
		arrived, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}`, jsonrpc.Member(arrived, "id"))
	})
	for _, length := range []int{1, 32 << 10, 1 << 20, 5 << 20} {
		arguments := `{"text" : "` + strings.Repeat("long ", length/5) + `"}`
		if _, err := conn.Call(t.Context(), relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"t","arguments":` + arguments + `}`)}); err != nil {
			t.Fatal(err)
		}
		if got := jsonrpc.Member(arrived, "params", "arguments"); string(got) != arguments {
			t.Errorf("%d bytes: %d arrived, and want %d", length, len(got), len(arguments))
		}
	}
}

// When a call is over its parameters are the caller's again, even where the server
// answers before it has read them: it sees nothing that is put there afterwards.
func TestAnEarlyAnswerEndsTheRequest(t *testing.T) {
	overwritten := make(chan struct{})
	rest := make(chan []byte, 1)
	conn := direct(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		begin := make([]byte, 4<<10)
		_, _ = io.ReadFull(r.Body, begin)
		w.Header().Set("Content-Type", "application/json")
		answer := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}`, begin[bytes.Index(begin, []byte(`"id":`))+5:][:1])
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = io.WriteString(w, answer)
		_ = control.Flush()
		<-overwritten
		text, _ := io.ReadAll(r.Body) // it is cut off
		rest <- text
	})
	params := []byte(`{"name":"t","arguments":{"text":"` + strings.Repeat("x", 32<<20) + `"}}`)
	if _, err := conn.Call(t.Context(), relay.Call{Method: "tools/call", Params: params}); err != nil {
		t.Error(err)
	}
	for i := range params {
		params[i] = '!'
	}
	close(overwritten)
	if bytes.IndexByte(<-rest, '!') >= 0 {
		t.Error("the server read what the caller had put there after the call")
	}
}

// A call that nobody waits for any more lets go of its parameters too, where the
// server reads nothing of them.
func TestACancelledCallEndsTheRequest(t *testing.T) {
	begun, over := make(chan struct{}, 1), make(chan struct{})
	conn := direct(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case begun <- struct{}{}:
		default:
		}
		<-over
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := conn.Call(ctx, relay.Call{Method: "tools/call", Params: []byte(`{"name":"t","arguments":{"text":"` + strings.Repeat("x", 32<<20) + `"}}`)})
	close(over)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}
