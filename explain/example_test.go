package explain_test

import (
	"fmt"
	"os"
	"time"

	"mcpproxy/explain"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/transitions"
)

// An upstream that nobody has asked for yet, in plain words.
func ExampleFprint() {
	graph, now := transitions.Definition(), time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	s, _ := graph.Start("github", states.Data{Settings: states.DefaultSettings()}, now)
	explanation := explain.Of(graph.Graph(), status.Of(graph, s, now))
	if err := explain.Fprint(os.Stdout, explanation, now); err != nil {
		fmt.Println(err)
	}
	// Output:
	// github: Disconnected since 2026-12-01 12:00:00 (0 s)
	//   doing         Nobody wants the upstream.
	//   why           It has been so since the proxy started it.
	//   then          It stays so until a user connects it, or the proxy starts again.
	//   calls         A call fails at once and says how to connect the upstream.
	//   accepted      Connect, LogoutRequested
	//   you can       mcpproxy upstream connect github  connects now
}
