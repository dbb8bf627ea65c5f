package security

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The programs write to terminals through package terminal alone, so that nothing that
// a server has said comes there in another way (fault J10).
func TestProgramsPrintThroughOnePlace(t *testing.T) {
	files := 0
	for _, directory := range []string{"../../cmd/mcpproxy", "../../cmd/statectl"} {
		names, err := filepath.Glob(directory + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			files++
			printsDirectly(t, name)
		}
	}
	if files < 20 {
		t.Errorf("%d files were read only", files)
	}
}

// direct are calls that would write what they are given as it is.
var direct = []string{"fmt.Fprint", "fmt.Print", "json.NewEncoder", "io.WriteString", "io.Copy", "bufio.NewWriter"}

// excused are files that write what no server has said: a picture, and cells that are
// cleaned one by one.
var excused = map[string]string{"graph.go": "io.WriteString", "paper.go": "io.WriteString"}

func printsDirectly(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	places := token.NewFileSet()
	file, err := parser.ParseFile(places, name, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		if local, ok := call.Args[0].(*ast.UnaryExpr); ok && local.Op == token.AND {
			return true // into a variable
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		where, _ := selector.X.(*ast.Ident)
		for _, way := range direct {
			if where != nil && strings.HasPrefix(where.Name+"."+selector.Sel.Name, way) && excused[filepath.Base(name)] != way {
				t.Errorf("%s writes with %s; use package terminal", places.Position(call.Pos()), way)
			}
		}
		return true
	})
}
