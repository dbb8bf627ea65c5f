package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/states"
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

// lists are all of them, what clients need first. Templates change with the resources.
func lists() []list {
	return []list{
		{"tools", "tools/list", "tools", "name", "notifications/tools/list_changed", func(c *relay.Catalog) *[]relay.Item { return &c.Tools }},
		{"resources", "resources/list", "resources", "uri", "notifications/resources/list_changed",
			func(c *relay.Catalog) *[]relay.Item { return &c.Resources }},
		{"resources", "resources/templates/list", "resourceTemplates", "uriTemplate", "notifications/resources/list_changed",
			func(c *relay.Catalog) *[]relay.Item { return &c.ResourceTemplates }},
		{"prompts", "prompts/list", "prompts", "name", "notifications/prompts/list_changed",
			func(c *relay.Catalog) *[]relay.Item { return &c.Prompts }},
	}
}

// offeredLists are those that a server says it has.
func offeredLists(capabilities json.RawMessage) (all []list) {
	for _, l := range lists() {
		if jsonrpc.Member(capabilities, l.capability) != nil {
			all = append(all, l)
		}
	}
	return all
}

var (
	errUnanswered = errors.New("it was not answered in time")
	errRepeats    = fmt.Errorf("%w: the list is incomplete, as a cursor repeats", wire.ErrProtocol)
	errEndless    = fmt.Errorf("%w: the list is incomplete, as it has more than %d pages", wire.ErrProtocol, maxPages)
)

// otherLists is how long the lists besides the first may take while a connection is made.
const otherLists = 5 * time.Second

// reading is what came of reading a list.
type reading struct {
	list
	items []relay.Item
	err   error
}

// readCatalog reads every list that the server says it has, all at once. Those that
// cannot be read are parts that are missing; they are an error where none can.
func (u *Upstream) readCatalog(ctx context.Context, conn wire.Conn, server wire.Server) (*relay.Catalog, []states.Part, error) {
	before := u.Catalog()
	catalog := &relay.Catalog{
		ServerInfo:      server.Info,
		Capabilities:    server.Capabilities,
		Instructions:    server.Instructions,
		ProtocolVersion: server.ProtocolVersion,
	}
	wanted := offeredLists(server.Capabilities)
	var parts []states.Part
	var failure error // of a list, where the server spoke of none
	silent := true
	for i, r := range u.readLists(ctx, conn, wanted) {
		items := r.of(catalog)
		if *items = r.items; r.err == nil {
			continue
		}
		if ctx.Err() != nil || decides(r.err, i == 0) {
			return nil, nil, r.err
		}
		if known := *r.of(before); len(known) > 0 && !errors.Is(r.err, errRepeats) {
			*items = known
		}
		if silent = silent && !spoken(r.err); failure == nil {
			failure = r.err
		}
		parts = append(parts, u.listFailed(r.method, r.err, 0))
	}
	if silent && failure != nil && len(parts) == len(wanted) {
		return nil, nil, failure
	}
	return catalog, parts, nil
}

// decides reports whether what came of a list concerns every request. A 401 does where the
// first list has it; some servers have others that no token opens.
func decides(err error, first bool) bool {
	var unauthorized *UnauthorizedError
	return errors.As(err, &unauthorized) && first || errors.Is(err, wire.ErrSessionLost)
}

// spoken reports whether the server answered a list in the protocol's words, or its own,
// so that it can be expected to answer calls.
func spoken(err error) bool {
	var object *jsonrpc.Error
	return errors.As(err, &object) || errors.Is(err, wire.ErrProtocol) || errors.Is(err, wire.ErrTooLarge)
}

// readLists reads the lists at once. The first may take most of the attempt's time, the
// others little of it.
func (u *Upstream) readLists(ctx context.Context, conn wire.Conn, wanted []list) []reading {
	limit := u.Snapshot().Data.Settings.ConnectDeadline * 2 / 3
	ctx, stop := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w: %s", errUnanswered, limit))
	defer stop()
	others, stopOthers := context.WithCancelCause(ctx)
	defer stopOthers(nil)
	patience := time.NewTimer(min(otherLists, limit))
	defer patience.Stop()
	all := make([]reading, len(wanted))
	done := make(chan int)
	for i, l := range wanted {
		bound := ctx
		if i > 0 {
			bound = wire.AsOptional(others)
		}
		go func() {
			items, err := l.read(bound, conn)
			all[i] = reading{l, items, err}
			done <- i
		}()
	}
	first, patient := len(wanted) > 0, true
	for running := len(wanted); running > 0; {
		select {
		case i := <-done:
			running--
			first = first && i != 0
		case <-patience.C:
			patient = false
		}
		if !first && !patient {
			stopOthers(fmt.Errorf("%w: %s", errUnanswered, min(otherLists, limit)))
		}
	}
	return all
}

// read follows the list's pages to the end. With an error come those that were read.
func (l *list) read(ctx context.Context, conn wire.Conn) ([]relay.Item, error) {
	var items []relay.Item
	var params json.RawMessage
	there, asked := map[string]bool{}, map[string]bool{}
	for range maxPages {
		result, err := conn.Call(ctx, relay.Call{Method: l.method, Params: params, Safe: true})
		var object *jsonrpc.Error
		switch {
		case errors.As(err, &object) && object.Code == jsonrpc.CodeMethodNotFound:
			return items, nil // announced, but not there
		case err != nil && ctx.Err() != nil:
			return items, context.Cause(ctx)
		case err != nil:
			return items, err
		}
		page, cursor, err := l.page(result)
		if err != nil {
			return items, err
		}
		for _, item := range page {
			if key := item.Name + "\x00" + string(item.Raw); !there[key] {
				there[key] = true
				items = append(items, item)
			}
		}
		switch {
		case cursor == nil:
			return items, nil
		case asked[string(cursor)]:
			return items, errRepeats
		}
		asked[string(cursor)] = true
		params = jsonrpc.Put(nil, cursor, "cursor")
	}
	return items, errEndless
}

func (l *list) page(result json.RawMessage) (items []relay.Item, cursor json.RawMessage, err error) {
	var raws []json.RawMessage
	if err := json.Unmarshal(jsonrpc.Member(result, l.member), &raws); err != nil {
		return nil, nil, fmt.Errorf("%w: the member %s of its answer: %w", wire.ErrProtocol, l.member, err)
	}
	for _, raw := range raws {
		name, _ := jsonrpc.String(raw, l.name)
		if name == "" {
			continue // an item without a name cannot be asked for
		}
		items = append(items, relay.Item{Name: name, Raw: raw, Repeatable: repeatable(jsonrpc.Member(raw, "annotations"))})
	}
	// A cursor goes back as it came, whatever it is; some servers say with an empty one
	// that there is none.
	if next := jsonrpc.Member(result, "nextCursor"); next != nil && string(next) != "null" && string(next) != `""` {
		cursor = next
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
