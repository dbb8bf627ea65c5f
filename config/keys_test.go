package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/tests/golden"
	"mcpproxy/upstream"

	"github.com/google/jsonschema-go/jsonschema"
)

// schemaOf is what a key's value has to be.
func schemaOf[T any](t *testing.T, k *key[T]) *jsonschema.Schema {
	t.Helper()
	s := &jsonschema.Schema{}
	switch into := k.into(new(T)).(type) {
	case *bool:
		s.Type = "boolean"
	case *int:
		s.Type, s.Minimum, s.Maximum = "integer", jsonschema.Ptr(float64(k.least)), jsonschema.Ptr(float64(k.most))
	case *[]string:
		s.Type, s.Items = "array", &jsonschema.Schema{Type: "string"}
	case *map[string]string, *map[string]credential.Secret:
		s.Type, s.AdditionalProperties = "object", &jsonschema.Schema{Type: "string"}
	case *string, *credential.Secret, *time.Duration, *upstream.Grant:
		s.Type = "string"
	default:
		t.Fatalf("%s points at a %T", k.path, into)
	}
	for _, v := range k.values {
		s.Enum = append(s.Enum, v)
	}
	s.Description = k.doc
	return s
}

// objectSchema is the schema of an object with the keys.
func objectSchema[T any](t *testing.T, keys []key[T]) *jsonschema.Schema {
	t.Helper()
	closed := func() *jsonschema.Schema {
		return &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{},
			AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}}
	}
	root := closed()
	for i := range keys {
		at := root
		names := strings.Split(keys[i].path, ".")
		for _, name := range names[:len(names)-1] {
			if at.Properties[name] == nil {
				at.Properties[name] = closed()
			}
			at = at.Properties[name]
		}
		at.Properties[names[len(names)-1]] = schemaOf(t, &keys[i])
	}
	return root
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	root := objectSchema(t, documentKeys())
	root.Schema, root.Title = "https://json-schema.org/draft/2020-12/schema", "the configuration of mcpproxy"
	root.Properties["$schema"] = &jsonschema.Schema{Type: "string"}
	root.Properties["mcpServers"] = &jsonschema.Schema{Type: "object", Description: "the upstreams, by name",
		AdditionalProperties: objectSchema(t, entryKeys())}
	return root
}

// Editors complete and check the file by the schema, which has every key.
func TestSchema(t *testing.T) {
	text, err := json.MarshalIndent(schema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "../docs/schemas/config.json", string(text)+"\n")
	resolved, err := schema(t).Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for document, valid := range map[string]bool{
		`{"$schema": "x", "mcpServers": {"a": {"url": "https://a", "oauth": {"scopes": ["b"], "identityProvider": {"clientId": "c"}}}}, "limits": {"connecting": 3}}`: true,
		`{"mcpServers": {"a": {"url": 7}}}`:                                    false,
		`{"mcpServers": {"a": {"uri": "https://a"}}}`:                          false,
		`{"mcpServers": {"a": {"url": "https://a", "oauth": {"grant": "x"}}}}`: false,
		`{"limits": {"connecting": 0}}`:                                        false,
		`{"servers": {}}`:                                                      false,
	} {
		var instance any
		if err := json.Unmarshal([]byte(document), &instance); err != nil {
			t.Fatal(err)
		}
		if err := resolved.Validate(instance); (err == nil) != valid {
			t.Errorf("%s: %v", document, err)
		}
	}
}

// rows are the keys as a table of a document.
func rows[T any](keys []key[T]) string {
	b := &strings.Builder{}
	b.WriteString("| key | meaning |\n|---|---|\n")
	for _, k := range keys {
		doc := k.doc
		if len(k.values) > 0 && !strings.Contains(doc, "`"+k.values[0]+"`") {
			doc += ": `" + strings.Join(k.values, "`, `") + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", k.path, doc)
	}
	return b.String()
}

// The README's tables are the keys that there are.
func TestTheReadmeHasEveryKey(t *testing.T) {
	const path = "../README.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	made := string(text)
	for begin, table := range map[string]string{"<!-- the keys of an entry -->\n": rows(entryKeys()),
		"<!-- the keys of the document -->\n": rows(documentKeys())} {
		before, rest, ok := strings.Cut(made, begin)
		_, after, closed := strings.Cut(rest, "<!-- up to here -->\n")
		if !ok || !closed {
			t.Fatalf("the marks of the table %q are missing", begin)
		}
		made = before + begin + table + "<!-- up to here -->\n" + after
	}
	golden.Compare(t, path, made)
}

// samples are two values that a key may have, neither of them its default.
func samples[T any](t *testing.T, k *key[T]) [2]any {
	t.Helper()
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := func() string {
		made, err := credential.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		return made.Reveal()
	}
	special := map[string][2]any{
		"url": {"https://one", "https://two"}, "type": {"http", "sse"}, "oauth.login": {"manual", "automatic"},
		"oauth.clientMetadataUrl": {"https://one/c", "https://two/c"}, "oauth.privateKeyFile": {file(key()), file(key())},
		"oauth.issuer": {"https://one", "https://two"}, "oauth.identityProvider.tokenEndpoint": {"https://one", "https://two"},
		"oauth.metadataIssuer": {"https://one", "https://two"}, "oauth.redirectPath": {"/one", "/two"},
	}
	if s, ok := special[k.path]; ok {
		return s
	}
	if len(k.values) > 1 {
		return [2]any{k.values[0], k.values[1]}
	}
	switch k.into(new(T)).(type) {
	case *bool:
		return [2]any{false, true}
	case *int:
		return [2]any{k.least + 1, k.least + 2}
	case *[]string:
		return [2]any{[]string{"one"}, []string{"two"}}
	case *map[string]string, *map[string]credential.Secret:
		return [2]any{map[string]string{"k": "one"}, map[string]string{"k": "two"}}
	case *time.Duration:
		return [2]any{"7s", "8s"}
	}
	return [2]any{"one", "two"}
}

// written is a file with an entry that is complete for its grant, and one key more.
func written(t *testing.T, base map[string]any, path string, value any) *File {
	t.Helper()
	entry := map[string]any{"oauth": map[string]any{}}
	set := func(path string, value any) {
		at, names := entry, strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			if at[name] == nil {
				at[name] = map[string]any{}
			}
			at = at[name].(map[string]any)
		}
		at[names[len(names)-1]] = value
	}
	for k, v := range base {
		set(k, v)
	}
	set(path, value)
	text, err := json.Marshal(map[string]any{"mcpServers": map[string]any{"a": entry}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(file, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Each key of an entry reaches the upstream, and a reload sees that it has changed. No
// list of keys that could be forgotten decides that.
func TestAChangeOfEachKeyIsSeen(t *testing.T) {
	for _, k := range entryKeys() {
		t.Run(k.path, func(t *testing.T) {
			base := map[string]any{"url": "https://a"}
			switch {
			case k.path == "command" || k.path == "args" || k.path == "env" || k.path == "cwd":
				base = map[string]any{"command": "a"}
			case strings.HasPrefix(k.path, "oauth.identityProvider"):
				base = map[string]any{"url": "https://a", "oauth.grant": "enterprise_managed", "oauth.clientId": "c",
					"oauth.identityProvider.tokenEndpoint": "https://i", "oauth.identityProvider.idTokenFile": "f"}
			case k.path == "oauth.assertionFile":
				base = map[string]any{"url": "https://a", "oauth.grant": "workload_identity"}
			case k.path == "oauth.clientSecret":
				base = map[string]any{"url": "https://a", "oauth.clientId": "c"}
			}
			values := samples(t, &k)
			one, again, two := written(t, base, k.path, values[0]), written(t, base, k.path, values[0]), written(t, base, k.path, values[1])
			for _, f := range []*File{one, two} {
				if len(f.Problems) > 0 {
					t.Fatal(f.Err())
				}
			}
			switch {
			case k.path == "disabled":
				if len(one.Upstreams) != 1 || len(two.Upstreams) != 0 {
					t.Errorf("%v and %v", one.Upstreams, two.Upstreams)
				}
			case !one.Upstreams[0].Equal(&again.Upstreams[0]):
				t.Errorf("the same file is taken for another: %+v, %+v", one.Upstreams[0], again.Upstreams[0])
			case one.Upstreams[0].Equal(&two.Upstreams[0]):
				t.Errorf("%v and %v are taken for the same: %+v", values[0], values[1], one.Upstreams[0])
			}
		})
	}
}
