package proxy

import (
	"context"
	"encoding/json"
	"slices"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// serveSubscription tells a client what it asked to be told, until it closes the
// stream (MCP 2026-07-28, subscriptions/listen).
func (c *session) serveSubscription(ctx context.Context, m *jsonrpc.Message, on stream) *jsonrpc.Message {
	var p struct {
		Filter mcp.SubscriptionFilter `json:"notifications"`
	}
	if err := json.Unmarshal(m.Params, &p); err != nil {
		return &jsonrpc.Message{ID: m.ID, Error: jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "the parameter notifications: %v", err)}
	}
	agreed := p.Filter
	agreed.ResourceSubscriptions = c.subscribe(ctx, p.Filter.ResourceSubscriptions)
	defer c.unsubscribe(agreed.ResourceSubscriptions)

	told := make(queue, queued)
	defer c.attach(told)()
	stops := c.view.watch(c.server.options.Upstreams, c.announce)
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()
	acknowledged, _ := json.Marshal(map[string]any{"notifications": agreed}) // a filter always encodes
	on.send(&jsonrpc.Message{Method: mcp.MethodNotificationSubscriptionsAcknowledged, Params: tagged(acknowledged, m.ID)})
	for !agreed.IsEmpty() {
		select {
		case <-ctx.Done():
			return nil
		case n := <-told:
			if wanted(agreed, n) && !on.send(&jsonrpc.Message{Method: n.Method, Params: tagged(n.Params, m.ID)}) {
				return nil
			}
		}
	}
	return &jsonrpc.Message{ID: m.ID, Result: c.server.completed(m.Method, tagged(nil, m.ID))}
}

// tagged says which subscription a message belongs to.
func tagged(params, id json.RawMessage) json.RawMessage {
	return jsonrpc.Put(params, id, "_meta", mcp.MetaKeySubscriptionID)
}

// wanted reports whether a client asked for a notification.
func wanted(f mcp.SubscriptionFilter, n *jsonrpc.Message) bool {
	switch n.Method {
	case "notifications/tools/list_changed":
		return f.ToolsListChanged
	case "notifications/prompts/list_changed":
		return f.PromptsListChanged
	case "notifications/resources/list_changed":
		return f.ResourcesListChanged
	case "notifications/resources/updated":
		uri, err := member(n.Params, "uri")
		return err == nil && slices.Contains(f.ResourceSubscriptions, uri)
	}
	return false
}

// subscribe asks the upstreams for updates of resources, and returns those that
// are there to be subscribed to.
func (c *session) subscribe(ctx context.Context, uris []string) []string {
	var agreed []string
	for _, uri := range uris {
		u, err := c.view.owner(c.server.options.Upstreams, uri)
		if err != nil {
			continue
		}
		if c.server.subscriptions.add(u.Name(), uri) > 1 {
			agreed = append(agreed, uri)
			continue
		}
		if _, err := u.Call(ctx, subscriptionCall("resources/subscribe", uri)); err != nil {
			c.server.subscriptions.remove(u.Name(), uri)
			c.logger.Warn("a resource could not be subscribed to", "upstream", u.Name(), "uri", uri, "error", err)
			continue
		}
		agreed = append(agreed, uri)
	}
	return agreed
}

// listenTo is a session's resources/subscribe or resources/unsubscribe. A session
// that stops listening does not silence the others.
func (c *session) listenTo(ctx context.Context, m *jsonrpc.Message) (json.RawMessage, error) {
	uri, err := member(m.Params, "uri")
	if err != nil {
		return nil, err
	}
	u, err := c.view.owner(c.server.options.Upstreams, uri)
	if err != nil {
		return nil, err
	}
	begins := m.Method == "resources/subscribe"
	c.mu.Lock()
	changes := c.subscribed[uri] != begins
	if begins {
		c.subscribed[uri] = true
	} else {
		delete(c.subscribed, uri)
	}
	c.mu.Unlock()
	switch {
	case !changes:
	case begins:
		c.server.subscriptions.add(u.Name(), uri)
	case c.server.subscriptions.remove(u.Name(), uri) > 0:
		return json.RawMessage("{}"), nil
	}
	return u.Call(ctx, subscriptionCall(m.Method, uri))
}

// unsubscribe ends what nobody else listens to.
func (c *session) unsubscribe(uris []string) {
	for _, uri := range uris {
		u, err := c.view.owner(c.server.options.Upstreams, uri)
		if err != nil || c.server.subscriptions.remove(u.Name(), uri) > 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), unsubscribeLimit)
		_, err = u.Call(ctx, subscriptionCall("resources/unsubscribe", uri))
		cancel()
		if err != nil {
			c.logger.Warn("a resource could not be unsubscribed from", "upstream", u.Name(), "uri", uri, "error", err)
		}
	}
}

func subscriptionCall(method, uri string) relay.Call {
	params, _ := json.Marshal(map[string]string{"uri": uri}) // strings always encode
	return relay.Call{Method: method, Params: params, Safe: true}
}
