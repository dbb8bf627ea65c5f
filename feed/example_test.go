package feed_test

import (
	"context"
	"fmt"

	"mcpproxy/feed"
	"mcpproxy/fsm"
)

// A reader goes on where it was; one that was away for too long is told.
func Example() {
	f := feed.New(2)
	reader := f.Follow("")
	f.Publish(fsm.Entry{Machine: "github", Event: "Connect"})
	items, gap, err := reader.Next(context.Background())
	fmt.Println(items[0].Entry.Event, gap, err)
	for _, event := range []string{"TokenUsable", "ConnectTurn", "Handshaken"} {
		f.Publish(fsm.Entry{Machine: "github", Event: event})
	}
	items, gap, err = reader.Next(context.Background())
	fmt.Println(items[0].Entry.Event, len(items), gap, err)
	// Output:
	// Connect false <nil>
	// ConnectTurn 2 true <nil>
}
