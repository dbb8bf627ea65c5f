// Command coverage counts what the machines of a test run did, by the journals that
// it kept (package journals), against everything that the graph declares: each
// transition, each refused pair of a state and an event, each guard, and each
// outcome of a state that is over. It ends with 1 where something is missing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mcpproxy/fsm"
	"mcpproxy/transitions"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: coverage DIRECTORY")
		os.Exit(2)
	}
	missing, err := run(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(2)
	}
	if missing > 0 {
		os.Exit(1)
	}
}

// classes of what is declared, in the order in which they are printed.
var classes = []string{"transitions", "illegal", "ignored", "joined", "postponed", "guards", "stale"}

// declared lists what a run can do, by class, each under the key that an entry has.
func declared(graph fsm.Graph) map[string][]string {
	all := map[string][]string{}
	for _, r := range graph.Regions {
		known := map[string]bool{}
		for _, e := range r.Edges {
			known[e.From+" "+e.Event] = true
			all["transitions"] = append(all["transitions"], key(r.Name, e.From, e.Event, ""))
			for _, g := range e.Guards {
				all["guards"] = append(all["guards"], key(r.Name, e.From, e.Event, g.Name))
			}
		}
		for _, rule := range r.Rules {
			known[rule.From+" "+rule.Event] = true
			all[string(rule.Disposition)] = append(all[string(rule.Disposition)], key(r.Name, rule.From, rule.Event, ""))
		}
		for _, s := range r.States {
			for _, e := range r.Events {
				if !known[s.Name+" "+e.Name] {
					all["illegal"] = append(all["illegal"], key(r.Name, s.Name, e.Name, ""))
				}
				if e.Bound {
					all["stale"] = append(all["stale"], key(r.Name, s.Name, e.Name, ""))
				}
			}
		}
	}
	return all
}

func key(region, state, event, guard string) string {
	return strings.TrimSpace(region + " " + state + " " + event + " " + guard)
}

func classOf(e fsm.Entry) string {
	switch e.Disposition {
	case fsm.Moved, fsm.Updated:
		return "transitions"
	case fsm.Guarded:
		return "guards"
	}
	return string(e.Disposition)
}

// run prints the counts and returns how much of what is declared never happened.
func run(directory string) (missing int, err error) {
	files, err := filepath.Glob(filepath.Join(directory, "*.jsonl"))
	if err != nil {
		return 0, err
	}
	// By class and key: whether the walk of each pair did it, and whether servers,
	// timers and users did in the other tests.
	walked, lived := map[string]bool{}, map[string]bool{}
	entries := 0
	for _, name := range files {
		into := lived
		if strings.HasPrefix(filepath.Base(name), "walk-") {
			into = walked
		}
		n, err := read(name, into)
		if err != nil {
			return 0, err
		}
		entries += n
	}
	fmt.Printf("%d events in %d journals\n%-12s %8s %8s %8s\n", entries, len(files), "", "declared", "covered", "lived")
	all := declared(transitions.Definition().Graph())
	for _, class := range classes {
		covered, alive := 0, 0
		var absent []string
		for _, k := range all[class] {
			switch at := class + " " + k; {
			case lived[at]:
				covered++
				alive++
			case walked[at]:
				covered++
			default:
				absent = append(absent, k)
			}
		}
		fmt.Printf("%-12s %8d %8d %8d\n", class, len(all[class]), covered, alive)
		for _, k := range absent {
			fmt.Printf("  missing: %s\n", k)
		}
		missing += len(absent)
	}
	return missing, nil
}

func read(name string, into map[string]bool) (n int, err error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for decoder := json.NewDecoder(bufio.NewReader(file)); decoder.More(); n++ {
		var e fsm.Entry
		if err := decoder.Decode(&e); err != nil {
			return n, fmt.Errorf("%s: %w", name, err)
		}
		into[classOf(e)+" "+key(e.Region, e.From, e.Event, e.Guard)] = true
	}
	return n, nil
}
