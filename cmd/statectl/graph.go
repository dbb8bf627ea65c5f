package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mcpproxy/diagrams"
	"mcpproxy/diagrams/drawn"
	"mcpproxy/fsm"
	"mcpproxy/spelling"
	"mcpproxy/terminal"
	"mcpproxy/transitions"

	"github.com/spf13/cobra"
)

// graphJSON is what graph --json prints.
type graphJSON struct {
	Graph fsm.Graph `json:"graph"`
	// Marks are those of the upstream; nil for the graph alone.
	Marks *diagrams.Marks `json:"marks,omitempty"`
}

type graphOptions struct {
	*options
	region, format string
	live           bool
}

var (
	regions = []string{"both", "connection", "credential"}
	formats = []string{"dot", "mermaid", "svg", "markdown", "xstate", "scxml"}
)

func graphCommand(o *options) *cobra.Command {
	g := &graphOptions{options: o}
	c := &cobra.Command{Use: "graph [UPSTREAM]", Short: "Print the declared graph, or where an upstream is in it and how it came there",
		Args: usage(cobra.MaximumNArgs(1)), ValidArgsFunction: o.completeUpstream,
		Long: `Prints the graph that every upstream runs on, as DOT, Mermaid, SVG or a table in
Markdown, or as the configuration of an XState machine or an SCXML document, which
other tools open. With an upstream it marks the present states and the last moves, and
writes how often the journal has each way beside it (not in SVG, which is laid out
beforehand, nor for other tools). --live does so for the one upstream that there is.`,
		Example: `  statectl graph --region credential --format mermaid
  statectl graph github --format svg > github.svg
  statectl graph --live | dot -Tpng > now.png
  statectl graph github --json | jq .marks.now`,
		RunE: func(c *cobra.Command, args []string) error { return g.run(c, args) }}
	c.Flags().StringVar(&g.region, "region", "both", "connection, credential or both")
	c.Flags().StringVar(&g.format, "format", "dot", "dot, mermaid, svg, markdown, xstate or scxml")
	c.Flags().BoolVar(&g.live, "live", false, "mark where the upstream is, and the ways that it took")
	_ = c.RegisterFlagCompletionFunc("region", choices(regions...)) // the flags are there
	_ = c.RegisterFlagCompletionFunc("format", choices(formats...))
	return c
}

func (g *graphOptions) run(c *cobra.Command, args []string) error {
	if !slices.Contains(formats, g.format) {
		return fmt.Errorf("%w: --format %q%s; it is one of: %s", errUsage, g.format, spelling.Meant(g.format, formats),
			strings.Join(formats, ", "))
	}
	graph, err := g.graph()
	if err != nil {
		return err
	}
	marks, err := g.marks(c, args)
	if err != nil {
		return err
	}
	if g.json {
		return terminal.JSON(c.OutOrStdout(), graphJSON{graph, marks})
	}
	switch g.format {
	case "svg":
		return g.svg(c, graph, marks)
	case "xstate":
		text, err := diagrams.XState(graph)
		if err != nil {
			return err
		}
		_, err = c.OutOrStdout().Write(text)
		return err
	}
	_, err = io.WriteString(c.OutOrStdout(), g.text(graph, marks))
	return err
}

// graph is the declared graph, or one region of it.
func (g *graphOptions) graph() (fsm.Graph, error) {
	graph := transitions.Definition().Graph()
	if g.region == "both" {
		return graph, nil
	}
	for _, r := range graph.Regions {
		if r.Name == g.region {
			return fsm.Graph{Name: r.Name, Regions: []fsm.GraphRegion{r}}, nil
		}
	}
	return graph, fmt.Errorf("%w: --region %q%s; it is one of: %s", errUsage, g.region, spelling.Meant(g.region, regions),
		strings.Join(regions, ", "))
}

// marks are those of the upstream that is named or, with --live, of the only one.
func (g *graphOptions) marks(c *cobra.Command, args []string) (*diagrams.Marks, error) {
	switch {
	case len(args) == 0 && !g.live:
		return nil, nil
	case len(args) == 0:
		names, err := g.names(c.Context())
		if err != nil {
			return nil, err
		}
		if len(names) != 1 {
			return nil, fmt.Errorf("%w: --live needs an upstream's name; there are: %s", errUsage, strings.Join(names, ", "))
		}
		args = names
	}
	p, err := g.past(c.Context(), args[0])
	if err != nil {
		return nil, err
	}
	g.stopped(c, p)
	var now map[string]string
	if p.now != nil {
		now = map[string]string{}
		for _, r := range p.now.Regions {
			now[r.Region] = r.State
		}
	}
	marks := diagrams.MarksOf(p.entries, now)
	return &marks, nil
}

func (g *graphOptions) svg(c *cobra.Command, graph fsm.Graph, marks *diagrams.Marks) error {
	name := drawn.Overview
	if len(graph.Regions) == 1 {
		name = graph.Regions[0].Name
	}
	picture, err := drawn.SVG(name, marks)
	if err != nil {
		return err
	}
	_, err = c.OutOrStdout().Write(picture)
	return err
}

func (g *graphOptions) text(graph fsm.Graph, marks *diagrams.Marks) string {
	switch {
	case g.format == "markdown":
		return diagrams.Markdown(graph)
	case g.format == "scxml":
		return diagrams.SCXML(graph)
	case g.format == "dot":
		return dot(graph, marks)
	case marks != nil:
		return diagrams.MermaidMarked(graph, *marks)
	case len(graph.Regions) == 1:
		return diagrams.Mermaid(graph.Regions[0])
	}
	return diagrams.MermaidOverview(graph)
}

func dot(graph fsm.Graph, marks *diagrams.Marks) string {
	switch {
	case marks != nil:
		return diagrams.DOTMarked(graph, *marks)
	case len(graph.Regions) == 1:
		return diagrams.DOT(graph.Regions[0])
	}
	return diagrams.DOTOverview(graph)
}
