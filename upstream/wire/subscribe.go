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

// subscribe changes what resources are listened for; the stream is opened anew.
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

// filter is everything that the server can tell, as far as somebody wants it.
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
	f := mcp.SubscriptionFilter{ToolsListChanged: offers.Tools.ListChanged, PromptsListChanged: offers.Prompts.ListChanged, ResourcesListChanged: offers.Resources.ListChanged}
	if offers.Resources.Subscribe {
		c.mu.Lock()
		f.ResourceSubscriptions = slices.Sorted(maps.Keys(c.subscribed))
		c.mu.Unlock()
	}
	return f
}

// Listen keeps a subscription open to everything that the server can tell (MCP
// 2026-07-28, subscriptions/listen), taking it up again when it ends.
func (c *stateless) Listen(ctx context.Context, notification func(string, json.RawMessage)) error {
	for failures := 0; ; {
		filter := c.filter()
		if filter.IsEmpty() {
			select {
			case <-ctx.Done():
				return nil
			case <-c.resubscribe:
				continue
			}
		}
		err := c.listenOnce(ctx, filter, notification)
		var object *jsonrpc.Error
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errResubscribe):
			continue
		case errors.As(err, &object) && (object.Code == jsonrpc.CodeMethodNotFound || object.Code == jsonrpc.CodeInvalidParams):
			<-ctx.Done() // it has no subscriptions
			return nil
		case err == nil || errors.Is(err, ErrLost):
			failures = 0
		default:
			if failures++; failures >= failedListens {
				return err
			}
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
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
	_, err = c.send(ctx, relay.Call{Method: string(mcp.MethodSubscriptionsListen), Params: params, Notify: func(method string, params json.RawMessage) {
		if method != mcp.MethodNotificationSubscriptionsAcknowledged {
			notification(method, params)
		}
	}})
	if errors.Is(context.Cause(ctx), errResubscribe) {
		return errResubscribe
	}
	return err
}
