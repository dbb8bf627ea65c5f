package jsonrpc_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
)

// Outside strings a text is held to the grammar, as encoding/json holds it.
func TestDecodeTellsJSON(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, value := range []string{
		`{}`, `[]`, `{ }`, `[ ]`, `{"a":{"b":[1,-2.5,0,1E9,1e-7]}}`, `[true,false,null,"\\",""]`, `["a\"b",{"c":"}"}]`, deep(9998),
		`{`, `[`, `{]`, `[}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[1,]`, `[,1]`, `[1 2]`, `[01]`, `[-]`, `[1.]`, `[.5]`, `[1e]`, `[+1]`, `[tru]`, `[nul]`, `[truex]`, `["a]`, `{a:1}`, `{"a":1}}`, `[NaN]`, deep(10_000),
	} {
		text := []byte(`{"jsonrpc":"2.0","id":1,"method":"m","params":` + value + `}`)
		_, err := jsonrpc.Decode(text)
		if refused := errors.Is(err, jsonrpc.ErrParse); refused == json.Valid(text) {
			t.Errorf("%.60s: refused is %t (%.80v), encoding/json says valid is %t", value, refused, err, json.Valid(text))
		}
	}
}

// What stands in a string is for who reads it.
func TestDecodeLeavesStringsAlone(t *testing.T) {
	for _, inside := range []string{`\ud800`, "\x01", "\xff", `\q`} {
		if _, err := jsonrpc.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"m","params":{"s":"` + inside + `"}}`)); err != nil {
			t.Errorf("%q: %v", inside, err)
		}
	}
}
