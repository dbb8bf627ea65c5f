package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"mcpproxy/explain"
	"mcpproxy/journal"
	"mcpproxy/status"
	"mcpproxy/tests/golden"

	"github.com/google/jsonschema-go/jsonschema"
)

// schemas are what each command prints with --json, by the name of the file in
// docs/schemas. Of watch it is one line.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	return map[string]*jsonschema.Schema{
		"dump": of[[]status.Upstream](t), "explain": of[explain.Explanation](t), "dump-stopped": of[[]stored](t), "history": of[[]journal.Line](t), "stats": of[[]journal.Stats](t),
		"graph": of[graphJSON](t), "replay": of[[]replayed](t), "audit": of[audited](t), "fire": of[fired](t), "wait": of[waited](t),
		"watch": {AnyOf: []*jsonschema.Schema{of[journal.Line](t), of[gapLine](t)}},
	}
}

func of[T any](t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.For[T](nil)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// What programs get with --json is what docs/schemas says; a field that is added,
// renamed or dropped has to be documented in the same change.
func TestSchemas(t *testing.T) {
	for name, schema := range schemas(t) {
		schema.Schema = "https://json-schema.org/draft/2020-12/schema"
		text, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("..", "..", "docs", "schemas", name+".json")
		golden.Compare(t, path, string(text)+"\n")
	}
}

// conforms holds a document to a schema.
func conforms(t *testing.T, schema *jsonschema.Schema, text []byte) {
	t.Helper()
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if err := resolved.Validate(document); err != nil {
		t.Errorf("%v in %s", err, text)
	}
}
