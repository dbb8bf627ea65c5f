package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"mcpproxy/fsm"
	"mcpproxy/upstream"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
)

var update = flag.Bool("update", false, "write the schemas anew")

// What programs get with --json is what docs/schemas says; a field that is added,
// renamed or dropped has to be documented in the same change.
func TestSchemas(t *testing.T) {
	status, err := jsonschema.For[[]upstream.Status](nil)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := jsonschema.For[[]stored](nil)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := jsonschema.For[[]fsm.Entry](nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, schema := range map[string]*jsonschema.Schema{"dump": status, "dump-stopped": kept, "history": journal} {
		schema.Schema = "https://json-schema.org/draft/2020-12/schema"
		text, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("..", "..", "docs", "schemas", name+".json")
		if *update {
			if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		written, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(written), string(text)+"\n"); diff != "" {
			t.Errorf("%s is not what the program prints; run: go test ./cmd/statectl -update\n%s", path, diff)
		}
	}
}
