package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcpproxy/config"
	"mcpproxy/status"
	"mcpproxy/upstream"

	"github.com/google/go-cmp/cmp"
)

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func environment(name string) (string, bool) {
	value, ok := map[string]string{"TOKEN": "from the environment", "EMPTY": ""}[name]
	return value, ok
}

// load is Load for a test that wants no problem in the file.
func load(t testing.TB, path string) []upstream.Config {
	t.Helper()
	file, err := config.Load(path, environment)
	if err == nil {
		err = file.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	return file.Upstreams
}

func TestLoad(t *testing.T) {
	all := load(t, write(t, `{"mcpServers": {
		"remote": {"url": "https://example.com/mcp", "headers": {"X-Key": "${TOKEN}"}, "oauth": {"login": "automatic", "scopes": ["a"], "loginTimeout": "2m"}},
		"local": {"command": "server", "args": ["${MISSING:-default}", "${EMPTY:-unused}"], "env": {"K": "v"}},
		"old": {"type": "sse", "url": "http://127.0.0.1:1/sse"},
		"robot": {"url": "https://example.com/mcp", "oauth": {"grant": "client_credentials", "clientId": "id", "clientSecret": "secret"}},
		"off": {"url": "https://example.com/mcp", "disabled": true}
	}}`))
	if len(all) != 4 {
		t.Fatalf("%d upstreams, want those that are not disabled", len(all))
	}
	local, old, remote, robot := all[0], all[1], all[2], all[3]
	if local.Transport != upstream.Stdio || local.Args[0] != "default" || local.Args[1] != "" {
		t.Errorf("local = %+v", local)
	}
	if old.Transport != upstream.SSE {
		t.Errorf("old = %+v", old)
	}
	if header := remote.Headers["X-Key"]; header.Reveal() != "from the environment" || !remote.Settings.AutomaticLogin ||
		remote.Settings.LoginDeadline.Minutes() != 2 {
		t.Errorf("remote = %+v", remote)
	}
	if !robot.OAuth.Grant.Unattended() || remote.OAuth.Grant.Unattended() {
		t.Errorf("the grants are %q and %q", robot.OAuth.Grant, remote.OAuth.Grant)
	}
}

// Every problem of a document is reported, each with its place and what would do.
func TestLoadRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no JSON", `{"mcpServers": {`, ".json:1:17: the document ends before it is complete"},
		{"no JSON further down", "{\"mcpServers\": {\n\"a\": {\"url\" \"https://a\"}}}", ".json:2:13: invalid character '\"' after object name"},
		{"nothing", "", ".json: the file is empty"},
		{"a list", "[]", ".json:1:1: has a list where an object has to be; the document is"},
		{"something behind it", "{\"mcpServers\": {}}\n{}", ".json:2:1: invalid character '{' after top-level value"},
		{"another document", `{"servers": {}}`, `unknown field "servers"`},
		{"an unknown key", `{"mcpServers": {"a": {"url": "https://a", "uri": "x"}}}`, `mcpServers.a: unknown field "uri"; did you mean url?; accepted are url, type`},
		{"a mistyped key", `{"mcpServers": {"a": {"url": "https://a", "hedaers": {}}}}`, `mcpServers.a: unknown field "hedaers"; did you mean headers?; accepted are url, type`},
		{"an unknown key of oauth", `{"mcpServers": {"a": {"url": "https://a", "oauth": {"client_id": "x"}}}}`, `mcpServers.a.oauth: unknown field "client_id"; did you mean clientId?; accepted are disabled, login, browserInterval`},
		{"an unknown key of the identity provider", `{"mcpServers": {"a": {"url": "https://a", "oauth": {"identityProvider": {"issuer": "x"}}}}}`, `mcpServers.a.oauth.identityProvider: unknown field "issuer"; accepted are tokenEndpoint, clientId, clientSecret, idTokenFile`},
		{"another kind of value", `{"mcpServers": {"a": {"url": "https://a", "oauth": {"scopes": "x"}}}}`, "mcpServers.a.oauth.scopes: has a text where a list of texts has to be"},
		{"another kind of entry", `{"mcpServers": {"a": ["npx"]}}`, "mcpServers.a: has a list where an object has to be"},
		{"half a port", `{"mcpServers": {"a": {"url": "https://a", "oauth": {"callbackPort": 1.5}}}}`, "mcpServers.a.oauth.callbackPort: has the number 1.5 where a whole number has to be"},
		{"nothing to connect to", `{"mcpServers": {"a": {}}}`, "mcpServers.a: needs url (a remote server) or command (a local one)"},
		{"both", `{"mcpServers": {"a": {"url": "https://a", "command": "b"}}}`, "mcpServers.a: has both url and command"},
		{"no URL", `{"mcpServers": {"a": {"url": "ftp://a"}}}`, `mcpServers.a.url: "ftp://a" is not an http or https URL`},
		{"a password in the URL", `{"mcpServers": {"a": {"url": "https://me:secret@a.example/mcp"}}}`, "mcpServers.a.url: has a user name or a password in it, and addresses are shown; give them as headers.Authorization"},
		{"a variable that is no URL", `{"mcpServers": {"a": {"url": "${TOKEN}"}}}`, `mcpServers.a.url: "${TOKEN}" is not an http or https URL`},
		{"a name that would not do", `{"mcpServers": {"a__b": {"url": "https://a"}}}`, "mcpServers.a__b: a name has up to 64"},
		{"a type", `{"mcpServers": {"a": {"url": "https://a", "type": "ws"}}}`, `mcpServers.a.type: "ws" is not one of http, sse, stdio`},
		{"a variable", `{"mcpServers": {"a": {"url": "https://a", "headers": {"k": "${NOT_SET}"}}}}`, "mcpServers.a.headers.k: the environment variable NOT_SET is not set"},
		{"login", `{"mcpServers": {"a": {"url": "https://a", "oauth": {"login": "never"}}}}`, `mcpServers.a.oauth.login: "never" is not one of manual, automatic`},
		{"a duration", `{"mcpServers": {"a": {"url": "https://a", "oauth": {"loginTimeout": "soon"}}}}`, `mcpServers.a.oauth.loginTimeout: "soon" is not a duration`},
		{"a port", `{"mcpServers": {"a": {"url": "https://a", "oauth": {"callbackPort": 70000}}}}`, "mcpServers.a.oauth.callbackPort: 70000 is not a number from 0 to 65535"},
		{"a method", `{"mcpServers": {"a": {"url": "https://a", "oauth": {"tokenEndpointAuthMethod": "x"}}}}`, `"x" is not one of none, client_secret_basic`},
		{"a grant", `{"mcpServers": {"a": {"url": "https://a", "oauth": {"grant": "password"}}}}`, `mcpServers.a.oauth.grant: "password" is not one of authorization_code, device_code`},
		{"a grant without a client", `{"mcpServers": {"a": {"url": "https://a", "oauth": {"grant": "client_credentials"}}}}`, "mcpServers.a.oauth.clientId: is missing; the grant client_credentials needs"},
		{"a key that is not there", `{"mcpServers": {"a": {"url": "https://a", "oauth": {"privateKeyFile": "/nowhere"}}}}`, "mcpServers.a.oauth.privateKeyFile: open /nowhere"},
		{"two problems", `{"mcpServers": {"a": {"url": "x:"}, "b": {}}}`, "mcpServers.b: needs url"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, test.text)
			file, err := config.Load(path, environment)
			if err == nil {
				err = file.Err()
			}
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Load: %v\nwant an error with %q and the file's name", err, test.want)
			}
			if after, _ := os.ReadFile(path); string(after) != test.text {
				t.Errorf("the file has changed: %s", after)
			}
		})
	}
}

func TestAddAndRemoveKeepTheOthers(t *testing.T) {
	path := write(t, `{"mcpServers": {"other": {"url": "https://other", "oauth": {"scopes": ["a", "b"]}}}}`)
	entry := map[string]any{"url": "https://new"}
	if err := config.Add(path, "new", entry, false); err != nil {
		t.Fatal(err)
	}
	if err := config.Add(path, "new", entry, false); !errors.Is(err, config.ErrInvalid) {
		t.Errorf("adding it twice: %v", err)
	}
	if err := config.Add(path, "bad", map[string]any{"url": "no"}, false); !errors.Is(err, config.ErrInvalid) {
		t.Errorf("adding a bad one: %v", err)
	}
	if all := load(t, path); len(all) != 2 || len(all[1].OAuth.Scopes) != 2 {
		t.Fatalf("Load = %+v", all)
	}
	if err := config.Remove(path, "new"); err != nil {
		t.Fatal(err)
	}
	if err := config.Remove(path, "new"); !errors.Is(err, status.ErrUnknown) || !strings.Contains(err.Error(), "there are: other") {
		t.Errorf("removing it twice: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
}

// What cannot be written says so, with the way out.
func TestAddToAPlaceThatIsNone(t *testing.T) {
	path := filepath.Join(write(t, "a file, and no directory"), "config.json")
	if err := config.Add(path, "new", map[string]any{"url": "https://new"}, false); err == nil ||
		!strings.Contains(err.Error(), "the configuration cannot be written: ") || !strings.Contains(err.Error(), "--config") {
		t.Errorf("Add = %v", err)
	}
}

// Users keep their configurations elsewhere, and link to them.
func TestAddFollowsALink(t *testing.T) {
	path := write(t, `{"mcpServers": {}}`)
	link := filepath.Join(t.TempDir(), "config.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := config.Add(link, "new", map[string]any{"url": "https://new"}, false); err != nil {
		t.Fatal(err)
	}
	if all := load(t, path); len(all) != 1 {
		t.Errorf("behind the link there is %+v", all)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
}

func TestImport(t *testing.T) {
	from := write(t, `{"mcpServers": {
		"github": {"command": "npx", "args": ["-y", "mcp-remote@latest", "https://mcp.example.com/mcp", "--header", "Authorization: Bearer ${KEY}", "--debug"], "env": {"KEY": "k"}},
		"old":    {"command": "npx", "args": ["mcp-remote", "https://old.example.com/sse", "--transport", "sse-only"]},
		"files":  {"command": "mcp-files", "args": ["."], "alwaysAllow": ["read"]},
		"proxy":  {"command": "/usr/bin/mcpproxy", "args": ["stdio"]}}}`)
	into := write(t, `{"mcpServers": {"other": {"url": "https://other"}}}`)
	all, err := config.Import(into, from, nil, false)
	want := []config.Imported{
		{Name: "files", Notes: []string{"alwaysAllow means nothing here"}},
		{Name: "github", Notes: []string{"--debug of mcp-remote means nothing here", "the server behind mcp-remote; the proxy logs in to it by itself"}},
		{Name: "old", Notes: []string{"the server behind mcp-remote; the proxy logs in to it by itself"}},
	}
	if diff := cmp.Diff(want, all); err != nil || diff != "" {
		t.Fatalf("Import: %v\n%s", err, diff)
	}
	loaded := load(t, into)
	if len(loaded) != 4 {
		t.Fatalf("Load = %+v", loaded)
	}
	if g := loaded[1]; g.URL != "https://mcp.example.com/mcp" || g.Transport != upstream.HTTP ||
		g.Headers["Authorization"].Reveal() != "Bearer k" || g.Command != "" {
		t.Errorf("github is %+v", g)
	}
	if o := loaded[2]; o.URL != "https://old.example.com/sse" || o.Transport != upstream.SSE {
		t.Errorf("old is %+v", o)
	}

	before, _ := os.ReadFile(into)
	if said, err := config.Import(into, from, []string{"files"}, false); err != nil || len(said) != 1 ||
		!errors.Is(said[0].Refused, config.ErrInvalid) || !strings.Contains(said[0].Refused.Error(), "is there already") {
		t.Errorf("one that is there: %+v, %v", said, err)
	}
	if _, err := config.Import(into, from, []string{"nobody"}, false); !errors.Is(err, config.ErrInvalid) ||
		!strings.Contains(err.Error(), "is not there") {
		t.Errorf("one that is not there: %v", err)
	}
	bad := write(t, `{"servers": {"bad": {"url": "no"}}}`)
	if said, err := config.Import(into, bad, nil, false); err != nil || len(said) != 1 ||
		!strings.Contains(said[0].Refused.Error(), bad+": mcpServers.bad.url") {
		t.Errorf("a bad entry: %+v, %v", said, err)
	}
	after, _ := os.ReadFile(into)
	if all := load(t, into); len(all) != 4 {
		t.Errorf("a refused import has changed the file: %s, before: %s", after, before)
	}
}

func FuzzImport(f *testing.F) {
	f.Add(`{"mcpServers": {"a": {"command": "npx", "args": ["mcp-remote", "https://a", "--header"]}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		into := filepath.Join(t.TempDir(), "config.json")
		if _, err := config.Import(into, write(t, text), nil, false); err != nil {
			if _, err := os.Stat(into); err == nil {
				t.Error("a refused import has made the file")
			}
			return
		}
		// What its variables come to is not known before it is used.
		if file, err := config.Load(into, func(string) (string, bool) { return "https://set", true }); err != nil || file.Err() != nil &&
			!strings.Contains(text, "${") {
			t.Errorf("%q is imported and cannot be loaded: %v, %+v", text, err, file)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add(`{"mcpServers": {"a": {"url": "https://a", "oauth": {"grant": "device_code"}}}}`)
	f.Add(`{"mcpServers": {"a": {"command": "${X:-y}"}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := config.Load(write(t, text), environment)
		if err != nil {
			return
		}
		for _, c := range file.Upstreams {
			if c.Problem == "" && c.URL == "" && c.Command == "" {
				t.Errorf("%q yields an upstream without an address", text)
			}
		}
	})
}

func TestClientMetadataURL(t *testing.T) {
	for address, problem := range map[string]string{
		"https://client.example/metadata.json":      "",
		"https://client.example:8443/a/b?v=1":       "",
		"http://client.example/metadata.json":       "is not an https URL",
		"client.example/metadata.json":              "is not an https URL",
		"https://client.example":                    "has no path",
		"https://client.example/":                   "has no path",
		"https://client.example/a/../metadata.json": "has a dot segment",
		"https://client.example/%2e%2e/a":           "has a dot segment",
		"https://client.example/a#b":                "a fragment",
		"https://user@client.example/a":             "user information",
	} {
		file, err := config.Load(write(t, `{"mcpServers": {"a": {"url": "https://a", "oauth": {"clientMetadataUrl": "`+address+`"}}}}`), environment)
		if err == nil {
			err = file.Err()
		}
		if (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %q", address, err, problem)
		}
	}
}
