package jsonrpc_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
)

func TestDecodeKeepsRawParts(t *testing.T) {
	for _, text := range []string{
		`{"jsonrpc":"2.0","id":"a\u0062","method":"tools/call","params":{"z":1.0,"a":12345678901234567890.10,"unknown":[ 1 , 2]}}`,
		`{"jsonrpc":"2.0","id":12345678901234567890,"method":"ping"}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"b":1,"a":2}}`,
		`{"jsonrpc":"2.0","id":0,"result":{"n":1e400}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"extra":true,"code":-1,"message":"m","data":{"x":0.10}}}`,
	} {
		m, err := jsonrpc.Decode([]byte(text))
		if err != nil {
			t.Fatalf("Decode(%s): %v", text, err)
		}
		if got := string(m.Encode()); got != text {
			t.Errorf("Encode(Decode(x)):\n got %s\nwant %s", got, text)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for text, why := range map[string]string{
		``:                         "not JSON",
		`[]`:                       "batch",
		`{"id":1,"method":"a"}`:    `must be "2.0"`,
		`{"jsonrpc":"2.0"}`:        "neither a method nor an id",
		`{"jsonrpc":"2.0","id":1}`: "neither a result nor an error",
		`{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`: "both",
		`{"jsonrpc":"2.0","id":1.5,"method":"a"}`:                              "id must be",
		`{"jsonrpc":"2.0","id":null,"method":"a"}`:                             "id must be",
		`{"jsonrpc":"2.0","id":1,"method":""}`:                                 "empty",
		`{"jsonrpc":"2.0","id":1,"method":"a","params":3}`:                     "params must be",
		`{"jsonrpc":"2.0","id":1,"method":"a","result":{}}`:                    "request with a result",
		`{"jsonrpc":"2.0","id":1,"method":"a","params":{},"params":{"x":1}}`:   "params is there twice",
		`{"jsonrpc":"2.0","id":1,"Method":"a"}`:                                "neither a result",
		`{"jsonrpc":"2.0","id":1,"method":7}`:                                  "must be a string",
		`{"jsonrpc":"2.0","id":1,"error":7}`:                                   "error object",
	} {
		_, err := jsonrpc.Decode([]byte(text))
		if !errors.Is(err, jsonrpc.ErrInvalid) || !strings.Contains(err.Error(), why) {
			t.Errorf("Decode(%s) = %v, want an error that says %q", text, err, why)
		}
	}
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	w := jsonrpc.NewLineWriter(&out)
	if err := w.Write(&jsonrpc.Message{ID: []byte("1"), Method: "ping", Params: []byte("{\n}")}); err != nil {
		t.Fatal(err)
	}
	r := jsonrpc.NewLineReader(io.MultiReader(strings.NewReader("\r\n\n"), &out, strings.NewReader("last")))
	for _, want := range []string{`{"jsonrpc":"2.0","id":1,"method":"ping","params":{ }}`, "last"} {
		if got, err := r.Next(); err != nil || string(got) != want {
			t.Fatalf("Next() = %s, %v, want %s", got, err, want)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Fatalf("at the end: %v", err)
	}
}

func TestLineTooLong(t *testing.T) {
	endless := io.LimitReader(zeros{}, jsonrpc.MaxLine+2<<20)
	if _, err := jsonrpc.NewLineReader(endless).Next(); !errors.Is(err, jsonrpc.ErrTooLong) {
		t.Fatalf("got %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"a","params":{}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"m"}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"a","params":[-0.5e+7,true,false,null,{"\\\u0022":[]},"\\\\"]} `))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := jsonrpc.Decode(text)
		if errors.Is(err, jsonrpc.ErrParse) && json.Valid(text) {
			t.Fatalf("%q is JSON, and Decode says: %v", text, err)
		}
		if err != nil {
			return
		}
		var whole map[string]json.RawMessage
		if json.Unmarshal(text, &whole) == nil && string(whole["params"]) != string(m.Params) {
			t.Fatalf("%q has the parameters %s", text, m.Params)
		}
		again, err := jsonrpc.Decode(m.Encode())
		if err != nil {
			t.Fatalf("%q decodes but %q does not: %v", text, m.Encode(), err)
		}
		if !bytes.Equal(again.ID, m.ID) || again.Method != m.Method || !bytes.Equal(again.Params, m.Params) ||
			!bytes.Equal(again.Result, m.Result) {
			t.Fatalf("%q changed on the way", text)
		}
	})
}

// The codes from -32020 to -32099 are the protocol's own (MCP 2026-07-28, errors).
func TestCodesKeepOutOfTheProtocolsRange(t *testing.T) {
	for _, code := range []int{jsonrpc.CodeLoginNeeded, jsonrpc.CodeUnavailable, jsonrpc.CodeResourceNotFound} {
		if code <= -32020 && code >= -32099 {
			t.Errorf("the code %d is the protocol's", code)
		}
	}
}
