// Package layout lays DOT out as SVG, with Graphviz compiled into the program.
package layout

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"

	"github.com/goccy/go-graphviz"
)

// theme has the colours of the pictures in the dark; it also serves where they are
// shown as images.
//
//go:embed theme.css
var theme []byte

// opening is Graphviz's prologue with the root element: it names a DTD that nobody
// needs, and sizes in points.
var opening = regexp.MustCompile(`(?s)^.*?<svg width="(\d+)pt" height="(\d+)pt"`)

// SVG lays a graph out as a picture with a theme. The same DOT gives the same bytes.
func SVG(ctx context.Context, dot string) ([]byte, error) {
	svg, err := Bare(ctx, dot)
	if err != nil {
		return nil, err
	}
	svg = labelsLast(svg)
	end := bytes.IndexByte(svg, '>') + 1
	return bytes.Join([][]byte{svg[:end], []byte("\n<style>\n"), theme, []byte("</style>"), svg[end:]}, nil), nil
}

// A line of a picture, with the texts beside it; and one text.
var (
	line = regexp.MustCompile(`(?s)<g id="[^"]+" class="edge[^"]*">.*?</g>`)
	text = regexp.MustCompile(`<text [^>]*>[^<]*</text>\n`)
)

// labelsLast has the texts beside lines drawn over all lines, so that none is struck
// through by one that was drawn later.
func labelsLast(svg []byte) []byte {
	labels := []byte("<g class=\"labels\">\n")
	svg = line.ReplaceAllFunc(svg, func(one []byte) []byte {
		for _, label := range text.FindAll(one, -1) {
			labels = append(labels, label...)
		}
		return text.ReplaceAll(one, nil)
	})
	end := bytes.LastIndex(svg, []byte("</g>"))
	return bytes.Join([][]byte{svg[:end], labels, []byte("</g>\n"), svg[end:]}, nil)
}

// Bare lays a graph out without a theme, for a page that has its own.
func Bare(ctx context.Context, dot string) (svg []byte, err error) {
	g, err := graphviz.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("starting Graphviz: %w", err)
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	graph, err := graphviz.ParseBytes([]byte(dot))
	if err != nil {
		return nil, fmt.Errorf("reading the DOT: %w", err)
	}
	defer func() { err = errors.Join(err, graph.Close()) }()
	var out bytes.Buffer
	if err := g.Render(ctx, graph, graphviz.SVG, &out); err != nil {
		return nil, fmt.Errorf("laying the graph out: %w", err)
	}
	return opening.ReplaceAll(out.Bytes(), []byte(`<svg width="$1" height="$2"`)), nil
}
