package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"mcpproxy/spelling"
)

// Imported is one entry of another program's configuration.
type Imported struct {
	// Name is its name here.
	Name string
	// Notes say what of it is different here; most entries need none.
	Notes []string
	// Refused is why it was not taken over; nil where it was.
	Refused error
}

// Import takes the entries of another MCP client's configuration over, wherever and
// however that keeps them: JSON with comments, TOML, in UTF-16 too. names chooses
// entries; none takes all. An entry that runs mcp-remote becomes the remote server behind
// it, as the proxy logs in by itself; one that runs the proxy is left out. What means
// something to the other client only is left out and noted, and a name is made to fit.
// An entry that cannot be taken says why, and stops no other. The error is of the files,
// or matches [ErrInvalid] where a chosen name is not there.
func Import(into, from string, names []string, replace bool) ([]Imported, error) {
	entries, err := foreign(from)
	if err != nil {
		return nil, err
	}
	entries, err = chosen(from, entries, names)
	if err != nil {
		return nil, err
	}
	var all []Imported
	var taken []json.RawMessage
	used := map[string]bool{}
	for _, e := range entries {
		if program(e.keys) == "mcpproxy" {
			continue
		}
		one := Imported{Name: fitting(e.name, used)}
		used[one.Name] = true
		if one.Name != e.name {
			one.Notes = append(one.Notes, fmt.Sprintf("%q there", e.name))
		}
		one.Notes = append(one.Notes, native(e.keys)...)
		raw, err := json.Marshal(e.keys)
		if e.keys == nil && e.odd != nil {
			raw = e.odd // which the reader says
		}
		one.Refused = errors.Join(err, joinProblems(check(from, one.Name, raw)))
		all, taken = append(all, one), append(taken, raw)
	}
	if !slices.ContainsFunc(all, func(i Imported) bool { return i.Refused == nil }) {
		return all, nil
	}
	return all, change(into, func(d *document) error {
		for i := range all {
			if all[i].Refused == nil {
				all[i].Refused = d.put(all[i].Name, taken[i], replace)
			}
		}
		return nil
	})
}

// chosen are the entries of the names, or all.
func chosen(from string, entries []foreignEntry, names []string) ([]foreignEntry, error) {
	if len(names) == 0 {
		return entries, nil
	}
	var known []string
	for _, e := range entries {
		known = append(known, e.name)
	}
	var problems []error
	for _, name := range names {
		if !slices.Contains(known, name) {
			problems = append(problems, &Error{File: from, Path: join("mcpServers", name),
				Problem: fmt.Sprintf("is not there%s; there are: %s", spelling.Meant(name, known), strings.Join(known, ", "))})
		}
	}
	return slices.DeleteFunc(entries, func(e foreignEntry) bool { return !slices.Contains(names, e.name) }), errors.Join(problems...)
}

func program(keys members) string {
	return strings.TrimSuffix(path.Base(strings.ReplaceAll(text(keys, "command"), `\`, "/")), ".exe")
}

// native makes an entry one of this program's and returns what is different.
func native(keys members) (notes []string) {
	spelledOtherwise(keys)
	notes = append(notes, variables(keys)...)
	var args []string
	_ = json.Unmarshal(keys["args"], &args) // another kind of value is said by the reader
	named := slices.IndexFunc(args, func(arg string) bool { return arg == "mcp-remote" || strings.HasPrefix(arg, "mcp-remote@") })
	if named >= 0 || program(keys) == "mcp-remote" {
		notes = append(notes, remote(keys, args[named+1:])...)
	}
	notes = append(notes, nativeOAuth(keys)...)
	headers := texts(keys, "headers")
	for name := range headers {
		if own := ownHeader(name); own != nil {
			notes = append(notes, fmt.Sprintf("headers.%s was left out, as it %v", name, own))
			delete(headers, name)
			put(keys, "headers", headers)
		}
	}
	known := namesBelow("", entryKeys())
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(known, key) {
			notes = append(notes, key+" means nothing here")
			delete(keys, key)
		}
	}
	slices.Sort(notes)
	return notes
}

// spelledOtherwise takes what other clients call by other names.
func spelledOtherwise(keys members) {
	for _, other := range [][2]string{{"serverUrl", "url"}, {"httpUrl", "url"}, {"environment", "env"}, {"http_headers", "headers"},
		{"workingDirectory", "cwd"}, {"transport", "type"}, {"transportType", "type"}} {
		if value := keys[other[0]]; value != nil && keys[other[1]] == nil {
			keys[other[1]] = value
		}
		delete(keys, other[0])
	}
	commandSpelledOtherwise(keys)
	for _, key := range []string{"env", "headers"} {
		if object(keys[key]) != nil {
			put(keys, key, texts(keys, key))
		}
	}
	fromEnvironment(keys)
	for key, off := range map[string]string{"enabled": "false", "isActive": "false", "disabled": "true"} {
		if string(keys[key]) == off {
			put(keys, "disabled", true)
		}
		if key != "disabled" {
			delete(keys, key)
		}
	}
	switch kind := strings.ReplaceAll(strings.ToLower(text(keys, "type")), "_", "-"); {
	case kind == "sse" && keys["command"] == nil:
		put(keys, "type", kind)
	case keys["type"] != nil:
		delete(keys, "type") // what there is, a url or a command, says it
	}
	for _, key := range []string{"url", "command"} {
		if text(keys, key) == "" && (keys[key] == nil || string(keys[key]) == `""` || string(keys[key]) == "null") {
			delete(keys, key)
		}
	}
}

// commandSpelledOtherwise takes a command that is an object or a list.
func commandSpelledOtherwise(keys members) {
	var list []string
	switch command := object(keys["command"]); {
	case command != nil: // Zed's of before
		keys["command"] = command["path"]
		for _, key := range []string{"args", "env"} {
			if command[key] != nil {
				keys[key] = command[key]
			}
		}
	case json.Unmarshal(keys["command"], &list) == nil && len(list) > 0: // opencode's
		put(keys, "command", list[0])
		put(keys, "args", list[1:])
	}
}

// fromEnvironment takes what Codex names by variables.
func fromEnvironment(keys members) {
	headers, env := texts(keys, "headers"), texts(keys, "env")
	if name := text(keys, "bearer_token_env_var"); name != "" {
		headers["Authorization"] = "Bearer ${" + name + "}"
	}
	for header, name := range texts(keys, "env_http_headers") {
		headers[header] = "${" + name + "}"
	}
	var names []string
	_ = json.Unmarshal(keys["env_vars"], &names) // another kind of value is noted
	for _, name := range names {
		env[name] = "${" + name + "}"
	}
	for key, values := range map[string]map[string]string{"headers": headers, "env": env} {
		if len(values) > 0 {
			put(keys, key, values)
		}
	}
	for _, key := range []string{"bearer_token_env_var", "env_http_headers", "env_vars"} {
		delete(keys, key)
	}
}

var (
	asked    = regexp.MustCompile(`\$\{input:([^}]*)\}`)
	braced   = regexp.MustCompile(`([^$]|^)\{env:([A-Za-z_][A-Za-z0-9_]*)\}`)
	unfitVar = regexp.MustCompile(`[^A-Za-z0-9]+`)
)

// variables makes those that another client asks for, or spells otherwise, ones of the
// environment.
func variables(keys members) (notes []string) {
	for key, raw := range keys {
		raw = asked.ReplaceAllFunc(raw, func(found []byte) []byte {
			name := "INPUT_" + strings.ToUpper(unfitVar.ReplaceAllString(string(asked.FindSubmatch(found)[1]), "_"))
			notes = append(notes, fmt.Sprintf("%s is asked for by the other client; set the variable %s where the proxy is started", found, name))
			return []byte("${" + name + "}")
		})
		keys[key] = braced.ReplaceAll(raw, []byte("${1}$${env:${2}}"))
	}
	slices.Sort(notes)
	return slices.Compact(notes)
}

// nativeOAuth keeps of an oauth object what means something here.
func nativeOAuth(keys members) (notes []string) {
	if auth := object(keys["auth"]); auth["CLIENT_ID"] != nil && keys["oauth"] == nil { // Cursor's
		put(keys, "oauth", members{"clientId": auth["CLIENT_ID"], "clientSecret": auth["CLIENT_SECRET"], "scopes": auth["scopes"]})
		delete(keys, "auth")
	}
	o := object(keys["oauth"])
	if o == nil {
		if keys["oauth"] != nil && string(keys["oauth"]) == "false" {
			put(keys, "oauth", map[string]bool{"disabled": true})
		}
		return nil
	}
	var scopes string
	for _, key := range []string{"scope", "scopes"} {
		if json.Unmarshal(o[key], &scopes) == nil && scopes != "" {
			put(o, "scopes", strings.Fields(scopes))
		}
	}
	delete(o, "scope")
	known := namesBelow("oauth", entryKeys())
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(known, key) {
			notes = append(notes, "oauth."+key+" means nothing here")
			delete(o, key)
		}
	}
	if put(keys, "oauth", o); len(o) == 0 {
		delete(keys, "oauth")
	}
	return notes
}
