// Package drawn holds the pictures of the declared graph as they were laid out when they
// were generated, and lights in them where an upstream is. It lays out nothing: a program
// that shows pictures needs no Graphviz.
package drawn

import (
	"bytes"
	"embed"
	"fmt"
	"html"
	"regexp"
	"strings"

	"mcpproxy/diagrams"
)

// pictures are written by diagrams/cmd/generate.
//
//go:embed svg/*.svg
var pictures embed.FS

// marks are the colours of what is lit.
//
//go:embed marks.css
var marks []byte

// Names of the pictures: both regions, or one.
const (
	Overview   = "overview"
	Connection = "connection"
	Credential = "credential"
)

// SVG returns a picture. With marks the present states are lit, and the ways that were
// taken; how often each was taken stands in the other formats.
func SVG(name string, m *diagrams.Marks) ([]byte, error) {
	svg, err := pictures.ReadFile("svg/" + name + ".svg")
	if err != nil {
		return nil, fmt.Errorf("there is no picture %q; there are %s, %s and %s: %w", name, Overview, Connection, Credential, err)
	}
	if m == nil {
		return svg, nil
	}
	lit := classes(m)
	svg = element.ReplaceAllFunc(svg, func(opening []byte) []byte {
		parts := element.FindSubmatch(opening)
		class := lit[html.UnescapeString(string(parts[1]))]
		if class == "" {
			return opening
		}
		return fmt.Appendf(nil, `<g id="%s" class="%s %s"`, parts[1], parts[2], class)
	})
	return bytes.Replace(svg, []byte("</style>"), append(bytes.Clone(marks), "</style>"...), 1), nil
}

// element opens a state or a way of a picture.
var element = regexp.MustCompile(`<g id="([^"]+)" class="((?:node|edge)[^"]*)"`)

// classes are those that marks add, by the id of an element.
func classes(m *diagrams.Marks) map[string]string {
	all := map[string][]string{}
	for region, state := range m.Now {
		id := diagrams.StateID(region, state)
		all[id] = append(all[id], "now")
	}
	for _, t := range m.Taken {
		id := diagrams.WayID(t.Region, t.From, t.To)
		if all[id] == nil {
			all[id] = append(all[id], "taken")
		}
	}
	for _, id := range m.Path {
		all[id] = append(all[id], "path")
	}
	joined := map[string]string{}
	for id, names := range all {
		joined[id] = strings.Join(names, " ")
	}
	return joined
}
