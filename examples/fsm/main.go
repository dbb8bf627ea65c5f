// Fsm is a machine of one's own with package fsm: a download that is tried three times. It
// searches everything that the machine can do for a broken promise, draws the declaration,
// runs a machine against a server that fails twice, and replays what it did.
//
//	go run ./examples/fsm
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"mcpproxy/diagrams"
	"mcpproxy/fsm"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	definition, err := compile(declaration())
	if err != nil {
		return err
	}
	found, err := check(definition)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "checked: %d situations keep the promises\n", found)
	fmt.Fprintln(out, diagrams.Mermaid(definition.Graph().Regions[0]))
	return download(ctx, out, definition)
}

// download runs one machine, whose job fails twice. What its failure means is said by the
// job, as an event: a guard refuses, and never chooses.
func download(ctx context.Context, out io.Writer, definition *fsm.Definition[state, event, data, payload]) error {
	fetch := func(_ context.Context, o fsm.Order[state, event, data, payload]) fsm.Input[event, payload] {
		if o.Snapshot.Data.Attempts < most {
			return fsm.Input[event, payload]{Event: "Failed", At: time.Now(), Payload: payload{errors.New("the server is busy")}}
		}
		return fsm.Input[event, payload]{Event: "Fetched", At: time.Now()}
	}
	var journal []fsm.Entry
	runner, err := fsm.NewRunner(ctx, definition, "report.pdf", data{},
		map[string]fsm.Effect[state, event, data, payload]{"fetch": fetch},
		func(err error) payload { return payload{err} },
		fsm.Options[state, event, data, payload]{Journal: func(e *fsm.Entry) { journal = append(journal, *e) }})
	if err != nil {
		return err
	}
	machine := runner.Machine()
	_, err = machine.Fire(fsm.Input[event, payload]{Event: "Cancel", At: time.Now(), Actor: fsm.Person})
	fmt.Fprintln(out, err)
	if _, err := machine.Fire(fsm.Input[event, payload]{Event: "Start", At: time.Now(), Actor: fsm.Person}); err != nil {
		return err
	}
	_, err = machine.Wait(ctx, func(s *fsm.Snapshot[state, event, data, payload]) bool {
		return s.Region("download").State == "Done"
	})
	runner.Close() // waits for the job and the journal
	if err != nil {
		return err
	}
	for _, e := range journal {
		fmt.Fprintf(out, "%s: %s -> %s (%s)\n", e.Event, e.From, e.To, e.Disposition)
	}
	return definition.Replay(journal)
}
