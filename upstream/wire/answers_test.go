package wire_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/upstream/wire"
)

// fault D3's kind: what a server makes of the answer to a request. What has the result in it
// is taken, however it is dressed; else the error says at once what kind of answer it was.
func TestAnswersInOddShapes(t *testing.T) {
	t.Parallel()
	const good = `{"jsonrpc":"2.0","id":ID,"result":{"n":1.0}}`
	const event = "text/event-stream"
	for name, answer := range map[string]struct {
		status int
		header string // the content type; "-" for none
		body   string
		is     error // nil for the result
	}{
		"parameters":               {200, "Application/JSON; charset=utf-8; x=y", good, nil},
		"a type that is broken":    {200, "application/json; charset", good, nil},
		"no type":                  {200, "-", good, nil},
		"a vendor's type":          {200, "application/problem+json", good, nil},
		"an id as a string":        {200, "application/json", strings.Replace(good, "ID", `"ID"`, 1), nil},
		"blanks and a mark":        {200, "application/json", "\ufeff\r\n " + good + "\r\n", nil},
		"a stream with parameters": {200, "text/event-stream;charset=UTF-8", "data: " + good + "\n\n", nil},
		"answered twice":           {200, event, "data: " + good + "\n\ndata: " + good + "\n\n", nil},
		"another's answer first":   {200, event, "data: " + strings.Replace(good, "ID", "7777", 1) + "\n\ndata: " + good + "\n\n", nil},
		"201":                      {201, "application/json", good, nil},
		"202 with the answer":      {202, "application/json", good, nil},
		"202":                      {202, "-", "", wire.ErrProtocol},
		"204":                      {204, "-", "", wire.ErrProtocol},
		"nothing":                  {200, "application/json", "", wire.ErrProtocol},
		"an empty stream":          {200, event, "", wire.ErrLost},
		"a wrong id":               {200, "application/json", strings.Replace(good, "ID", "7777", 1), wire.ErrProtocol},
		"trailing garbage":         {200, "application/json", good + "x", wire.ErrProtocol},
		"two answers in one":       {200, "application/json", good + good, wire.ErrProtocol},
		"half of it":               {200, "application/json", good[:20], wire.ErrProtocol},
		"a page":                   {200, "text/html", "<html>", wire.ErrUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &recording{answer: func(w http.ResponseWriter, r *http.Request, s *sent) {
				switch s.name() {
				case "initialize":
					result(w, s, `{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`)
				case "tools/call":
					w.Header()["Content-Type"] = nil
					if answer.header != "-" {
						w.Header().Set("Content-Type", answer.header)
					}
					w.WriteHeader(answer.status)
					fmt.Fprint(w, strings.ReplaceAll(answer.body, "ID", string(s.message.ID)))
				case "DELETE", "notifications/initialized":
					w.WriteHeader(http.StatusAccepted)
				default:
					w.WriteHeader(http.StatusMethodNotAllowed)
				}
			}}
			conn, _, err := connectHTTP(t, server, "2025-11-25")
			if err != nil {
				t.Fatal(err)
			}
			got, err := conn.Call(t.Context(), relay.Call{Method: "tools/call", Params: []byte(`{}`)})
			if !errors.Is(err, answer.is) || answer.is == nil && string(jsonrpc.Member(got, "n")) != "1.0" {
				t.Errorf("%s, %v", got, err)
			}
			for _, one := range server.names() {
				if one == "notifications/cancelled" {
					t.Error("an answered call was cancelled")
				}
			}
		})
	}
}
