package jsonrpc_test

import (
	"encoding/json"
	"testing"

	"mcpproxy/jsonrpc"
)

func TestPut(t *testing.T) {
	for _, test := range []struct {
		raw  string
		path []string
		want string
	}{
		{``, []string{"a"}, `{"a":1}`},
		{`{}`, []string{"a"}, `{"a":1}`},
		{` { } `, []string{"a"}, ` {"a":1 } `},
		{`{"z":1.0, "a" : [2] }`, []string{"a"}, `{"z":1.0, "a" : 1 }`},
		{`{"z":1.0}`, []string{"_meta", "x/y"}, `{"_meta":{"x/y":1},"z":1.0}`},
		{`{"z":{"_meta":7},"_meta":{"k":"v"}}`, []string{"_meta", "x"}, `{"z":{"_meta":7},"_meta":{"x":1,"k":"v"}}`},
		{`{"_meta":null}`, []string{"_meta", "x"}, `{"_meta":{"x":1}}`},
		{`[1]`, []string{"a"}, `{"a":1}`},
	} {
		got := jsonrpc.Put(json.RawMessage(test.raw), json.RawMessage("1"), test.path...)
		if string(got) != test.want || !json.Valid(got) {
			t.Errorf("Put(%s, 1, %q) = %s, want %s", test.raw, test.path, got, test.want)
		}
	}
}
