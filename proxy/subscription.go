package proxy

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
	"golang.org/x/sync/errgroup"
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

	acknowledged, _ := json.Marshal(map[string]any{"notifications": agreed}) // a filter always encodes
	for _, stop := range c.view.watch(c.server.options.Upstreams, c.announce) {
		defer stop()
	}
	c.mu.Lock() // what is told comes after this, and all of it
	on.send(&jsonrpc.Message{Method: mcp.MethodNotificationSubscriptionsAcknowledged, Params: tagged(acknowledged, m.ID)})
	c.own = wanted{agreed, m.ID, on}
	c.mu.Unlock()
	if agreed.IsEmpty() {
		return &jsonrpc.Message{ID: m.ID, Result: c.server.completed(m.Method, tagged(nil, m.ID))}
	}
	<-ctx.Done()
	return nil
}

// wanted is the stream of a subscription: it takes what the client asked for.
type wanted struct {
	filter mcp.SubscriptionFilter
	id     json.RawMessage
	on     stream
}

// send implements stream.
func (w wanted) send(n *jsonrpc.Message) bool {
	return !w.takes(n) || w.on.send(&jsonrpc.Message{Method: n.Method, Params: tagged(n.Params, w.id)})
}

// tagged says which subscription a message belongs to.
func tagged(params, id json.RawMessage) json.RawMessage {
	return jsonrpc.Put(params, id, "_meta", mcp.MetaKeySubscriptionID)
}

// takes reports whether the client asked for a notification.
func (w wanted) takes(n *jsonrpc.Message) bool {
	f := &w.filter
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

// subscribeLimit bounds how long upstreams may take to be subscribed to, and
// atOnceAtMost how many are asked at a time.
const (
	subscribeLimit = 30 * time.Second
	atOnceAtMost   = 16
)

// subscribe asks the upstreams for updates of resources, and returns those that
// are there to be subscribed to.
func (c *session) subscribe(ctx context.Context, uris []string) []string {
	ctx, stop := context.WithTimeout(ctx, subscribeLimit)
	defer stop()
	agreed := make([]bool, len(uris))
	var asking errgroup.Group
	asking.SetLimit(atOnceAtMost)
	for i, uri := range uris {
		asking.Go(func() error {
			agreed[i] = c.subscribeTo(ctx, uri)
			return nil
		})
	}
	_ = asking.Wait() // none returns an error
	var all []string
	for i, uri := range uris {
		if agreed[i] {
			all = append(all, uri)
		}
	}
	return all
}

func (c *session) subscribeTo(ctx context.Context, uri string) bool {
	u, err := c.view.owner(c.server.options.Upstreams, uri)
	if err != nil {
		return false
	}
	if c.server.subscriptions.add(u.Name(), uri) > 1 {
		return true
	}
	if _, err := u.Call(ctx, subscriptionCall("resources/subscribe", uri)); err != nil {
		c.server.subscriptions.remove(u.Name(), uri)
		c.logger.Warn("a resource could not be subscribed to", "upstream", u.Name(), "uri", uri, "error", err)
		return false
	}
	return true
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
	ctx, stop := context.WithTimeout(context.Background(), unsubscribeLimit)
	defer stop()
	var telling errgroup.Group
	telling.SetLimit(atOnceAtMost)
	for _, uri := range uris {
		u, err := c.view.owner(c.server.options.Upstreams, uri)
		if err != nil || c.server.subscriptions.remove(u.Name(), uri) > 0 {
			continue
		}
		telling.Go(func() error {
			if _, err := u.Call(ctx, subscriptionCall("resources/unsubscribe", uri)); err != nil {
				c.logger.Warn("a resource could not be unsubscribed from", "upstream", u.Name(), "uri", uri, "error", err)
			}
			return nil
		})
	}
	_ = telling.Wait() // none returns an error
}

func subscriptionCall(method, uri string) relay.Call {
	params, _ := json.Marshal(map[string]string{"uri": uri}) // strings always encode
	return relay.Call{Method: method, Params: params, Safe: true}
}
