package jsonrpc_test

import (
	"encoding/json"
	"maps"
	"testing"
	"unicode/utf8"

	"mcpproxy/jsonrpc"
)

func TestMember(t *testing.T) {
	raw := json.RawMessage(` { "a" : {"b": [1, "]}", {"c":"\\\""}], "\u0062x": 2e3 } , "s":"q\"uote", "a":{"b":7}, "n":null,"e":{} } `)
	for _, test := range []struct {
		path []string
		want string
	}{
		{[]string{"a", "b"}, "7"}, // the last of two
		{[]string{"s"}, `"q\"uote"`},
		{[]string{"n"}, "null"},
		{[]string{"e"}, "{}"},
		{[]string{"e", "x"}, ""},
		{[]string{"s", "x"}, ""},
		{[]string{"b"}, ""},
		{[]string{"A"}, ""},
	} {
		if got := jsonrpc.Member(raw, test.path...); string(got) != test.want {
			t.Errorf("Member(%q) = %s, want %s", test.path, got, test.want)
		}
	}
	if text, ok := jsonrpc.String(raw, "s"); !ok || text != `q"uote` {
		t.Errorf("String = %q, %t", text, ok)
	}
	first := json.RawMessage(`{"b": [1, "]}", {"c":"\\\""}], "\u0062x": 2e3}`)
	if got := jsonrpc.Member(first, "bx"); string(got) != "2e3" {
		t.Errorf("an escaped name: %s", got)
	}
}

// On valid JSON in UTF-8 the scanner finds what encoding/json finds; on anything else
// it ends.
func FuzzMembers(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":[true,"x\\"]},"d":"\"}"}`))
	f.Add([]byte(`{"a":`))
	f.Add([]byte("{\"\xe1\":\"\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		found := maps.Collect(jsonrpc.Members(text))
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil || !utf8.Valid(text) { // which encoding/json mends
			return
		}
		if len(found) != len(want) {
			t.Fatalf("%q has %d members, found %d", text, len(want), len(found))
		}
		for name, value := range want {
			if string(found[name]) != string(value) {
				t.Errorf("%q: %s is %s, found %s", text, name, value, found[name])
			}
		}
	})
}
