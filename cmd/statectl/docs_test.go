package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcpproxy/tests/golden"
	"mcpproxy/tests/output"

	"github.com/google/go-cmp/cmp"
)

// session is a block of the document: commands with what they print. After the line
// "<!-- the proxy ends -->" none runs.
var session = regexp.MustCompile("(?s)<!-- the proxy ends -->|```console\n(.*?)```")

// docDirectory is how the document names the store's directory.
const docDirectory = "~/.local/share/mcpproxy"

// varies is what no two runs have in common.
var varies = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?`), "TIME"},
	{regexp.MustCompile(`\d\d:\d\d:\d\d(\.\d+)?`), "CLOCK"},
	{regexp.MustCompile(`(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{8}\b`), "ID"},
	{regexp.MustCompile(`\b\d+(\.\d+)? (ms|s|min|h|d)( \d+ (s|min|h))?\b|\b(\d+[hms])+\b|\b\d+\.\d+ %`), "SPAN"},
	{regexp.MustCompile(`"(in_state_ms|[a-z]+_ms|share)": ?[0-9.]+`), "SPAN"},
	// An attempt that a 401 has ended already may or may not come to tell of it.
	{regexp.MustCompile(`, Unauthorized \d× \(stale\)`), ""},
	{regexp.MustCompile(`\b\d+ entries\b`), "N entries"},
	{regexp.MustCompile(`\n {14,}`), " "}, // a line that goes on
	{regexp.MustCompile(` {2,}`), "  "},
}

func constant(text string) string {
	for _, v := range varies {
		text = v.what.ReplaceAllString(text, v.as)
	}
	return text
}

// The document's examples are what the commands print, but for times and ids.
func TestTheDocumentShowsWhatIsPrinted(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "statectl.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.awaitPhase("LoginRequired")
	shown := 0
	again := session.ReplaceAllStringFunc(string(text), func(block string) string {
		if !strings.HasPrefix(block, "```") {
			w.picture()
			w.stop()
			return block
		}
		shown++
		return w.session(block)
	})
	if shown < 7 {
		t.Errorf("the document has only %d sessions", shown)
	}
	if golden.Updating() {
		if err := os.WriteFile(path, []byte(again), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(constant(string(text)), constant(again)); diff != "" {
		t.Errorf("%s shows what is no longer printed; run: go test ./cmd/statectl -update\n%s", path, diff)
	}
}

// picture draws the picture of the document, where that is wanted.
func (w *world) picture() {
	w.Helper()
	if !golden.Updating() {
		return
	}
	code, picture, errs := w.run("graph", "github", "--region", "credential", "--format", "svg")
	if code != 0 {
		w.Fatal(errs)
	}
	if err := os.WriteFile(filepath.Join("..", "..", "docs", "images", "graph-live.svg"), []byte(picture), 0o644); err != nil {
		w.Fatal(err)
	}
}

// session runs the commands of a block, and returns the block with what they print.
func (w *world) session(block string) string {
	w.Helper()
	var b strings.Builder
	b.WriteString("```console\n")
	for line := range strings.Lines(block) {
		command, is := strings.CutPrefix(strings.TrimSpace(line), "$ statectl ")
		if !is {
			continue
		}
		args := strings.Fields(command)
		if command == "wait github --for Connected" && w.instance != nil && len(w.pages) > 0 {
			w.visit()
		}
		if w.instance != nil {
			w.written()
		}
		if args[0] == "watch" && w.instance != nil {
			fmt.Fprintf(&b, "$ statectl %s\n%s", command, w.asInDocument(w.watched(args...)))
			continue
		}
		code, out, errs := w.piped(command)
		if command == "fire github login" && code == 0 {
			w.shown()
		}
		fmt.Fprintf(&b, "$ statectl %s\n%s%s", command, w.asInDocument(errs), w.asInDocument(out))
		if code != 0 {
			fmt.Fprintf(&b, "$ echo $?\n%d\n", code)
		}
	}
	b.WriteString("```")
	return b.String()
}

// piped runs a command of the document, or two of which the second reads what the
// first prints.
func (w *world) piped(command string) (code int, out, errs string) {
	w.Helper()
	first, second, two := strings.Cut(command, " | statectl ")
	code, out, errs = w.run(strings.Fields(first)...)
	if !two || code != 0 {
		return code, out, errs
	}
	return w.runFor(w.Context(), strings.NewReader(out), strings.Fields(second)...)
}

// watched is what a watcher sees of someone who disconnects and connects the upstream,
// and of a proxy that is started again.
func (w *world) watched(args ...string) string {
	w.Helper()
	ctx, stop := context.WithCancel(w.Context())
	defer stop()
	var seen output.Buffer
	before := w.followers.Load()
	ended := make(chan error, 1)
	go func() { ended <- w.execute(ctx, nil, &seen, &seen, args...) }()
	see := func(times int, what string) {
		w.Helper()
		w.eventually(what, func() bool { return strings.Count(seen.String(), what) == times })
	}
	w.eventually("that the watcher follows", func() bool { return w.followers.Load() > before })
	w.run("fire", "github", "retry")
	w.run("fire", "github", "disconnect")
	see(1, "-> Disconnected")
	w.run("fire", "github", "connect")
	see(1, "-> Connected")
	w.written()
	w.stop()
	see(1, "went away")
	w.start()
	see(1, "is back")
	see(2, "-> Connected")
	stop()
	if err := <-ended; err != nil {
		w.Error(err)
	}
	return seen.String()
}

// asInDocument replaces what is this run's alone.
func (w *world) asInDocument(text string) string {
	text = strings.ReplaceAll(text, w.dir, docDirectory)
	text = strings.ReplaceAll(text, strings.TrimSuffix(w.server.MCPURL(), "/mcp"), "https://mcp.example.com")
	return text
}

// Each command of the program has its place in the document, and its exit codes do.
func TestTheDocumentHasEveryCommand(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "statectl.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range root().Commands() {
		if c.IsAvailableCommand() && c.Name() != "completion" && !strings.Contains(string(text), "\n## "+c.Name()+"\n") {
			t.Errorf("%s has no chapter", c.Name())
		}
	}
	for _, code := range []int{0, exitError, exitUsage, exitNotInState, exitNeedsPerson, exitNoProxy, exitIllegal, exitCounterexample} {
		if !strings.Contains(string(text), fmt.Sprintf("\n| %d |", code)) {
			t.Errorf("the exit code %d is not in the table", code)
		}
	}
}

// What the document has for scripts is not run, but each command in it is one, with
// flags that there are.
func TestTheDocumentsScriptsNameCommandsThatExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "statectl.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for _, line := range regexp.MustCompile(`(?m)^statectl ([^|>\n]*)`).FindAllStringSubmatch(block[1], -1) {
			found++
			c, args, err := root().Find(strings.Fields(line[1]))
			if err == nil {
				err = c.ParseFlags(args)
			}
			if err != nil || !c.HasParent() {
				t.Errorf("statectl %s: %v", line[1], err)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d commands were looked at", found)
	}
}
