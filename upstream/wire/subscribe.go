package wire

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// subscribe changes what resources are listened for; the stream is opened again.
func (c *stateless) subscribe(call relay.Call) (json.RawMessage, error) {
	var p struct {
		URI string `json:"uri"`
	}
	if json.Unmarshal(call.Params, &p) != nil || p.URI == "" {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "the parameter uri is missing or no string")
	}
	c.mu.Lock()
	if call.Method == "resources/subscribe" {
		c.subscribed[p.URI] = true
	} else {
		delete(c.subscribed, p.URI)
	}
	c.mu.Unlock()
	select {
	case c.resubscribe <- struct{}{}:
	default: // it is signalled already
	}
	return json.RawMessage("{}"), nil
}

// filter is everything that the server can tell, as far as someone wants it.
func (c *stateless) filter() mcp.SubscriptionFilter {
	var offers struct {
		Tools, Prompts struct {
			ListChanged bool `json:"listChanged"`
		}
		Resources struct {
			ListChanged bool `json:"listChanged"`
			Subscribe   bool `json:"subscribe"`
		} `json:"resources"`
	}
	_ = json.Unmarshal(c.offers, &offers) // what cannot be read is not offered
	f := mcp.SubscriptionFilter{ToolsListChanged: offers.Tools.ListChanged, PromptsListChanged: offers.Prompts.ListChanged,
		ResourcesListChanged: offers.Resources.ListChanged}
	if offers.Resources.Subscribe {
		c.mu.Lock()
		f.ResourceSubscriptions = slices.Sorted(maps.Keys(c.subscribed))
		c.mu.Unlock()
	}
	return f
}

// Listen keeps a subscription open to everything that the server can tell (MCP
// 2026-07-28, subscriptions/listen), which it need not take.
func (c *stateless) Listen(ctx context.Context, listener Listener) error {
	stream := ownStream{told: listener.Stream, hold: func(ctx context.Context, opened func()) (time.Duration, error) {
		return 0, c.listen(AsOptional(ctx), opened, listener.Notified)
	}, probe: func(ctx context.Context) error {
		_, err := c.send(ctx, relay.Call{Method: string(mcp.MethodServerDiscover)})
		return err
	}}
	return stream.keep(ctx)
}

// listen holds a subscription to what is wanted at each moment until the server or ctx
// ends it; an error says that it was not opened.
func (c *stateless) listen(ctx context.Context, opened func(), notified func(string, json.RawMessage)) error {
	for {
		filter := c.filter()
		if filter.IsEmpty() {
			select {
			case <-ctx.Done():
				return nil
			case <-c.resubscribe:
				continue
			}
		}
		opened() // a server that has none says so soon
		open := false
		err := c.listenOnce(ctx, filter, func(method string, params json.RawMessage) {
			if open = true; method != mcp.MethodNotificationSubscriptionsAcknowledged {
				notified(method, params)
			}
		})
		switch {
		case errors.Is(err, errResubscribe):
		case open, errors.Is(err, ErrLost): // it was there
			return nil
		default:
			return err
		}
	}
}

// errResubscribe ends a subscription because another one is wanted.
var errResubscribe = errors.New("other resources are to be listened for")

// listenOnce holds one subscription until the server, ctx or a change ends it.
func (c *stateless) listenOnce(ctx context.Context, filter mcp.SubscriptionFilter, notification func(string, json.RawMessage)) error {
	params, err := json.Marshal(map[string]any{"notifications": filter})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	defer func() { <-ended }()
	go func() {
		defer close(ended)
		select {
		case <-c.resubscribe:
			cancel(errResubscribe)
		case <-ctx.Done():
		}
	}()
	defer cancel(nil)
	_, err = c.send(ctx, relay.Call{Method: string(mcp.MethodSubscriptionsListen), Params: params, Notify: notification})
	if errors.Is(context.Cause(ctx), errResubscribe) {
		return errResubscribe
	}
	return err
}
