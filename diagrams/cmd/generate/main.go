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

	"mcpproxy/diagrams"
	"mcpproxy/diagrams/layout"
	"mcpproxy/transitions"
)

func main() {
	directory := flag.String("o", "docs/diagrams", "directory to write to")
	check := flag.Bool("check", false, "write nothing; fail if a file differs from the graph")
	flag.Parse()
	if err := run(context.Background(), *directory, *check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, directory string, check bool) error {
	files, err := Files(ctx)
	if err != nil {
		return err
	}
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
	return errors.Join(problems...)
}

// Files are the diagrams, by name.
func Files(ctx context.Context) (map[string][]byte, error) {
	graph := transitions.Definition().Graph()
	files := map[string][]byte{"transitions.md": []byte(diagrams.Markdown(graph))}
	for _, r := range graph.Regions {
		dot := diagrams.DOT(r)
		svg, err := layout.SVG(ctx, dot)
		if err != nil {
			return nil, err
		}
		files[r.Name+".dot"], files[r.Name+".mmd"], files[r.Name+".svg"] = []byte(dot), []byte(diagrams.Mermaid(r)), svg
	}
	return files, nil
}
