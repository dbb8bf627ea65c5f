package requirements

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile(`^[a-z0-9/]+\.Test\w+$`)
	target   = regexp.MustCompile(`(?m)^([a-z0-9-]+):`)
)

// CONTRIBUTING.md's table names files, tests and make's targets that there are, and each
// row but those of whole packages a test that holds it.
func TestContributingNamesWhatThereIs(t *testing.T) {
	_, table, _ := strings.Cut(read(t, "../../CONTRIBUTING.md"), "<!-- to add something -->")
	table, _, closed := strings.Cut(table, "<!-- up to here -->")
	makefile, rows := read(t, "../../Makefile"), 0
	for line := range strings.Lines(strings.TrimSpace(table)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 4 {
			continue
		}
		if what := strings.TrimSpace(cells[0]); what != "to add" {
			rows++
			if !strings.Contains(cells[3], ".Test") || !strings.Contains(cells[1], "`") {
				t.Errorf("%s: no place to change, or no test that holds it", what)
			}
		}
		for _, m := range reference.FindAllStringSubmatch(line, -1) {
			command, isMake := strings.CutPrefix(m[1], "make ")
			switch {
			case isMake:
				if !targets(makefile)[command] {
					t.Errorf("make has no target %s", command)
				}
			case strings.HasPrefix(m[1], "go test "):
			case testName.MatchString(m[1]):
				if !declared(t, m[1]) {
					t.Errorf("there is no test %s", m[1])
				}
			default:
				if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if !closed || rows < 8 {
		t.Errorf("the table has %d rows", rows)
	}
}

func targets(makefile string) map[string]bool {
	all := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(makefile, -1) {
		all[m[1]] = true
	}
	return all
}
