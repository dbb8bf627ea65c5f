package child_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcpproxy/upstream/child"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A child gets what the SDKs' clients give one, what its entry names, and of the rest
// only what is asked for; nothing of this program's own (fault I8).
func TestEnvironment(t *testing.T) {
	from := []string{"PATH=/bin", "HOME=/home/u", "GITHUB_TOKEN=secret", "NODE_OPTIONS=-x", "NODE_PATH=/n", "MCPPROXY_KEY_FILE=/k",
		"SHELL=() { :; }", "ODD", "=C:=x", "EMPTY="}
	for _, test := range []struct {
		name    string
		inherit []string
		entry   map[string]string
		want    []string
	}{
		{"nothing is said", nil, nil, []string{"HOME=/home/u", "PATH=/bin"}},
		{"the entry's own", nil, map[string]string{"A": "1=2", "PATH": "/own"}, []string{"A=1=2", "HOME=/home/u", "PATH=/own"}},
		{"a name", []string{"GITHUB_TOKEN"}, nil, []string{"GITHUB_TOKEN=secret", "HOME=/home/u", "PATH=/bin"}},
		{"a prefix", []string{"NODE_*"}, nil, []string{"HOME=/home/u", "NODE_OPTIONS=-x", "NODE_PATH=/n", "PATH=/bin"}},
		{"all", []string{"*"}, map[string]string{"EMPTY": "no"},
			[]string{"EMPTY=no", "GITHUB_TOKEN=secret", "HOME=/home/u", "NODE_OPTIONS=-x", "NODE_PATH=/n", "PATH=/bin"}},
		{"one of this program's, by its name", []string{"MCPPROXY_KEY_FILE"}, nil, []string{"HOME=/home/u", "MCPPROXY_KEY_FILE=/k", "PATH=/bin"}},
		{"another case is another name", []string{"github_token"}, nil, []string{"HOME=/home/u", "PATH=/bin"}},
	} {
		if got := child.Environment(from, test.inherit, test.entry); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// A command that cannot be run is said to be so with what to do, and is not tried again
// and again (fault I7).
func TestACommandThatCannotBeRun(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("plain", "no program", 0o600)
	write("text", "no program", 0o700)
	write("script", "#!/no/such/interpreter\n", 0o700)
	write("good", "#!/bin/sh\nexit 0\n", 0o700)
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ command, directory, path, want string }{
		{"good", "", dir, ""},
		{"good", dir, dir, ""},
		{"./good", dir, "", ""},
		{filepath.Join(dir, "good"), "", "", ""},
		{"npx", "", "/nowhere:" + dir, `command not found in PATH: "npx"; install it`},
		{"npx", "", "", "PATH is not set for it"},
		{"sub", "", dir, "command not found in PATH"},
		{"good", "", "relative:.", "command not found in PATH"},
		{"npx -y server", "", dir, `belongs in "args"`},
		{filepath.Join(dir, "good", "none"), "", "", "there is no"},
		{"plain", "", dir, "chmod +x"},
		{filepath.Join(dir, "sub"), "", "", "is a directory"},
		{filepath.Join(dir, "none"), "", "", "there is no"},
		{"./none", dir, "", "there is no"},
		{"script", "", dir, "its first line names it"},
		{"text", "", dir, "is no program for this system"},
		{"good", filepath.Join(dir, "none"), dir, `"cwd" is`},
		{"good", filepath.Join(dir, "good"), dir, `"cwd" is`},
	} {
		found, err := child.Find(test.command, []string{"PATH=" + test.path})
		if err == nil {
			command := exec.Command(found)
			command.Dir = test.directory
			err = command.Run()
		}
		if err != nil {
			err = child.Explain(cmp.Or(found, test.command), test.directory, err)
		}
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%+v: %v", test, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !errors.Is(err, child.ErrUnusable)):
			t.Errorf("%+v: %v", test, err)
		}
	}
	// A program whose loader is missing is refused as a script without its interpreter is.
	if err := child.Explain(filepath.Join(dir, "text"), "", fs.ErrNotExist); !strings.Contains(err.Error(), "built for another one") {
		t.Errorf("a program without its loader: %v", err)
	}
	if err := child.Explain("good", "", errors.New("resource temporarily unavailable")); errors.Is(err, child.ErrUnusable) {
		t.Errorf("%v is taken for an end", err)
	}
}

// What children said is kept in bounded room, the newest of it; who waits is given what
// he has not seen, and holds nobody up.
func TestWords(t *testing.T) {
	var words child.Words
	words.Add(child.Started, "as process 1")
	if got := words.Final(); got != "" {
		t.Errorf("a child that said nothing said %q", got)
	}
	words.Add(child.Stdout, "noise")
	words.Add(child.Stderr, "the reason")
	words.Add(child.Stderr, "")
	words.Add(child.Ended, "exit status 1")
	if got := words.Final(); got != "the reason" {
		t.Errorf("it said last %q", got)
	}
	seen, err := words.Wait(t.Context(), 3)
	if err != nil || len(seen) != 2 || seen[1].Stream != child.Ended {
		t.Errorf("after the third line there are %+v, %v", seen, err)
	}
	words.Add(child.Started, "as process 2")
	if got := words.Final(); got != "" {
		t.Errorf("the second child said %q", got)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if _, err := words.Wait(ended, 6); !errors.Is(err, context.Canceled) {
		t.Errorf("who was called off waited for %v", err)
	}
	for i := range 3000 {
		words.Add(child.Stderr, fmt.Sprintf("%d %s", i, strings.Repeat("x", i)))
	}
	kept, size := words.After(0), 0
	for _, line := range kept {
		size += len(line.Text)
	}
	if last := kept[len(kept)-1]; size > 256<<10 || len(kept) > 1000 || last.Number != 3006 || !strings.HasPrefix(last.Text, "2999 ") {
		t.Errorf("%d lines of %d bytes, the last is number %d", len(kept), size, last.Number)
	}
	words.Close()
	if _, err := words.Wait(t.Context(), 3006); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}
