package terminal_test

import (
	"fmt"

	"mcpproxy/terminal"
)

// What a server said cannot move the cursor, or look like something else.
func ExampleText() {
	fmt.Println(terminal.Text("ok\x1b[2Jbad"))
	// Output:
	// ok\x1b[2Jbad
}
