package states_test

import (
	"fmt"

	"mcpproxy/states"
)

// Who changes one setting begins with the default ones.
func ExampleDefaultSettings() {
	s := states.DefaultSettings()
	s.AutomaticLogin = true
	fmt.Println(s.LoginDeadline, s.ConnectDeadline, s.BrowserInterval, s.AutomaticLogin)
	// Output: 5m0s 30s 5m0s true
}
