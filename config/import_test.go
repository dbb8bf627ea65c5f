package config_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"mcpproxy/config"
	"mcpproxy/upstream"
)

// imported takes over a file of another client and loads what that comes to.
func imported(t *testing.T, name string, text []byte) (map[string]upstream.Config, []config.Imported) {
	t.Helper()
	from, into := filepath.Join(t.TempDir(), name), filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(from, text, 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := config.Import(into, from, nil, false)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	file, err := config.Load(into, func(name string) (string, bool) { return "value of " + name, true })
	if err != nil || file.Err() != nil {
		t.Fatalf("%s: %v, %v", text, err, file.Err())
	}
	all := map[string]upstream.Config{}
	for _, c := range file.Upstreams {
		all[c.Name] = c
	}
	return all, said
}

func utf16Of(order binary.AppendByteOrder, text string) []byte {
	var all []byte
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		all = order.AppendUint16(all, unit)
	}
	return all
}

// Other clients keep their servers in many ways; each is taken (fault I4).
func TestImportTakesWhatClientsWrite(t *testing.T) {
	plain := `{"mcpServers": {"a": {"url": "https://a/mcp"}}}`
	for _, test := range []struct {
		client, file string
		text         []byte
		want         string // a's address or command, and its arguments
	}{
		{"VS Code, with comments", "mcp.json", []byte("// mine\n{\"servers\": {\n/* one */ \"a\": {\"type\": \"http\", \"url\": \"https://a/mcp\",},\n},\n\"inputs\": []}"), "https://a/mcp"},
		{"VS Code's settings", "settings.json", []byte(`{"editor.fontSize": 12, "mcp": {"servers": {"a": {"url": "https://a/mcp"}}}}`), "https://a/mcp"},
		{"with a mark", "mcp.json", append([]byte{0xef, 0xbb, 0xbf}, plain...), "https://a/mcp"},
		{"UTF-16, little", "mcp.json", utf16Of(binary.LittleEndian, plain), "https://a/mcp"},
		{"UTF-16, big", "mcp.json", utf16Of(binary.BigEndian, plain), "https://a/mcp"},
		{"UTF-16 without a mark", "mcp.json", utf16Of(binary.LittleEndian, plain)[2:], "https://a/mcp"},
		{"Windsurf", "mcp_config.json", []byte(`{"mcpServers": {"a": {"serverUrl": "https://a/mcp"}}}`), "https://a/mcp"},
		{"Gemini", "settings.json", []byte(`{"mcpServers": {"a": {"httpUrl": "https://a/mcp", "timeout": 5000, "trust": true}}}`), "https://a/mcp"},
		{"Zed", "settings.json", []byte(`{"context_servers": {"a": {"source": "custom", "command": "srv", "args": ["x"], "env": null}}}`), "srv x"},
		{"Zed of before", "settings.json", []byte(`{"context_servers": {"a": {"command": {"path": "srv", "args": ["x"]}, "settings": {}}}}`), "srv x"},
		{"opencode", "opencode.jsonc", []byte(`{"mcp": {"timeout": 5, "a": {"type": "local", "command": ["srv", "x"], "environment": {"N": 1}, "enabled": true}}}`), "srv x"},
		{"opencode, remote", "opencode.json", []byte(`{"mcp": {"a": {"type": "remote", "url": "https://a/mcp", "headers": {"K": "{env:KEY}"}}}}`), "https://a/mcp"},
		{"Codex", "config.toml", []byte("model = \"x\"\n[mcp_servers.a]\ncommand = \"srv\"\nargs = [\"x\"]\nstartup_timeout_sec = 5\n[mcp_servers.a.env]\nK = \"v\"\n"), "srv x"},
		{"Codex, remote", "config.toml", []byte("[mcp_servers.a]\nurl = \"https://a/mcp\"\nbearer_token_env_var = \"TOKEN\"\n"), "https://a/mcp"},
		{"Claude's projects", ".claude.json", []byte(`{"projects": {"/home/me/x": {"mcpServers": {"a": {"type": "stdio", "command": "srv", "args": ["x"]}}, "history": []}}}`), "srv x"},
		{"Amp", "settings.json", []byte(`{"amp.mcpServers": {"a": {"command": "srv", "args": ["x"]}}}`), "srv x"},
		{"a list", "mcp.json", []byte(`{"mcpServers": [{"name": "a", "transport": "streamable_http", "url": "https://a/mcp"}]}`), "https://a/mcp"},
		{"nothing but servers", ".mcp.json", []byte(`{"a": {"command": "srv", "args": ["x"]}}`), "srv x"},
	} {
		all, said := imported(t, test.file, test.text)
		got := strings.TrimSpace(all["a"].URL + all["a"].Command + " " + strings.Join(all["a"].Args, " "))
		if got != test.want {
			t.Errorf("%s: %q, want %q: %+v", test.client, got, test.want, said)
		}
		switch a := all["a"]; test.client {
		case "Codex, remote":
			if header := a.Headers["Authorization"]; header.Reveal() != "Bearer value of TOKEN" {
				t.Errorf("%s: %q", test.client, header.Reveal())
			}
		case "opencode, remote":
			if header := a.Headers["K"]; header.Reveal() != "value of KEY" {
				t.Errorf("%s: %q", test.client, header.Reveal())
			}
		case "opencode":
			if n := a.Env["N"]; n.Reveal() != "1" {
				t.Errorf("%s: %q", test.client, n.Reveal())
			}
		}
	}
}

// A name is made to fit, and an odd entry stops no other; both are said (fault I4).
func TestOneOddEntryStopsNoOther(t *testing.T) {
	all, said := imported(t, "mcp.json", []byte(`{"mcpServers": {
		"My Server (v2)": {"url": "https://a"}, "my__files": {"command": "b"}, "my_files": {"command": "c"}, "日本": {"command": "d"},
		"odd": {"url": 7}, "odder": 3, "odd-variable": {"command": "a", "args": ["${workspaceFolder}"]}, "asked": {"command": "a", "env": {"K": "${input:api key}"}}}}`))
	if len(all) != 5 || all["My-Server-v2"].URL != "https://a" || all["my_files"].Command == "" || all["my_files-2"].Command == "" ||
		all["server"].Command != "d" {
		t.Errorf("taken: %+v", all)
	}
	if key := all["asked"].Env["K"]; key.Reveal() != "value of INPUT_API_KEY" {
		t.Errorf("what was asked for: %q", key.Reveal())
	}
	refused := map[string]bool{}
	for _, one := range said {
		if one.Refused != nil {
			refused[one.Name] = true
		}
		if one.Name == "My-Server-v2" && !strings.Contains(strings.Join(one.Notes, "; "), `"My Server (v2)" there`) {
			t.Errorf("the name is not said: %v", one.Notes)
		}
	}
	if len(refused) != 3 || !refused["odd"] || !refused["odder"] || !refused["odd-variable"] {
		t.Errorf("refused: %v", refused)
	}
}

// What mcp-remote is told of the login is kept, and what cannot be is named (fault I5).
func TestImportKeepsWhatMcpRemoteIsTold(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "client.json")
	if err := os.WriteFile(secret, []byte(`{"client_id": "id", "client_secret": "s"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	all, said := imported(t, "mcp.json", []byte(`{"mcpServers": {
		"a": {"command": "npx", "args": ["-y", "mcp-remote", "https://a/mcp", "9696", "--host", "localhost", "--resource", "https://r/", "--transport", "sse-only", "--ignore-tool", "delete*",
			"--static-oauth-client-info", "{\"client_id\": \"id\", \"client_secret\": \"${SECRET}\"}", "--static-oauth-client-metadata", "{\"scope\": \"x y\"}", "--auth-timeout", "60",
			"--header", "X-Key:${KEY}", "--debug"]},
		"b": {"command": "npx", "args": ["mcp-remote@0.1.29", "https://b/mcp", "--static-oauth-client-info", "@`+secret+`"]},
		"c": {"command": "npx", "args": ["mcp-remote", "--header=X: y", "https://c/mcp", "--allow-http", "--static-oauth-client-info", "none"]}}}`))
	a := all["a"]
	header := a.Headers["X-Key"]
	if a.URL != "https://a/mcp" || a.Transport != upstream.SSE || a.OAuth.CallbackPort != 9696 || a.OAuth.ClientID != "id" ||
		a.OAuth.ClientSecret.Reveal() != "value of SECRET" ||
		strings.Join(a.OAuth.Scopes, " ") != "x y" || a.OAuth.Resource != "https://r/" || a.OAuth.RedirectHost != "localhost" ||
		a.Settings.LoginDeadline.Seconds() != 60 || header.Reveal() != "value of KEY" {
		t.Errorf("a is %+v", a)
	}
	if b := all["b"]; b.OAuth.ClientID != "id" || b.OAuth.ClientSecret.Reveal() != "s" {
		t.Errorf("b is %+v", b)
	}
	notes := map[string]string{}
	for _, one := range said {
		notes[one.Name] = strings.Join(one.Notes, "; ")
	}
	for name, wants := range map[string][]string{"a": {"--ignore-tool delete* of mcp-remote means nothing here", "--debug of mcp-remote"},
		"c": {"--static-oauth-client-info of mcp-remote has no JSON object"}} {
		for _, want := range wants {
			if !strings.Contains(notes[name], want) {
				t.Errorf("%s: %q is not noted: %s", name, want, notes[name])
			}
		}
	}
}
