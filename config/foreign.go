package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/tailscale/hujson"

	"mcpproxy/userfile"
)

// foreignEntry is an entry of another client's configuration.
type foreignEntry struct {
	// name is the other client's.
	name string
	keys members
	// odd is the entry where it is no object, and keys are nil.
	odd json.RawMessage
}

// members are those of a JSON object.
type members = map[string]json.RawMessage

// sections are where clients keep their servers, from the root on: most of them, VS
// Code's mcp.json, VS Code's settings, opencode, Zed, Codex, Amp.
func sections() [][]string {
	return [][]string{{"mcpServers"}, {"servers"}, {"mcp", "servers"}, {"mcp", "mcpServers"}, {"mcp.servers"}, {"mcp"}, {"context_servers"},
		{"mcp_servers"}, {"amp.mcpServers"}}
}

// foreign reads another client's configuration: JSON, with comments too, or TOML.
func foreign(from string) ([]foreignEntry, error) {
	text, err := userfile.Read(from)
	if err != nil {
		return nil, fmt.Errorf("the other client's configuration cannot be read: %w; give the path of a file with an mcpServers object", err)
	}
	root, err := foreignRoot(from, plain(text))
	if err != nil {
		return nil, err
	}
	all := entriesOf(root)
	projects := object(root["projects"]) // Claude's, by their directories
	for _, directory := range slices.Sorted(maps.Keys(projects)) {
		all = append(all, entriesOf(object(projects[directory]))...)
	}
	if len(all) == 0 && slices.ContainsFunc(slices.Collect(maps.Values(root)),
		func(raw json.RawMessage) bool { return isServer(object(raw)) }) {
		all = listed(root)
	}
	if len(all) == 0 {
		return nil, &Error{File: from, Problem: "has no servers: neither in mcpServers, servers, mcp, context_servers nor mcp_servers is an " +
			"entry"}
	}
	return all, nil
}

// foreignRoot is the document as an object.
func foreignRoot(from string, text []byte) (members, error) {
	s := &source{file: from, text: text}
	if strings.EqualFold(filepath.Ext(from), ".toml") {
		var d map[string]any
		if err := toml.Unmarshal(text, &d); err != nil {
			return nil, &Error{File: from, Problem: err.Error()}
		}
		encoded, err := json.Marshal(d)
		return object(encoded), err
	}
	v, err := s.parse()
	if err != nil {
		if ext := strings.ToLower(filepath.Ext(from)); ext == ".yaml" || ext == ".yml" {
			return nil, &Error{File: from, Problem: "YAML is not read; write its servers as JSON, or add them with: mcpproxy upstream add"}
		}
		return nil, err
	}
	apart(v)
	v.Standardize()
	root := object(v.Pack())
	if _, ok := v.Value.(*hujson.Object); !ok {
		return nil, &Error{File: from, Problem: "has " + found(v) + " where an object has to be"}
	}
	return root, nil
}

// apart gives objects that have the same name in one object a name each: none is lost.
func apart(v *hujson.Value) {
	for inner := range v.All() {
		object, ok := inner.Value.(*hujson.Object)
		if !ok {
			continue
		}
		taken := map[string]bool{}
		for i := range object.Members {
			m := &object.Members[i]
			name := nameOf(m)
			if _, entry := m.Value.Value.(*hujson.Object); entry && taken[name] {
				for n := 2; taken[name]; n++ {
					name = fmt.Sprint(nameOf(m), "-", n)
				}
				m.Name.Value = hujson.String(name)
			}
			taken[name] = true
		}
	}
}

// entriesOf are the servers of every section of an object.
func entriesOf(root members) (all []foreignEntry) {
	for _, section := range sections() {
		raw, at := root[section[0]], section[1:]
		for _, name := range at {
			raw = object(raw)[name]
		}
		var list []members
		if json.Unmarshal(raw, &list) == nil { // of objects with a name each
			for _, keys := range list {
				name := text(keys, "name")
				delete(keys, "name")
				all = append(all, foreignEntry{name: name, keys: keys})
			}
			continue
		}
		for _, e := range listed(object(raw)) {
			// Beside the servers of mcp stand settings.
			if section[0] != "mcp" || len(at) > 0 || isServer(e.keys) {
				all = append(all, e)
			}
		}
	}
	return all
}

func listed(servers members) (all []foreignEntry) {
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		all = append(all, foreignEntry{name: name, keys: object(servers[name]), odd: servers[name]})
	}
	return all
}

func isServer(keys members) bool {
	return slices.ContainsFunc([]string{"command", "url", "serverUrl", "httpUrl"}, func(key string) bool { return keys[key] != nil })
}

// object is a value as an object; nil where it is none.
func object(raw json.RawMessage) (o members) {
	_ = json.Unmarshal(raw, &o) // another kind of value has no members
	return o
}

// text is a member that is a text, or "".
func text(keys members, key string) (value string) {
	_ = json.Unmarshal(keys[key], &value) // another kind of value is said by the reader
	return value
}

// texts are the members of a member that is an object, each as a text.
func texts(keys members, key string) map[string]string {
	all := map[string]string{}
	for name, raw := range object(keys[key]) {
		value := string(raw) // a number, or true
		if value == "null" { // as if it were not there
			continue
		}
		_ = json.Unmarshal(raw, &value)
		all[name] = value
	}
	return all
}

func put(keys members, key string, value any) { keys[key], _ = json.Marshal(value) } // texts and numbers always encode

// unfit are runs of what no name here has.
var unfit = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// fitting is a name as it can be here, and unlike those that are taken.
func fitting(name string, taken map[string]bool) string {
	fit := unfit.ReplaceAllString(name, "-")
	for strings.Contains(fit, "__") {
		fit = strings.ReplaceAll(fit, "__", "_")
	}
	fit = strings.TrimLeft(fit, "-_.")
	fit = strings.TrimRight(fit[:min(len(fit), 56)], "-_.")
	if fit == "" {
		fit = "server"
	}
	unlike := fit
	for n := 2; taken[unlike]; n++ {
		unlike = fmt.Sprint(fit, "-", n)
	}
	return unlike
}
