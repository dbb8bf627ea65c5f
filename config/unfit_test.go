package config_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcpproxy/config"
	"mcpproxy/upstream"
)

// What no server could be reached with, or would only refuse, is said when the file is
// loaded (fault I3), and the other entries run (fault I1).
func TestWhatCouldNotWorkIsSaidAtOnce(t *testing.T) {
	for _, bad := range []struct{ entry, says string }{
		{`{"url": "https://a/mcp "}`, "url: has a blank or a character that is not seen in it (U+0020, character 14)"},
		{`{"url": "https://a/m cp"}`, "U+0020"},
		{"{\"url\": \"https://a/\u202emcp\"}", "(U+202E, character 11)"},
		{"{\"url\": \"https://a\u200b.example/mcp\"}", "U+200B"},
		{"{\"url\": \"https://a/\u00a0mcp\"}", "U+00A0"},
		{`{"url": "https://a/mcp#tools"}`, "url: has a fragment (#...), which is never sent to a server"},
		{`{"url": "https://a/mcp#"}`, "has a fragment"},
		{`{"url": "https://a:0/mcp"}`, "url: the port 0 is not one from 1 to 65535"},
		{`{"url": "https://a:99999/mcp"}`, "url: the port 99999 is not one"},
		{`{"url": "https://:80/mcp"}`, `"https://:80/mcp" is not an http or https URL`},
		{`{"url": "https://a", "headers": {"Authorization": "Bearer ${EMPTY}"}}`, "headers.Authorization: has no credential in it once its variables are replaced"},
		{`{"url": "https://a", "headers": {"authorization": "${EMPTY}"}}`, "headers.authorization: has no credential in it"},
		{`{"url": "https://a", "headers": {"host": "b"}}`, `the name "host" is taken from the url`},
		{`{"url": "https://a", "headers": {"MCP-Protocol-Version": "1"}}`, "is the protocol's own"},
		{`{"url": "https://a", "headers": {"Content-Length": "1"}}`, "is the protocol's own"},
		{`{"url": "https://a", "headers": {"Accept-Encoding": "br"}}`, "is the protocol's own"},
		{"{\"command\": \"a\xff\"}", "command: has a character in it that is none (U+FFFD, or bytes that are not UTF-8); save the file as UTF-8"},
		{`{"command": "a", "args": ["\ud800"]}`, "args[0]: has a character in it that is none"},
		{"{\"command\": \"a\", \"env\": {\"\xff\": \"x\"}}", "is no name of an environment variable"},
		{`{"url": "https://a", "oauth": {"issuer": "a"}}`, `oauth.issuer: "a" is not an http or https URL`},
		{`{"url": "https://a", "oauth": {"clientSecret": "x"}}`, "oauth.clientSecret: is the secret of a client that is registered beforehand; give its oauth.clientId too"},
		{`{"url": "https://a", "oauth": {"clientId": "c", "tokenEndpointAuthMethod": "client_secret_post"}}`,
			"oauth.tokenEndpointAuthMethod: client_secret_post needs the secret of oauth.clientId"},
		{`{"url": "https://a", "oauth": {"clientId": "c", "privateKeyFile": "/dev/null"}}`, "oauth.privateKeyFile: /dev/null: the private key is not PEM"},
		{`{"url": "https://a", "oauth": {"authorizationParameters": {"state": "mine"}}}`, `the name "state" is the protocol's own`},
	} {
		problems := problemsOf(t, `{"mcpServers": {"a": `+bad.entry+`, "b": {"url": "https://b"}}}`)
		if !strings.Contains(problems["a"], bad.says) || problems["b"] != "" {
			t.Errorf("%s: %q, want %q", bad.entry, problems, bad.says)
		}
	}
	for _, good := range []string{
		`{"url": "http://[::1]:9/mcp?a=b%20c&d=%23"}`, `{"url": "https://b\u00fccher.example/mcp"}`, `{"url": "https://a:/mcp"}`,
		`{"url": "https://a", "headers": {"Accept": "application/json, text/event-stream", "Content-Type": "application/json", "X-Empty": "${EMPTY}"}}`,
		`{"url": "https://a", "oauth": {"authorizationParameters": {"prompt": "", "audience": "x"}}}`,
	} {
		if problem := problemsOf(t, `{"mcpServers": {"a": `+good+`}}`)["a"]; problem != "" {
			t.Errorf("%s: %s", good, problem)
		}
	}
}

// A variable is not looked up when an entry is written for a proxy elsewhere, and none
// of its values is missed there (fault I1).
func TestAddLooksUpNoVariable(t *testing.T) {
	entry := map[string]any{"url": "${WHERE}", "headers": map[string]string{"Authorization": "Bearer ${TOKEN}"}}
	if err := config.Add(filepath.Join(t.TempDir(), "config.json"), "a", entry, false); err != nil {
		t.Error(err)
	}
}

// In an empty file there is nothing to be lost: an upstream is added (fault I6).
func TestAddToAnEmptyFile(t *testing.T) {
	for _, text := range []string{"", " \n", "\ufeff"} {
		path := write(t, text)
		if _, err := config.Load(path, environment); err == nil || !strings.Contains(err.Error(), path+": the file is empty; the document is") {
			t.Errorf("Load of %q: %v", text, err)
		}
		if err := config.Add(path, "a", map[string]any{"url": "https://a"}, false); err != nil {
			t.Errorf("Add to %q: %v", text, err)
		}
		if file, err := config.Load(path, environment); err != nil || len(file.Upstreams) != 1 {
			t.Errorf("%q: %v, %v", text, file, err)
		}
	}
}

// What is no file that can be read is said with what to do, and stays what it is (fault
// I6).
func TestWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	loop, directory, below := filepath.Join(dir, "loop"), filepath.Join(dir, "directory"), write(t, "{}")+"/config.json"
	if err := errors.Join(os.Symlink(loop, loop), os.Mkdir(directory, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{loop, directory, below} {
		if _, err := config.Load(path, environment); err == nil || !strings.Contains(err.Error(), "the configuration cannot be read: ") ||
			!strings.Contains(err.Error(), "(--config)") {
			t.Errorf("Load of %s: %v", path, err)
		}
		if err := config.Add(path, "a", map[string]any{"url": "https://a"}, false); err == nil || !strings.Contains(err.Error(), "(--config)") {
			t.Errorf("Add to %s: %v", path, err)
		}
	}
	if err := config.Add("/dev/null", "a", map[string]any{"url": "https://a"}, false); err == nil ||
		!strings.Contains(err.Error(), "/dev/null is no regular file") {
		t.Errorf("Add to a device: %v", err)
	}
}

// A path that begins with ~/ is in the user's home, as in a shell (fault I7).
func TestPathsInTheHomeDirectory(t *testing.T) {
	home := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	// as openssl genrsa -traditional writes it
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(filepath.Join(home, "key.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	path := write(t, `{"mcpServers": {"a": {"command": "~/bin/a", "cwd": "~/work", "args": ["~/as/it/stands"]},
		"b": {"url": "https://b", "oauth": {"clientId": "b", "privateKeyFile": "~/key.pem"}}}}`)
	file, err := config.Load(path, func(name string) (string, bool) { return home, name == "HOME" })
	if err != nil || file.Err() != nil {
		t.Fatal(err, file.Err())
	}
	if a := file.Upstreams[0]; a.Command != home+"/bin/a" || a.Dir != home+"/work" || a.Args[0] != "~/as/it/stands" {
		t.Errorf("%+v", a)
	}
	none, err := config.Load(path, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	if problem := none.Upstreams[0].Problem; !strings.Contains(problem,
		"command: the home directory is not known, as the environment variable HOME is not set") {
		t.Errorf("without HOME: %q", problem)
	}
}

// Headers that clients of the protocol send themselves are left out of what is taken
// over, and said (fault I5).
func TestImportLeavesOutTheProtocolsHeaders(t *testing.T) {
	text := `{"mcpServers": {"a": {"command": "npx", "args": ["mcp-remote", "https://a/mcp", "--header", "Host: b", "--header", "X-Key: k"]}}}`
	all, said := imported(t, "mcp.json", []byte(text))
	if got := all["a"]; len(got.Headers) != 1 || got.Transport != upstream.HTTP ||
		!strings.Contains(strings.Join(said[0].Notes, "; "), "headers.Host was left out, as it is taken from the url") {
		t.Errorf("%+v, %v", got, said)
	}
}

// An entry that is there twice is taken twice, and what is no object, or null, is called
// so (fault I4); the secret of a client of Cursor's is kept.
func TestImportLosesNothing(t *testing.T) {
	all, said := imported(t, "mcp.json", []byte(`{"mcpServers": {
		"a": {"url": "https://a/one", "auth": {"CLIENT_ID": "c", "CLIENT_SECRET": "s", "scopes": ["x"]}},
		"a": {"url": "https://a/two"}, "b": {"command": "b", "env": {"N": null, "PORT": 8080}}, "c": "https://c/mcp"}}`))
	if a := all["a"]; a.URL != "https://a/one" || a.OAuth.ClientID != "c" || a.OAuth.ClientSecret.Reveal() != "s" || a.OAuth.Scopes[0] != "x" {
		t.Errorf("%+v", a)
	}
	if all["a-2"].URL != "https://a/two" || len(all["b"].Env) != 1 {
		t.Errorf("%+v", all)
	}
	if refused := said[len(said)-1].Refused; refused == nil ||
		!strings.Contains(refused.Error(), "mcpServers.c: has a text where an object has to be") {
		t.Errorf("%v", refused)
	}
	yaml := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(yaml, []byte("mcpServers:\n  - name: a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Import(write(t, "{}"), yaml, nil, false); err == nil ||
		!strings.Contains(err.Error(), "YAML is not read; write its servers as JSON") {
		t.Errorf("YAML: %v", err)
	}
}
