package admin

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"mcpproxy/admin/api"
	"mcpproxy/explain"
	"mcpproxy/fsm"
	"mcpproxy/status"
	"mcpproxy/tests/golden"
	"mcpproxy/upstream/child"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

// document is openapi.json; what stands in it by hand stays as it is.
type document struct {
	OpenAPI    string          `json:"openapi"`
	Info       json.RawMessage `json:"info"`
	Servers    json.RawMessage `json:"servers"`
	Paths      json.RawMessage `json:"paths"`
	Components struct {
		Parameters json.RawMessage            `json:"parameters"`
		Responses  json.RawMessage            `json:"responses"`
		Schemas    map[string]json.RawMessage `json:"schemas"`
	} `json:"components"`
}

func schemaOf[T any](t *testing.T) json.RawMessage {
	t.Helper()
	schema, err := jsonschema.For[T](nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The schemas of the description are those of the types that are answered; a field
// that is added, renamed or dropped is documented in the same change.
func TestTheDescriptionHasTheSchemasOfWhatIsAnswered(t *testing.T) {
	var d document
	if err := json.Unmarshal(description, &d); err != nil {
		t.Fatal(err)
	}
	d.Components.Schemas = map[string]json.RawMessage{
		"Entry": schemaOf[fsm.Entry](t), "Explanation": schemaOf[explain.Explanation](t), "Gap": schemaOf[api.Gap](t), "Invitation": schemaOf[api.Invitation](t), "Line": schemaOf[child.Line](t), "Outcome": schemaOf[api.Outcome](t), "Pasted": schemaOf[api.Pasted](t),
		"Problem": schemaOf[api.Problem](t), "Report": schemaOf[api.Report](t), "Status": schemaOf[status.Upstream](t), "Version": schemaOf[api.Version](t),
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(d); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "openapi.json", text.String())
}

// Every route is described, and nothing else is.
func TestEveryRouteIsDescribed(t *testing.T) {
	var d struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(description, &d); err != nil {
		t.Fatal(err)
	}
	var described, served []string
	for path, operations := range d.Paths {
		for method := range maps.Keys(operations) {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, r := range (&handler{}).routes() {
		served = append(served, r.method+" "+r.path)
	}
	slices.Sort(described)
	slices.Sort(served)
	if diff := cmp.Diff(served, described); diff != "" {
		t.Errorf("served and described differ: %s", diff)
	}
}

// The description is OpenAPI 3.1 itself.
func TestTheDescriptionIsValid(t *testing.T) {
	if ok, problems := described(t).ValidateDocument(); !ok {
		t.Error(problems)
	}
}

// described checks requests and answers against the description.
func described(t *testing.T) validator.Validator {
	t.Helper()
	d, err := libopenapi.NewDocument(description)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(d)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	t.Cleanup(v.Release)
	return v
}
