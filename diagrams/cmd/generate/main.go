// Command generate writes the diagrams of the declared graph, or checks that
// those that are there are up to date.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mcpproxy/diagrams"
	"mcpproxy/diagrams/layout"
	"mcpproxy/transitions"
)

func main() {
	root := flag.String("o", ".", "root of the project, below which the files are written")
	check := flag.Bool("check", false, "write nothing; fail if a file differs from the graph")
	flag.Parse()
	if err := run(context.Background(), *root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// The directories, below the project's root.
const (
	docs  = "docs/diagrams"
	page  = "ui/pictures"
	drawn = "diagrams/drawn/svg"
)

func run(ctx context.Context, root string, check bool) error {
	pictures, err := Files(ctx)
	if err != nil {
		return err
	}
	live, err := LiveFiles(ctx)
	if err != nil {
		return err
	}
	graph := map[string][]byte{}
	for _, name := range []string{"connection.svg", "credential.svg"} {
		graph[name] = pictures[name]
	}
	// What is lit in it has to be drawn: no state is folded.
	graph["overview.svg"], err = layout.SVG(ctx, diagrams.DOTOverview(transitions.Definition().Graph()))
	if err != nil {
		return err
	}
	return errors.Join(put(pictures, filepath.Join(root, docs), check), put(live, filepath.Join(root, page), check),
		put(graph, filepath.Join(root, drawn), check))
}

func put(files map[string][]byte, directory string, check bool) error {
	var problems []error
	for name, content := range files {
		path := filepath.Join(directory, name)
		if !check {
			problems = append(problems, os.MkdirAll(directory, 0o755), os.WriteFile(path, content, 0o644))
			continue
		}
		if there, err := os.ReadFile(path); err != nil || !bytes.Equal(there, content) {
			problems = append(problems, fmt.Errorf("%s is not what the graph says; run: make diagrams", path))
		}
	}
	return errors.Join(append(problems, strays(files, directory))...)
}

// strays names files that the graph does not give (any more).
func strays(files map[string][]byte, directory string) error {
	there, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	var problems []error
	for _, entry := range there {
		if files[entry.Name()] == nil {
			problems = append(problems, fmt.Errorf("%s is not made from the graph; delete it", filepath.Join(directory, entry.Name())))
		}
	}
	return errors.Join(problems...)
}

// LiveFiles are the pictures that the proxy's page lights up, by name.
func LiveFiles(ctx context.Context) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, r := range transitions.Definition().Graph().Regions {
		svg, err := layout.Bare(ctx, diagrams.DOTLive(r))
		if err != nil {
			return nil, err
		}
		files[r.Name+".svg"] = svg
	}
	return files, nil
}

// Files are the diagrams of the documents, by name.
func Files(ctx context.Context) (map[string][]byte, error) {
	graph := transitions.Definition().Graph()
	files := map[string][]byte{
		"transitions.md": []byte(diagrams.Markdown(graph)),
		"events.md":      []byte(diagrams.EventTable(graph)),
	}
	xstate, err := diagrams.XState(graph)
	if err != nil {
		return nil, err
	}
	files["upstream.xstate.json"], files["upstream.scxml"] = xstate, []byte(diagrams.SCXML(graph))
	draw := func(name, dot string) error {
		svg, err := layout.SVG(ctx, dot)
		files[name+".dot"], files[name+".svg"] = []byte(dot), svg
		return err
	}
	var errs []error
	for _, r := range graph.Regions {
		errs = append(errs, draw("overview-"+r.Name, diagrams.DOTFolded(graph, r)))
		files[r.Name+".mmd"] = []byte(diagrams.Mermaid(r))
		errs = append(errs, draw(r.Name, diagrams.DOT(r)))
	}
	var concerns []diagrams.Concern
	for _, c := range transitions.Concerns() {
		concern := diagrams.Concern{Name: c.Name, Title: c.Title, Doc: c.Doc, Way: rows(c.Way), Otherwise: rows(c.Otherwise)}
		concerns = append(concerns, concern)
		dot, err := diagrams.DOTConcern(graph, concern)
		if err == nil {
			err = draw(c.Name, dot)
		}
		errs = append(errs, err)
	}
	files["README.md"] = []byte(readme(concerns))
	return files, errors.Join(errs...)
}

func rows(all []transitions.Row) []diagrams.Row {
	var rows []diagrams.Row
	for _, row := range all {
		for _, event := range row.Events {
			rows = append(rows, diagrams.Row{Region: row.Region, State: string(row.State), Event: string(event)})
		}
	}
	return rows
}

// readme shows the pictures.
func readme(concerns []diagrams.Concern) string {
	var b strings.Builder
	b.WriteString(`# The graph in pictures

Generated from the declaration in package ` + "`transitions`" + `; ` + "`make diagrams`" + ` writes it again and a test compares.
The tables:
[states and transitions](transitions.md), [events](events.md). For other tools: [XState](upstream.xstate.json), [SCXML](upstream.scxml).

## How to read them

| | |
|---|---|
| grey, *parked* | nothing runs and nothing is sent; a user or a demand moves it on |
| yellow, *waiting* | a timer runs |
| blue, *working* | a job runs, whose name stands there, and always a deadline |
| green, *serving* | requests flow |
| thick green line | the main path |
| dashed line | taken by a timer alone |
| violet event | the other region says it; *says* in a state tells which |
| ` + "`[guard]`" + ` | may refuse |
| light box | a composite state: its rows hold for each state in it; a line from its border leads from states in it |

Ways that lead from many states, or to a state that many lead to, are written into the states. Shutdowns are in the tables.

## The whole

![The states and composite states of the credential region](overview-credential.svg)

![The states and composite states of the connection region](overview-connection.svg)

### The credential

![The credential region, with its events](credential.svg)

### The connection

![The connection region, with its events](connection.svg)
`)
	for _, c := range concerns {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n![%s](%s.svg)\n", c.Title, c.Doc, c.Title, c.Name)
	}
	return b.String()
}
