package config_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"mcpproxy/config"
	"mcpproxy/tests/golden"
	"mcpproxy/upstream/oauth"
)

// The keys for servers that do not keep to the specifications are one table: what errors
// name is a key that the configuration takes, with the value that they name (fault E6).
func TestEachSettingIsAKey(t *testing.T) {
	for _, g := range oauth.Guides() {
		file, err := config.Load(write(t, fmt.Sprintf(`{"mcpServers": {"u": {"url": "https://example.com/mcp", "oauth": {%q: %s}}}}`, g.Setting, g.Value)), environment)
		if err != nil || file.Err() != nil || len(file.Upstreams) != 1 {
			t.Errorf("%s: %v, %+v", g.Setting, err, file)
			continue
		}
		field := reflect.ValueOf(file.Upstreams[0].OAuth).FieldByNameFunc(func(name string) bool {
			return strings.EqualFold(name, string(g.Setting))
		})
		if !field.IsValid() || field.IsZero() {
			t.Errorf("%s: %s is not taken", g.Setting, g.Value)
		}
	}
}

// The troubleshooting page has the table; the README has it among its keys.
func TestTroubleshootingHasTheSettings(t *testing.T) {
	var table strings.Builder
	table.WriteString("| key | for where | what it does |\n|---|---|---|\n")
	for _, g := range oauth.Guides() {
		fmt.Fprintf(&table, "| `oauth.%s`: `%s` | %s | %s |\n", g.Setting, g.Value, g.Where, g.Does)
	}
	const path, begin, end = "../docs/troubleshooting.md", "<!-- the table of settings is generated -->\n", "<!-- up to here -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("the marks of the generated table are missing")
	}
	golden.Compare(t, path, before+begin+table.String()+end+after)
}

// Values that cannot be meant are refused by the name of the key.
func TestSettingsAreChecked(t *testing.T) {
	for _, test := range []struct{ setting, words string }{
		{`"redirectHost": "0.0.0.0"`, "oauth.redirectHost"},
		{`"redirectHost": "proxy.example"`, "oauth.redirectHost"},
		{`"redirectPath": "callback"`, "oauth.redirectPath"},
		{`"redirectPath": "//host/callback"`, "oauth.redirectPath"},
		{`"redirectPath": "/a/../b"`, "oauth.redirectPath"},
		{`"redirectPath": "/callback?x=y"`, "oauth.redirectPath"},
		{`"redirectPath": "/callback/outcome/x"`, "oauth.redirectPath"},
		{`"metadataIssuer": "auth.example.com"`, "oauth.metadataIssuer"},
		{`"resource": "x", "omitResource": true`, "oauth.resource"},
		{`"tokenParameters": {"grant_type": "password"}`, "oauth.tokenParameters.grant_type"},
		{`"tokenParameters": {"code_verifier": "x"}`, "oauth.tokenParameters.code_verifier"},
		{`"tokenParameters": {"audience": 7}`, "oauth.tokenParameters"},
		{`"assumePKCE": "yes"`, "oauth.assumePKCE"},
	} {
		file, err := config.Load(write(t, `{"mcpServers": {"u": {"url": "https://example.com/mcp", "oauth": {`+test.setting+`}}}}`), environment)
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Err(); err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v", test.setting, err)
		}
	}
}
