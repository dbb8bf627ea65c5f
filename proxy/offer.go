package proxy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
)

// relay makes a call at an upstream. One that needs a login is offered to the
// client as an address to open, where it takes such offers (elicitation in URL
// mode, MCP 2025-11-25); the call goes on after the login.
func (c *session) relay(ctx context.Context, u relay.Upstream, call relay.Call) (json.RawMessage, error) {
	result, err := u.Call(ctx, call)
	page := loginPageOf(err)
	if page == "" || call.Ask == nil || !c.opensPages() {
		return result, err
	}
	offer, _ := json.Marshal(map[string]string{"mode": "url", "url": page, "elicitationId": rand.Text(),
		"message": u.Name() + " needs your login. Open the address to log in; the call goes on afterwards."}) // strings always encode
	answer, refused := call.Ask(ctx, "elicitation/create", offer)
	if action, _ := jsonrpc.String(answer, "action"); refused != nil || action != "accept" {
		return result, err
	}
	call.AwaitLogin = true
	return u.Call(ctx, call)
}

// opensPages reports whether the client takes addresses to open.
func (c *session) opensPages() bool {
	return jsonrpc.Member(c.said.Load().capabilities, "elicitation", "url") != nil
}

// loginPageOf is the page that an error says a login can be begun at, or "".
func loginPageOf(err error) string {
	var object *jsonrpc.Error
	if !errors.As(err, &object) || object.Code != jsonrpc.CodeLoginNeeded {
		return ""
	}
	page, _ := jsonrpc.String(object.Data, "url")
	return page
}
