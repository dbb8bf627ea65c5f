package proxy_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/proxy"
	"mcpproxy/relay"
)

// A client that ends its input is still answered what it asked before: at once where
// a call waits for what only that client could say, and in any case within a minute.
func TestTheEndOfTheInputLosesNoRequest(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(context.Context, relay.Call) (json.RawMessage, error)
		within time.Duration
		want   string
	}{
		{"a call that takes its time", func(context.Context, relay.Call) (json.RawMessage, error) {
			time.Sleep(50 * time.Second)
			return json.RawMessage(`{"late":true}`), nil
		}, 50 * time.Second, `"result":{"late":true}`},
		{"a call that has asked the client", func(ctx context.Context, c relay.Call) (json.RawMessage, error) {
			return c.Ask(ctx, "elicitation/create", nil)
		}, 0, "has ended its input"},
		{"a call that asks the client later", func(ctx context.Context, c relay.Call) (json.RawMessage, error) {
			time.Sleep(time.Second)
			return c.Ask(ctx, "elicitation/create", nil)
		}, time.Second, "has ended its input"},
		{"a call that does not end", func(ctx context.Context, _ relay.Call) (json.RawMessage, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}, time.Minute, "the session has ended"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _ := twoUpstreams()
				a.answer = test.answer
				p := proxy.New(proxy.Options{Upstreams: fakes{a}})
				defer p.Close()
				in, input := io.Pipe()
				var out strings.Builder
				ended := make(chan error)
				go func() { ended <- p.ServeStdio(t.Context(), "", in, &out) }()
				for _, line := range []string{initializeBody, `{"jsonrpc":"2.0","id":"last","method":"tools/call","params":{"name":"a__echo"}}`} {
					if _, err := io.WriteString(input, line+"\n"); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				began := time.Now()
				_ = input.Close()
				if err := <-ended; err != nil || time.Since(began) != test.within {
					t.Errorf("it ended %v after its input, want %v: %v", time.Since(began), test.within, err)
				}
				if _, answer, _ := strings.Cut(out.String(), `"id":"last",`); !strings.Contains(answer, test.want) {
					t.Errorf("%s is missing in what was answered: %s", test.want, &out)
				}
			})
		})
	}
}
