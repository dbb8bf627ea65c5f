package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/upstream/wire"
)

// maxPages bounds how far a server's list is followed.
const maxPages = 1000

// list is one of the lists that a server may have.
type list struct {
	capability string
	method     string
	member     string // of the result
	name       string // of an item
	changed    string // the notification that it has changed
	of         func(*relay.Catalog) *[]relay.Item
}

// lists are all of them. Templates change with the resources.
func lists() []list {
	return []list{
		{"tools", "tools/list", "tools", "name", "notifications/tools/list_changed", func(c *relay.Catalog) *[]relay.Item { return &c.Tools }},
		{"resources", "resources/list", "resources", "uri", "notifications/resources/list_changed", func(c *relay.Catalog) *[]relay.Item { return &c.Resources }},
		{"resources", "resources/templates/list", "resourceTemplates", "uriTemplate", "notifications/resources/list_changed", func(c *relay.Catalog) *[]relay.Item { return &c.ResourceTemplates }},
		{"prompts", "prompts/list", "prompts", "name", "notifications/prompts/list_changed", func(c *relay.Catalog) *[]relay.Item { return &c.Prompts }},
	}
}

// readCatalog reads every list that the server says it has.
func readCatalog(ctx context.Context, conn wire.Conn, server wire.Server) (*relay.Catalog, error) {
	catalog := &relay.Catalog{ServerInfo: server.Info, Capabilities: server.Capabilities, Instructions: server.Instructions, ProtocolVersion: server.ProtocolVersion}
	var offered map[string]json.RawMessage
	if err := json.Unmarshal(server.Capabilities, &offered); err != nil {
		return nil, fmt.Errorf("%w: its capabilities: %w", wire.ErrProtocol, err)
	}
	for _, l := range lists() {
		if offered[l.capability] == nil {
			continue
		}
		items, err := l.read(ctx, conn)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.method, err)
		}
		*l.of(catalog) = items
	}
	return catalog, nil
}

// read follows the list's pages to the end.
func (l *list) read(ctx context.Context, conn wire.Conn) ([]relay.Item, error) {
	var items []relay.Item
	var params json.RawMessage
	for range maxPages {
		result, err := conn.Call(ctx, relay.Call{Method: l.method, Params: params, Safe: true})
		var object *jsonrpc.Error
		if errors.As(err, &object) && object.Code == jsonrpc.CodeMethodNotFound {
			return nil, nil // announced, but not there
		}
		if err != nil {
			return nil, err
		}
		page, cursor, err := l.page(result)
		if err != nil {
			return nil, err
		}
		items = append(items, page...)
		if cursor == "" {
			return items, nil
		}
		params, _ = json.Marshal(map[string]string{"cursor": cursor}) // strings always encode
	}
	return nil, fmt.Errorf("%w: the list has more than %d pages", wire.ErrProtocol, maxPages)
}

func (l *list) page(result json.RawMessage) (items []relay.Item, cursor string, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(result, &members); err != nil {
		return nil, "", fmt.Errorf("%w: %w", wire.ErrProtocol, err)
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(members[l.member], &raws); err != nil {
		return nil, "", fmt.Errorf("%w: the member %s: %w", wire.ErrProtocol, l.member, err)
	}
	for _, raw := range raws {
		var fields map[string]json.RawMessage
		var name string
		if json.Unmarshal(raw, &fields) != nil || json.Unmarshal(fields[l.name], &name) != nil || name == "" {
			continue // an item without a name cannot be asked for
		}
		items = append(items, relay.Item{Name: name, Raw: raw, Repeatable: repeatable(fields["annotations"])})
	}
	if next := members["nextCursor"]; next != nil {
		_ = json.Unmarshal(next, &cursor) // null, or no string, ends the list
	}
	return items, cursor, nil
}

// repeatable reads a tool's annotations (MCP 2025-11-25).
func repeatable(annotations json.RawMessage) bool {
	var hints struct {
		ReadOnly   bool `json:"readOnlyHint"`
		Idempotent bool `json:"idempotentHint"`
	}
	return annotations != nil && json.Unmarshal(annotations, &hints) == nil && (hints.ReadOnly || hints.Idempotent)
}

// publish makes a catalog the current one and tells who watches what changed.
func (u *Upstream) publish(next *relay.Catalog) {
	u.publishing.Lock()
	before := u.catalog.Load()
	next.Generation = before.Generation + 1
	u.catalog.Store(next)
	u.publishing.Unlock()
	told := map[string]bool{}
	for _, l := range lists() {
		if !told[l.changed] && !sameItems(*l.of(before), *l.of(next)) {
			told[l.changed] = true
			u.watchers.tell(l.changed, nil)
		}
	}
}

func sameItems(a, b []relay.Item) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || string(a[i].Raw) != string(b[i].Raw) {
			return false
		}
	}
	return true
}

// notified hands on what the server says outside calls. A changed list is read
// anew before anybody is told.
func (u *Upstream) notified(ctx context.Context, conn wire.Conn, method string, params json.RawMessage) {
	for _, l := range lists() {
		if l.changed == method {
			u.work.Go(func() { u.reread(ctx, conn, method) })
			return
		}
	}
	u.watchers.tell(method, params)
}

// reread reads the lists that a notification says have changed.
func (u *Upstream) reread(ctx context.Context, conn wire.Conn, changed string) {
	read := map[string][]relay.Item{}
	for _, l := range lists() {
		if l.changed != changed {
			continue
		}
		items, err := l.read(ctx, conn)
		if err != nil {
			if ctx.Err() == nil {
				u.logger.Warn("a list that has changed could not be read anew", "list", l.method, "error", err)
			}
			return
		}
		read[l.method] = items
	}
	u.publishing.Lock()
	next := *u.catalog.Load()
	for _, l := range lists() {
		if items, ok := read[l.method]; ok {
			*l.of(&next) = items
		}
	}
	next.Generation++
	u.catalog.Store(&next)
	u.publishing.Unlock()
	u.watchers.tell(changed, nil)
}
