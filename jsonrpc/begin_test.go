package jsonrpc_test

import (
	"encoding/json"
	"testing"

	"mcpproxy/jsonrpc"
)

func TestBegin(t *testing.T) {
	for _, test := range []struct {
		text, id string
		version  bool
		result   string // what begins there
	}{
		{`{"jsonrpc":"2.0","id":7,"result":{"a`, `7`, true, `{"a`},
		{`{ "id" : "x" , "jsonrpc" : "2.0" , "result" : {`, `"x"`, true, `{`},
		{`{"result":{"a":1},"jsonrpc":"2.0","id":7}`, ``, false, `{"a":1},"jsonrpc":"2.0","id":7}`},
		{`{"jsonrpc":"2.0","id":7,"result":[1`, `7`, true, ``},
		{`{"jsonrpc":"2.0","id":7`, ``, true, ``},
		{`{"jsonrpc":"2.0","id":7,"id":8,"result":{`, `7`, true, ``},
		{`{"jsonrpc":"2.0","id":7,"error":{`, `7`, true, ``},
		{`{"jsonrpc":"2.0","method":"m","params":{`, ``, true, ``},
		{`{"jsonrpc":"1.0","id":7,"result":{`, ``, false, ``},
		{`[`, ``, false, ``},
	} {
		got := jsonrpc.Begin([]byte(test.text))
		result := ""
		if got.Result >= 0 {
			result = test.text[got.Result:]
		}
		if result != test.result || result != "" && (string(got.ID) != test.id || got.Version != test.version) {
			t.Errorf("%s: id %s, version %t, result %q", test.text, got.ID, got.Version, result)
		}
	}
}

// However an object is cut into parts, its end is found where encoding/json finds it.
func FuzzEnding(f *testing.F) {
	f.Add([]byte(`{"a\\\"}":[{"b":"}"},"\\"]}`), 3)
	f.Add([]byte(`{}`), 1)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		var object map[string]any
		if size < 1 || len(text) == 0 || text[0] != '{' || json.Unmarshal(text, &object) != nil {
			return
		}
		want := len(text)
		for text[want-1] != '}' {
			want--
		}
		var ending jsonrpc.Ending
		for begin := 0; begin < len(text); begin += size {
			if end, ended := ending.In(text[begin:min(begin+size, len(text))]); ended {
				if begin+end != want {
					t.Fatalf("%q in parts of %d ends at %d, found %d", text, size, want, begin+end)
				}
				return
			}
		}
		t.Fatalf("%q in parts of %d has no end", text, size)
	})
}
