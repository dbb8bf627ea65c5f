package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mcpproxy/spelling"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
)

// Imported is one entry of another program's configuration that was taken over.
type Imported struct {
	Name string
	// Notes say what of it is different here; most entries need none.
	Notes []string
}

// Import takes the entries of another MCP client's configuration over: its
// mcpServers object, or servers, as some call it. names chooses entries; none takes
// all. An entry that runs mcp-remote becomes the remote server behind it, as the
// proxy logs in by itself; one that runs the proxy is left out. Keys that mean
// something to the other client only are left out and noted. Either all chosen entries
// are taken or, with an error that matches [ErrInvalid] or is of the file system, none.
func Import(into, from string, names []string, replace bool) ([]Imported, error) {
	entries, err := foreign(from)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(entries))
	}
	var all []Imported
	taken := map[string]json.RawMessage{}
	var problems []error
	for _, name := range names {
		entry, there := entries[name]
		switch {
		case !there:
			problems = append(problems, &Error{File: from, Path: "mcpServers." + name, Problem: notThere(name, entries)})
			continue
		case program(entry) == "mcpproxy":
			continue
		}
		notes := entry.native()
		raw, err := json.Marshal(entry)
		if err != nil {
			return nil, err
		}
		for _, p := range check(from, name, raw) {
			problems = append(problems, p)
		}
		taken[name] = raw
		all = append(all, Imported{Name: name, Notes: notes})
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return all, change(into, func(d *document) error {
		var problems []error
		for _, name := range slices.Sorted(maps.Keys(taken)) {
			problems = append(problems, d.put(name, taken[name], replace))
		}
		return errors.Join(problems...)
	})
}

func notThere(name string, entries map[string]foreignEntry) string {
	names := slices.Sorted(maps.Keys(entries))
	return fmt.Sprintf("is not there%s; there are: %s", spelling.Meant(name, names), strings.Join(names, ", "))
}

// foreignEntry is an entry of another client's configuration.
type foreignEntry map[string]json.RawMessage

// foreign reads another client's configuration.
func foreign(from string) (map[string]foreignEntry, error) {
	text, err := os.ReadFile(from)
	if err != nil {
		return nil, fmt.Errorf("the other client's configuration cannot be read: %w; give the path of a file with an mcpServers object", err)
	}
	var d struct {
		MCPServers map[string]foreignEntry `json:"mcpServers"`
		Servers    map[string]foreignEntry `json:"servers"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, &Error{File: from, Problem: fmt.Sprintf("%v; it has to be JSON without comments", err)}
	}
	if d.MCPServers == nil {
		d.MCPServers = d.Servers
	}
	if len(d.MCPServers) == 0 {
		return nil, &Error{File: from, Problem: "has neither an mcpServers nor a servers object with entries"}
	}
	return d.MCPServers, nil
}

// text returns a value that is a string, or "".
func (e foreignEntry) text(key string) (value string) {
	_ = json.Unmarshal(e[key], &value) // another kind of value is said by the reader
	return value
}

func program(e foreignEntry) string {
	return strings.TrimSuffix(path.Base(strings.ReplaceAll(e.text("command"), `\`, "/")), ".exe")
}

// native makes the entry one of this program's and returns what is different.
func (e foreignEntry) native() (notes []string) {
	for _, key := range slices.Sorted(maps.Keys(e)) {
		if !slices.Contains([]string{"type", "url", "headers", "command", "args", "env", "cwd", "disabled", "oauth"}, key) {
			notes = append(notes, key+" means nothing here")
			delete(e, key)
		}
	}
	var args []string
	_ = json.Unmarshal(e["args"], &args) // another kind of value is said by the reader
	named := slices.IndexFunc(args, func(arg string) bool { return arg == "mcp-remote" || strings.HasPrefix(arg, "mcp-remote@") })
	if named < 0 && program(e) != "mcp-remote" {
		return notes
	}
	return append(notes, e.remote(args[named+1:])...)
}

// remote turns a call of mcp-remote into the server that it stands for.
func (e foreignEntry) remote(args []string) (notes []string) {
	var env map[string]string
	_ = json.Unmarshal(e["env"], &env) // another kind of value is said by the reader
	headers := map[string]string{}
	value := func(i int) string { return os.Expand(at(args, i), keep(env)) }
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--header":
			i++
			name, text, _ := strings.Cut(value(i), ":")
			headers[strings.TrimSpace(name)] = strings.TrimSpace(text)
		case arg == "--transport":
			i++
			if strings.HasPrefix(at(args, i), "sse") {
				e.put("type", "sse")
			}
		case arg == "--allow-http":
		case isURL(arg) && e["url"] == nil:
			e.put("url", arg)
		case strings.HasPrefix(arg, "-"):
			notes = append(notes, arg+" of mcp-remote means nothing here")
			if next := at(args, i+1); next != "" && !strings.HasPrefix(next, "-") && !isURL(next) {
				i++
			}
		}
	}
	if e["url"] == nil {
		return notes // it stays as it is
	}
	if len(headers) > 0 {
		e.put("headers", headers)
	}
	for _, key := range []string{"command", "args", "env", "cwd"} {
		delete(e, key)
	}
	return append(notes, "the server behind mcp-remote; the proxy logs in to it by itself")
}

func (e foreignEntry) put(key string, value any) { e[key], _ = json.Marshal(value) } // strings always encode

func at(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && strings.HasPrefix(u.Scheme, "http")
}

// keep expands the variables that an entry sets itself and leaves the others.
func keep(env map[string]string) func(string) string {
	return func(name string) string {
		if value, set := env[name]; set {
			return value
		}
		return "${" + name + "}"
	}
}
