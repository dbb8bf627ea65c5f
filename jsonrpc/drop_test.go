package jsonrpc_test

import (
	"fmt"
	"strings"

	"mcpproxy/jsonrpc"
)

func ExampleDrop() {
	raw := []byte(`{ "a/x":{"b":1} , "n" : 1.0, "a/y":[2], "m":"a/"}`)
	fmt.Printf("%s\n", jsonrpc.Drop(raw, func(name string) bool { return strings.HasPrefix(name, "a/") }))
	// Output: {"n" : 1.0,"m":"a/"}
}
