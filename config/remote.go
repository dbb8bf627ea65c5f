package config

import (
	"encoding/json"
	"net/url"
	"os"
	"strconv"
	"strings"

	"mcpproxy/userfile"
)

// remote turns a call of mcp-remote into the server that it stands for, with what its
// flags say of the login, and notes those that mean nothing here.
func remote(keys members, args []string) (notes []string) {
	env := texts(keys, "env")
	value := func(i int) string { return os.Expand(at(args, i), keep(env)) }
	headers, oauth := map[string]string{}, members{}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if flag, inline, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(flag, "--") {
			args = append(append(append([]string{}, args[:i]...), flag, inline), args[i+1:]...)
			arg = flag
		}
		port, err := strconv.Atoi(arg)
		switch {
		case isURL(arg) && keys["url"] == nil:
			put(keys, "url", arg)
		case err == nil && port > 0:
			put(oauth, "callbackPort", port)
		case arg == "--allow-http", arg == "--debug", arg == "--silent", arg == "--enable-proxy":
			if arg != "--allow-http" {
				notes = append(notes, arg+" of mcp-remote means nothing here")
			}
		case !strings.HasPrefix(arg, "-"):
		default:
			i++
			if note := remoteFlag(keys, headers, oauth, arg, value(i)); note != "" {
				notes = append(notes, note)
			}
		}
	}
	if keys["url"] == nil {
		return notes // it stays as it is
	}
	if len(headers) > 0 {
		put(keys, "headers", headers)
	}
	if len(oauth) > 0 {
		put(keys, "oauth", oauth)
	}
	for _, key := range []string{"command", "args", "env", "cwd"} {
		delete(keys, key)
	}
	return append(notes, "the server behind mcp-remote; the proxy logs in to it by itself")
}

// remoteFlag takes a flag with a value, and returns what to say of it.
func remoteFlag(keys members, headers map[string]string, oauth members, flag, value string) string {
	switch flag {
	case "--header":
		name, text, _ := strings.Cut(value, ":")
		headers[strings.TrimSpace(name)] = strings.TrimSpace(text)
	case "--transport":
		if strings.HasPrefix(value, "sse") {
			put(keys, "type", "sse")
		}
	case "--host":
		if value != "localhost" && value != "127.0.0.1" {
			return flag + " " + value + " of mcp-remote is no host of this machine and was left out"
		}
		put(oauth, "redirectHost", value)
	case "--resource":
		put(oauth, "resource", value)
	case "--auth-timeout":
		put(oauth, "loginTimeout", value+"s")
	case "--static-oauth-client-info":
		info, note := static(flag, value)
		for theirs, ours := range map[string]string{"client_id": "clientId", "client_secret": "clientSecret"} {
			if info[theirs] != nil {
				oauth[ours] = info[theirs]
			}
		}
		return note
	case "--static-oauth-client-metadata":
		metadata, note := static(flag, value)
		if scope := text(metadata, "scope"); scope != "" {
			put(oauth, "scopes", strings.Fields(scope))
		}
		return note
	default:
		return flag + " " + value + " of mcp-remote means nothing here"
	}
	return ""
}

// static is the JSON of a flag, or of the file that it names after an @.
func static(flag, value string) (members, string) {
	said := json.RawMessage(value)
	if file, named := strings.CutPrefix(value, "@"); named {
		text, err := userfile.Read(file)
		if err != nil {
			return nil, flag + " of mcp-remote names a file that cannot be read: " + err.Error()
		}
		said = text
	}
	if o := object(said); o != nil {
		return o, ""
	}
	return nil, flag + " of mcp-remote has no JSON object and was left out"
}

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
