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
		whole := string(files[r.Name+".svg"])
		for _, c := range []string{"Renewing", "LoggingIn", "Halted", "Wanted", "Delayed"} {
			for _, known := range r.Composites {
				if known.Name == c && (!strings.Contains(picture, ">"+c) || !strings.Contains(whole, ">"+c+"<")) {
					t.Errorf("%s has no box for %s", r.Name, c)
				}
			}
		}
	}
}
