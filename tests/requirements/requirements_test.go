package requirements

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mcpproxy/verify"
)

var (
	row       = regexp.MustCompile(`(?m)^\| ([A-Z]+-[A-Z0-9-]+) \| ([^|]*) \| ([^|]+) \| ([^|]*) \|$`)
	reference = regexp.MustCompile("`([^`]+)`")
	reason    = regexp.MustCompile(`^\*(not done|does not apply|answered otherwise)\*: \S`)
)

// Every requirement has one row with its level, and each row names tests that there
// are, scenarios that pass and promises that are searched, or says why there is none.
func TestEachRequirementIsShown(t *testing.T) {
	levels := map[string]string{}
	for line := range strings.Lines(read(t, "ids.txt")) {
		if id, level, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			levels[id] = level
		}
	}
	table := read(t, "../../docs/requirements.md")
	passed := read(t, "../../docs/conformance.md")
	seen := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		id, level, shown := m[1], m[2], m[4]
		if seen[id] || levels[id] != level {
			t.Errorf("%s is there twice, or is none of the list, or has the level %q and not %q", id, level, levels[id])
		}
		seen[id] = true
		references := reference.FindAllStringSubmatch(shown, -1)
		if len(references) == 0 && !reason.MatchString(shown) {
			t.Errorf("%s names neither a test nor a reason: %q", id, shown)
		}
		for _, r := range references {
			if scenario, ok := strings.CutPrefix(r[1], "suite:"); ok {
				if !strings.Contains(passed, "| "+scenario+" | passed |") {
					t.Errorf("%s: the scenario %s passes nowhere", id, scenario)
				}
			} else if promise, ok := strings.CutPrefix(r[1], "promise:"); ok {
				if !slices.ContainsFunc(verify.Invariants(), func(i verify.Invariant) bool { return i.Name == promise }) {
					t.Errorf("%s: nothing is promised that is called %q", id, promise)
				}
			} else if !declared(t, r[1]) {
				t.Errorf("%s: there is no test %s", id, r[1])
			}
		}
	}
	for id := range levels {
		if !seen[id] {
			t.Errorf("%s has no row", id)
		}
	}
	if rows := strings.Count(table, "\n| ") - strings.Count(table, "\n| id |"); rows != len(seen) || len(seen) == 0 {
		t.Errorf("%d of %d rows are well formed", len(seen), rows)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// declared reports whether package.Function is a test of the tree.
func declared(t *testing.T, name string) bool {
	directory, function, _ := strings.Cut(name, ".")
	files, err := filepath.Glob(filepath.Join("../..", directory, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == function {
				return true
			}
		}
	}
	return false
}
