package requirements

import (
	"reflect"
	"strings"
	"testing"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/transitions"
)

// What docs/architecture.md says of a feature's place is so: what it names of the graph
// is declared, what it names of the facts is a field of a status, the entries of the
// journal are events, and the tests are there. And nothing that the credential region
// declares for the protocol is without a feature.
func TestEachFeatureHasItsPlace(t *testing.T) {
	region := credentialRegion(t)
	events, declaredThere := namesOf(region)
	named := map[string]bool{}
	features := 0
	for line := range strings.Lines(section(t, "../../docs/architecture.md", "## The protocol's place in the graph")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 5 || strings.HasPrefix(line, "| feature") {
			continue
		}
		features++
		feature := strings.TrimSpace(cells[0])
		for i, is := range []func(string) bool{
			func(name string) bool { return events[name] || declaredThere[name] },
			func(path string) bool { return isFact(reflect.TypeFor[status.Upstream](), strings.Split(path, ".")) },
			func(name string) bool { return events[name] },
			func(name string) bool { return declared(t, name) },
		} {
			cell := cells[i+1]
			names := reference.FindAllStringSubmatch(cell, -1)
			if len(names) == 0 {
				t.Errorf("%s: nothing is named in %q", feature, cell)
			}
			for _, name := range names {
				if named[name[1]] = true; !is(name[1]) {
					t.Errorf("%s: there is no %s", feature, name[1])
				}
			}
		}
	}
	for name := range declaredThere {
		if !named[name] {
			t.Errorf("the graph has %s, and no feature names it", name)
		}
	}
	if features < 15 {
		t.Errorf("only %d features were found", features)
	}
}

func credentialRegion(t *testing.T) fsm.GraphRegion {
	t.Helper()
	for _, r := range transitions.Definition().Graph().Regions {
		if r.Name == states.Credential {
			return r
		}
	}
	t.Fatal("there is no credential region")
	return fsm.GraphRegion{}
}

// namesOf returns the events of a region, and its states, effects and guards.
func namesOf(r fsm.GraphRegion) (events, others map[string]bool) {
	events, others = map[string]bool{}, map[string]bool{}
	for _, e := range r.Events {
		events[e.Name] = true
	}
	for _, s := range r.States {
		others[s.Name] = true
		if s.Job != "" {
			others[s.Job] = true
		}
	}
	for _, e := range r.Edges {
		for _, g := range e.Guards {
			others[g.Name] = true
		}
	}
	return events, others
}

// isFact reports whether a path of JSON names leads to something in a type.
func isFact(in reflect.Type, path []string) bool {
	for in.Kind() == reflect.Pointer || in.Kind() == reflect.Slice {
		in = in.Elem()
	}
	if len(path) == 0 {
		return true
	}
	if in.Kind() != reflect.Struct {
		return false
	}
	for i := range in.NumField() {
		if name, _, _ := strings.Cut(in.Field(i).Tag.Get("json"), ","); name == path[0] {
			return isFact(in.Field(i).Type, path[1:])
		}
	}
	return false
}

// section is the part of a document under a heading.
func section(t *testing.T, path, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, path), heading+"\n")
	if !found {
		t.Fatalf("%s has no %q", path, heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}
