package layering

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// elsewhere are the packages with goroutines and without tests of their own, with those
// whose tests search for them.
var elsewhere = map[string]string{
	"tests/conformance/client": "tests/conformance, where it is a process",
	"tests/oauthserver":        "every package that starts the test server",
}

// Each package that starts goroutines, in its tests too, ends its tests with a search
// for those that are left; one without tests of its own is run by others that do.
func TestGoroutinesThatAreLeftAreSearchedFor(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Dir}}", "mcpproxy/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(out)) {
		name, directory, _ := strings.Cut(strings.TrimSpace(line), " ")
		name = strings.TrimPrefix(name, "mcpproxy/")
		files, err := filepath.Glob(filepath.Join(directory, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		starts, tests, searches := false, false, false
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			test := strings.HasSuffix(file, "_test.go")
			tests = tests || test
			ast.Inspect(parsed, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					starts = true
				case *ast.SelectorExpr:
					of, _ := n.X.(*ast.Ident)
					starts = starts || n.Sel.Name == "Go"
					searches = searches || test && of != nil && of.Name == "goleak"
				}
				return true
			})
		}
		if starts && searches {
			found++
		}
		if _, known := elsewhere[name]; known {
			if !starts || tests {
				t.Errorf("%s is searched itself, or has no goroutines", name)
			}
		} else if starts && !searches {
			t.Errorf("%s starts goroutines, and no test of it searches for those that are left (goleak)", name)
		}
	}
	if found < 20 {
		t.Errorf("only %d packages start goroutines, so that the search looks for the wrong thing", found)
	}
}
