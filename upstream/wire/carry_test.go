package wire

import (
	"testing"

	"mcpproxy/jsonrpc"
)

// What is packed for a transport that decodes comes out as it went in.
func TestPackedMessagesComeBack(t *testing.T) {
	for _, text := range []string{
		`{"jsonrpc":"2.0","method":"n"}`,
		`{"jsonrpc":"2.0","method":"n","params":{"z":1.0,"a":12345678901234567890}}`,
		`{"jsonrpc":"2.0","id":9007199254740993,"method":"m","params":[1e400,"<&>\u003c"]}`,
		`{"jsonrpc":"2.0","id":"1\u0041","method":"m","params":{"raw":"{}"}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m","data":{"b":1.0,"a":2},"more":[]}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"raw":"{}","z":1.0}}`,
	} {
		carried, err := jsonrpc.Decode(packMessage([]byte(text)))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		carried.Params = unpack(carried.Params)
		if carried.Error != nil {
			carried.Error = unpackError(carried.Error)
		}
		if carried.IsRequest() {
			// The id comes back on the answer.
			answer, err := unpackMessage((&jsonrpc.Message{ID: carried.ID, Result: pack([]byte(`{"raw":"1"}`))}).Encode())
			if err != nil || string(answer.Result) != `{"raw":"1"}` {
				t.Fatalf("the answer is %+v, %v", answer, err)
			}
			carried.ID = answer.ID
		}
		if got := string(carried.Encode()); got != text {
			t.Errorf("%s\nbecame\n%s", text, got)
		}
	}
}

func TestWhatIsNoMessageIsNotPacked(t *testing.T) {
	for _, text := range []string{``, `{`, `[]`, `{"jsonrpc":"1.0","id":1,"result":{}}`} {
		if got := string(packMessage([]byte(text))); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func FuzzPackMessage(f *testing.F) {
	f.Add(`{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1.0}}`)
	f.Add(`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := jsonrpc.Decode(packMessage([]byte(text))); err == nil {
			_, _ = unpackMessage(m.Encode())
		}
	})
}
