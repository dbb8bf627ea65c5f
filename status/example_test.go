package status_test

import (
	"fmt"
	"time"

	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/transitions"
)

// What a snapshot means, as a command or a page shows it.
func ExampleOf() {
	graph, now := transitions.Definition(), time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	s, _ := graph.Start("github", states.Data{Settings: states.DefaultSettings()}, now)
	up := status.Of(graph, s, now)
	fmt.Println(up.Phase, up.Outlook)
	fmt.Println(up.Doc)
	for _, a := range up.Actions {
		fmt.Println(a.Command, "-", a.Why)
	}
	// Output:
	// Disconnected disconnected
	// Nobody wants the upstream.
	// mcpproxy upstream connect github - connects now
}
