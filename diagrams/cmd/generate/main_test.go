package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mcpproxy/transitions"
)

func TestDiagramsAreThoseOfTheGraph(t *testing.T) {
	if err := run(t.Context(), "../../..", true); err != nil {
		t.Error(err)
	}
}

// pageWidth is that of a README's pictures, and smallest what can be read there, in pixels.
const (
	pageWidth = 838
	smallest  = 11
)

var (
	width = regexp.MustCompile(`viewBox="[\d.-]+ [\d.-]+ ([\d.]+) `)
	size  = regexp.MustCompile(`font-size="([\d.]+)"`)
)

// An overview can be read where it is shown, and has every state, and every composite state
// that groups some.
func TestOverviewsCanBeRead(t *testing.T) {
	files, err := Files(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range transitions.Definition().Graph().Regions {
		picture := string(files["overview-"+r.Name+".svg"])
		wide, err := strconv.ParseFloat(width.FindStringSubmatch(picture)[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		scale := min(1, pageWidth/wide)
		for _, found := range size.FindAllStringSubmatch(picture, -1) {
			if points, err := strconv.ParseFloat(found[1], 64); err != nil || points*scale < smallest {
				t.Errorf("%s has a text of %g px, %v", r.Name, points*scale, err)
			}
		}
		for _, s := range r.States {
			if s.Kind != "final" && !strings.Contains(picture, ">"+s.Name) {
				t.Errorf("%s does not show %s", r.Name, s.Name)
			}
		}
		for _, c := range r.Composites {
			if folded := c.Name == "RefreshDelayed"; c.Within != "" && !folded && !strings.Contains(picture, ">"+c.Name) {
				t.Errorf("%s has no box for %s", r.Name, c.Name)
			}
		}
	}
}

// The picture of a region has each composite state that groups some of its states, and each
// row that does not lead to its end.
func TestPicturesHaveEachRow(t *testing.T) {
	files, err := Files(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range transitions.Definition().Graph().Regions {
		for _, picture := range []string{string(files[r.Name+".svg"]), string(files[r.Name+".mmd"])} {
			for _, c := range r.Composites {
				if c.Within != "" && !strings.Contains(picture, c.Name) { // that of all states needs no box
					t.Errorf("%s has no box for %s", r.Name, c.Name)
				}
			}
			for _, e := range r.Edges {
				if !e.Internal && e.To != "Closed" && !strings.Contains(picture, e.Event) {
					t.Errorf("%s does not have (%s, %s)", r.Name, e.From, e.Event)
				}
			}
		}
	}
}
