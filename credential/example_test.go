package credential_test

import (
	"encoding/json"
	"fmt"

	"mcpproxy/credential"
)

// However a secret is printed, it is not shown.
func ExampleSecret() {
	s := credential.NewSecret("hunter2")
	text, err := json.Marshal(map[string]any{"password": s})
	fmt.Printf("%v %q %#v %s %v\n", s, s, s, text, err)
	fmt.Println(len(s.Reveal()))
	// Output:
	// [redacted] [redacted] [redacted] {"password":"[redacted]"} <nil>
	// 7
}
