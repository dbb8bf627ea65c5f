package jsonrpc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
)

func ExampleSplit() {
	parts, _ := jsonrpc.Split([]byte(`[{"jsonrpc":"2.0","id":1,"method":"a"}, {"jsonrpc":"2.0","id":2,"method":"b"}]`))
	var answers []*jsonrpc.Message
	for _, part := range parts {
		m, _ := jsonrpc.Decode(part)
		answers = append(answers, &jsonrpc.Message{ID: m.ID, Result: []byte(`"` + m.Method + `"`)})
	}
	fmt.Printf("%s\n", jsonrpc.AppendBatch(nil, answers))
	// Output: [{"jsonrpc":"2.0","id":1,"result":"a"},{"jsonrpc":"2.0","id":2,"result":"b"}]
}

func TestSplitRefuses(t *testing.T) {
	for _, text := range []string{``, `{}`, `[]`, `[1,]`, `[1`, `[` + strings.Repeat("1,", jsonrpc.MaxBatch) + `1]`} {
		if parts, err := jsonrpc.Split([]byte(text)); !errors.Is(err, jsonrpc.ErrInvalid) {
			t.Errorf("%.20s: %d parts, %v", text, len(parts), err)
		}
	}
}

// A batch is told from what is no message at all.
func TestDecodeNamesABatch(t *testing.T) {
	for text, batch := range map[string]bool{`[]`: true, ` [{"jsonrpc":"2.0","method":"a"}]`: true, `[`: false, `1`: false, `{}`: false} {
		if _, err := jsonrpc.Decode([]byte(text)); errors.Is(err, jsonrpc.ErrBatch) != batch || !errors.Is(err, jsonrpc.ErrInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
