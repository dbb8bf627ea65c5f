package upstream_test

import (
	"errors"
	"fmt"

	"mcpproxy/upstream"
)

// Everything that keeps a configuration from being used is named in one go.
func ExampleCheck() {
	err := upstream.Check([]upstream.Config{
		{Name: "files", Command: "mcp-files"},
		{Name: "robot", URL: "https://api.example.com/mcp", OAuth: upstream.OAuth{Grant: upstream.ClientCredentials, ClientID: "robot"}},
		{Name: "files", URL: "api.example.com"},
	})
	fmt.Println(err)
	var field *upstream.FieldError
	fmt.Println(errors.As(err, &field), field.Field)
	// Output:
	// upstream 2 ("robot"): OAuth.ClientSecret is missing; the grant client_credentials needs it
	// upstream 3 ("files"): Name is that of another upstream; give each its own
	// URL is no http or https address without a user's name; write it as https://host/path
	// true OAuth.ClientSecret
}
