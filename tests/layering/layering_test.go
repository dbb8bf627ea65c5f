// Package layering holds the imports to the plan of docs/architecture.md: they go
// downwards only, and what tests need does not reach what users import.
package layering

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors are the rooms from the bottom up. A room imports from floors below its
// own, and from its own floor nothing.
var floors = [][]string{
	{"credential", "jsonrpc", "fsm", "spelling", "terminal", "loopback", "userfile", "diagrams/layout", "upstream/browser", "upstream/turns", "upstream/child"},
	{"relay", "states", "store", "feed", "diagrams", "upstream/callback", "upstream/oauth"},
	{"transitions", "admin/api", "diagrams/drawn", "upstream/wire", "proxy", "telemetry"},
	{"verify", "status", "journal", "metrics", "admin/client"},
	{"upstream", "explain"},
	{"config", "instance"},
	{"admin", "ui"},
	{"cmd/mcpproxy", "cmd/statectl", "diagrams/cmd/generate", "examples/embed", "examples/fsm"},
}

// forTests are modules that only tests, and programs made for them, may use.
var forTests = []string{"pgregory.net/rapid", "go.uber.org/goleak", "github.com/google/go-cmp", "github.com/chromedp",
	"github.com/mark3labs/mcp-go/server", "github.com/pb33f", "mcpproxy/tests"}

// excused may use some of them: the demo runs the test servers inside the program.
var excused = map[string]string{"cmd/mcpproxy": "mcpproxy/tests/oauthserver"}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) map[string]goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "mcpproxy/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]goPackage{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p goPackage
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(p.ImportPath, "mcpproxy/")] = p
	}
	return all
}

func floorOf(room string) int {
	return slices.IndexFunc(floors, func(rooms []string) bool { return slices.Contains(rooms, room) })
}

func TestImportsGoDownwards(t *testing.T) {
	for room, p := range packages(t) {
		if strings.HasPrefix(room, "tests/") {
			continue
		}
		floor := floorOf(room)
		if floor < 0 {
			t.Errorf("%s has no place in the plan; give it one here and in docs/architecture.md", room)
			continue
		}
		for _, imported := range p.Imports {
			below, ours := strings.CutPrefix(imported, "mcpproxy/")
			if !ours || strings.HasPrefix(below, "tests/") {
				continue
			}
			if floorOf(below) >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d)", room, floor, below, floorOf(below))
			}
		}
	}
}

// docs/architecture.md shows the same plan.
func TestTheDocumentHasThePlan(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	shown, floor := map[string]int{}, -1
	for _, row := range planRow.FindAllStringSubmatch(string(text), -1) {
		if row[1] != "" {
			floor, _ = strconv.Atoi(row[1]) // it is a digit
		}
		for _, room := range strings.Split(row[2], ", ") {
			shown[strings.Trim(room, "`")] = floor
		}
	}
	for floor, rooms := range floors {
		for _, room := range rooms {
			if at, there := shown[room]; !there || at != floor {
				t.Errorf("%s is on floor %d, and the document has it on %d (%v)", room, floor, at, there)
			}
			delete(shown, room)
		}
	}
	for room := range shown {
		t.Errorf("the document has %s, which is not in the plan", room)
	}
}

// planRow is a row of the document's plan: a floor, or nothing for the one above, and rooms.
var planRow = regexp.MustCompile("(?m)^\\| ([0-9]?) +\\| (`[^|]+`) \\|")

// fault J1: no product lays pictures out, as Graphviz compiled in keeps its code in a folder
// that all users of a machine share.
func TestNoProductLinksGraphviz(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "mcpproxy/cmd/mcpproxy", "mcpproxy/cmd/statectl").Output()
	if err != nil {
		t.Fatal(err)
	}
	for imported := range strings.FieldsSeq(string(out)) {
		if strings.Contains(imported, "graphviz") || strings.Contains(imported, "wazero") {
			t.Errorf("a product links %s", imported)
		}
	}
}

// statectl looks at a proxy and links none: it is small, and starts at once.
func TestStatectlLinksNoProxy(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "mcpproxy/cmd/statectl").Output()
	if err != nil {
		t.Fatal(err)
	}
	for imported := range strings.FieldsSeq(string(out)) {
		room, _ := strings.CutPrefix(imported, "mcpproxy/")
		proxys := []string{"admin", "instance", "proxy", "upstream", "upstream/wire", "upstream/oauth", "metrics", "telemetry", "config", "ui"}
		if slices.Contains(proxys, room) ||
			strings.HasPrefix(imported, "google.golang.org/") || strings.HasPrefix(imported, "go.opentelemetry.io/") {
			t.Errorf("statectl links %s", imported)
		}
	}
}

// Fault J1's other half: statectl as it is built is under 15 MB.
func TestStatectlIsSmall(t *testing.T) {
	program := filepath.Join(t.TempDir(), "statectl")
	if out, err := exec.Command("go", "build", "-o", program, "mcpproxy/cmd/statectl").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if info, err := os.Stat(program); err != nil || info.Size() > 15_000_000 {
		t.Errorf("statectl has %d bytes, %v", info.Size(), err)
	}
}

func TestUsersDoNotImportWhatTestsNeed(t *testing.T) {
	for room, p := range packages(t) {
		if strings.HasPrefix(room, "tests/") {
			continue
		}
		for _, imported := range p.Imports {
			for _, module := range forTests {
				if strings.HasPrefix(imported, module) && excused[room] != imported {
					t.Errorf("%s imports %s", room, imported)
				}
			}
		}
	}
}
