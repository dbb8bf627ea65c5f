package jsonrpc_test

import (
	"fmt"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
)

func decode(t *testing.T, params string) *jsonrpc.Object {
	t.Helper()
	m, err := jsonrpc.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"m","params":` + params + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return m.Members()
}

func ExampleObject_CutPrefix() {
	m, _ := jsonrpc.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name": "up__echo","arguments":{"n":1.0}}}`))
	o := m.Members()
	fmt.Println(o.CutPrefix("name", "up__"), string(o.Raw))
	// Output: true {"name": "echo","arguments":{"n":1.0}}
}

// Members are found where they stand, by their name as it is meant, also when
// there are more than are remembered.
func TestObject(t *testing.T) {
	many := `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"a":10}`
	for _, test := range []struct{ raw, name, want string }{
		{`{"a":1, "b" : [2] }`, "b", "[2]"},
		{`{"a":1,"a":{}}`, "a", "{}"},
		{`{"\u0061":1}`, "a", "1"},
		{`{"A":1}`, "a", ""},
		{`{}`, "a", ""},
		{many, "h", "8"},
		{many, "i", "9"},
		{many, "a", "10"},
	} {
		for _, o := range []*jsonrpc.Object{decode(t, test.raw), {Raw: []byte(test.raw)}} {
			if got := string(o.Get(test.name)); got != test.want {
				t.Errorf("%s of %s is %q", test.name, test.raw, got)
			}
			before, behind, found := o.Around(test.name)
			if found != (test.want != "") || found && string(before)+test.want+string(behind) != test.raw {
				t.Errorf("around %s of %s: %q and %q", test.name, test.raw, before, behind)
			}
		}
	}
}

// The bytes move on whichever side is shorter; the other members stay where they are found.
func TestCutPrefix(t *testing.T) {
	long := strings.Repeat("x", 50)
	for raw, want := range map[string]string{
		`{"first":1,"name":"u__t","last":"` + long + `"}`: `{"first":1,"name":"t","last":"` + long + `"}`,
		`{"first":"` + long + `","name":"u__t","last":2}`: `{"first":"` + long + `","name":"t","last":2}`,
		`{"name":"u__","last":2,"first":3}`:               `{"name":"","last":2,"first":3}`,
	} {
		o := decode(t, raw)
		first, last := string(o.Get("first")), string(o.Get("last"))
		if !o.CutPrefix("name", "u__") || string(o.Raw) != want {
			t.Errorf("%s became %s", raw, o.Raw)
		}
		if string(o.Get("first")) != first || string(o.Get("last")) != last {
			t.Errorf("%s: the others are now %s and %s", raw, o.Get("first"), o.Get("last"))
		}
	}
	for _, raw := range []string{`{"name":"t"}`, `{"name":"\u0075__t"}`, `{"name":7}`, `{}`} {
		if o := decode(t, raw); o.CutPrefix("name", "u__") || string(o.Raw) != raw {
			t.Errorf("%s became %s", raw, o.Raw)
		}
	}
}
