package config_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/config"
	"mcpproxy/upstream"
)

// problemsOf are the problems of each upstream of a document, "" where it can be used.
func problemsOf(t *testing.T, text string) map[string]string {
	t.Helper()
	file, err := config.Load(write(t, text), environment)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, c := range file.Upstreams {
		all[c.Name] = c.Problem
	}
	return all
}

// An entry that cannot be used says why, and keeps no other from it (fault I1).
func TestAnEntryThatCannotBeUsedKeepsNoOtherFromIt(t *testing.T) {
	for _, bad := range []struct{ name, entry, says string }{
		{"unset", `{"url": "https://a", "headers": {"Authorization": "Bearer ${NOT_SET}"}}`, "NOT_SET is not set"},
		{"unset-in-args", `{"command": "a", "args": ["--key", "${NOT_SET}"]}`, "args[1]: the environment variable NOT_SET is not set"},
		{"unset-scope", `{"url": "https://a", "oauth": {"scopes": ["${NOT_SET}"]}}`, "oauth.scopes[0]: the environment variable NOT_SET is not set"},
		{"value", `{"url": "https://a", "oauth": {"loginTimeout": "soon"}}`, `"soon" is not a duration`},
		{"key", `{"url": "https://a", "headres": {}}`, `unknown field "headres"`},
		{"kind", `["npx"]`, "has a list where an object has to be"},
		{"nothing", `null`, "has null where an object has to be"},
		{"no_key", `{"url": "https://a", "oauth": {"privateKeyFile": "/nowhere"}}`, "open /nowhere"},
		{"a name", `{"url": "https://a"}`, "a name has up to 64"},
		{"empty", `{"command": "${EMPTY}"}`, "is empty once its variables are replaced"},
		{"mixed", `{"url": "https://a", "type": "stdio"}`, `"stdio" does not go with a url`},
	} {
		all := problemsOf(t, fmt.Sprintf(`{"mcpServers": {"good": {"url": "https://good"}, %q: %s, "last": {"command": "b"}}}`, bad.name, bad.entry))
		if len(all) != 3 || all["good"] != "" || all["last"] != "" || !strings.Contains(all[bad.name], bad.says) {
			t.Errorf("%s: %q; want %q at it alone", bad.name, all, bad.says)
		}
	}
}

// What is wrong beside the entries keeps none from being used (fault I1).
func TestWhatIsWrongBesideTheEntries(t *testing.T) {
	file, err := config.Load(write(t, `{"mcpServers": {"good": {"url": "https://good"}}, "limit": {}, "limits": {"connecting": "many"}}`), environment)
	if err != nil || len(file.Upstreams) != 1 || file.Upstreams[0].Problem != "" || len(file.Problems) != 2 ||
		file.Problems[0].Upstream != "" {
		t.Errorf("%+v, %v", file, err)
	}
}

// Variables of other programs are expanded, where they are of the environment, or
// refused by their names; none is sent as it stands (fault I2).
func TestVariables(t *testing.T) {
	for text, want := range map[string]string{
		"${TOKEN}":                "from the environment",
		"${env:TOKEN}":            "from the environment",
		"a ${env:TOKEN} b":        "a from the environment b",
		"${env:NOT_SET:-d}":       "d",
		"${NOT_SET:-}":            "",
		"${NOT_SET:-${TOKEN}}":    "from the environment",
		"${NOT_SET:-${NO:-e}}!":   "e!",
		"${EMPTY:-d}":             "",
		"$${TOKEN}":               "${TOKEN}",
		"$TOKEN":                  "$TOKEN",
		"a $ and { and }":         "a $ and { and }",
		"${HOME_NOT:-http://a:1}": "http://a:1",
	} {
		file, err := config.Load(write(t, fmt.Sprintf(`{"mcpServers": {"a": {"command": "c", "args": [%q]}}}`, text)), environment)
		if err != nil || file.Err() != nil || file.Upstreams[0].Args[0] != want {
			t.Errorf("%s: %+v, %v, want %q", text, file, err, want)
		}
	}
	for text, says := range map[string]string{
		"${input:token}":        "${input:token} is a variable of another program",
		"${command:pick}":       "${command:pick} is a variable of another program",
		"${config:a.b}":         "${config:a.b} is a variable of another program",
		"${file:/run/key}":      "${file:/run/key} is a variable of another program",
		"${workspaceFolder:x}":  "${workspaceFolder:x} is a variable of another program",
		"${workspaceFolder}/.x": "${workspaceFolder} is a variable of an editor",
		"${workspaceRoot}":      "${workspaceRoot} is a variable of an editor",
		"${env:NOT_SET}":        "the environment variable NOT_SET is not set",
		"${env:}":               "${env:} is no variable",
		"${}":                   "${} is no variable",
		"${two words}":          "${two words} is no variable",
		"${NOT_SET":             "has a ${ without its }",
		"${A:-${B}":             "has a ${ without its }",
	} {
		for _, entry := range []string{`{"command": "c", "args": [%q]}`, `{"url": "https://a", "headers": {"k": %q}}`, `{"url": "https://a", "oauth": {"issuer": %q}}`} {
			if problem := problemsOf(t, fmt.Sprintf(`{"mcpServers": {"a": `+entry+`}}`, text))["a"]; !strings.Contains(problem, says) {
				t.Errorf("%s in %s: %q, want %q", text, entry, problem, says)
			}
		}
	}
}

// Arguments that come of variables are noted as secrets, so that a child's own words do not
// show them, but for what each child has of the environment anyway (fault I7's kind).
func TestArgumentsOfVariablesAreSecrets(t *testing.T) {
	variables := map[string]string{"KEY": "k-12345678", "OTHER": "o-12345678", "HOME": "/home/me"}
	file, err := config.Load(write(t, `{"mcpServers": {"a": {"command": "c",
		"args": ["--key=${KEY}", "${env:NOT_SET:-${OTHER}}", "${HOME}/x", "${userHome}", "${NOT_SET:-plain}", "plain", "$${KEY}"]}}}`),
		func(name string) (string, bool) { value, set := variables[name]; return value, set })
	if err != nil || file.Err() != nil {
		t.Fatalf("%+v, %v", file, err)
	}
	var got []string
	for _, secret := range file.Upstreams[0].ArgSecrets {
		got = append(got, secret.Reveal())
	}
	if want := []string{"k-12345678", "o-12345678"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What the grant needs and a variable leaves empty is missing too, and makes that one entry
// unusable: what is read here can always be applied.
func TestWhatIsEmptyOnceVariablesAreReplaced(t *testing.T) {
	file, err := config.Load(write(t, `{"mcpServers": {
		"a": {"url": "https://a", "oauth": {"grant": "client_credentials", "clientId": "${EMPTY}", "clientSecret": "${EMPTY}"}},
		"b": {"url": "https://b", "oauth": {"grant": "workload_identity", "assertionFile": "${EMPTY}"}},
		"c": {"url": "https://c"}}}`), environment)
	if err != nil {
		t.Fatal(err)
	}
	for i, says := range []string{"OAuth.ClientID is missing; the grant client_credentials needs it", "OAuth.AssertionFile is missing", ""} {
		problem := file.Upstreams[i].Problem
		if !strings.Contains(problem, says) || (problem == "") != (says == "") {
			t.Errorf("%s: %q, want %q", file.Upstreams[i].Name, problem, says)
		}
	}
	if err := upstream.Check(file.Upstreams); err != nil {
		t.Errorf("it could not be applied: %v", err)
	}
}

// A token with a line break is no server that cannot be reached (fault I3).
func TestControlCharacters(t *testing.T) {
	for _, bad := range []struct{ entry, says string }{
		{`{"url": "https://a", "headers": {"Authorization": "Bearer x\n"}}`, "headers.Authorization: has a line break in it (character 9)"},
		{`{"url": "https://a", "headers": {"Authorization": "Bearer x\r\ny"}}`, "has a line break in it (character 9)"},
		{`{"url": "https://a", "headers": {"Authorization": "\u0000"}}`, "has the control character U+0000 in it"},
		{`{"url": "https://a", "headers": {"Authorization": "a\u007f"}}`, "U+007F"},
		{`{"url": "https://a", "headers": {"X Key": "x"}}`, `the name "X Key" is no header's name`},
		{`{"url": "https://a", "headers": {"": "x"}}`, `the name "" is no header's name`},
		{`{"url": "https://a", "headers": {"Authorization": "x", "authorization": "y"}}`, "is there twice"},
		{`{"url": "https://a\n"}`, "url: has a line break"},
		{`{"url": "https://a", "oauth": {"clientId": "c", "clientSecret": "s\n"}}`, "oauth.clientSecret: has a line break in it (character 2)"},
		{`{"url": "https://a", "oauth": {"scopes": ["a\tb"]}}`, "oauth.scopes[0]: has the control character U+0009"},
		{`{"command": "a\n"}`, "command: has a line break"},
		{`{"command": "a", "args": ["b\u0000"]}`, "args[0]: has the control character U+0000"},
		{`{"command": "a", "env": {"A=B": "x"}}`, `the name "A=B" is no name of an environment variable`},
	} {
		if problem := problemsOf(t, `{"mcpServers": {"a": `+bad.entry+`}}`)["a"]; !strings.Contains(problem, bad.says) || strings.Contains(problem, "Bearer") {
			t.Errorf("%s: %q, want %q and not the value", bad.entry, problem, bad.says)
		}
	}
	// A script, and a key as PEM, have lines.
	if problem := problemsOf(t, `{"mcpServers": {"a": {"command": "sh", "args": ["-c", "a\nb"], "env": {"KEY": "x\ny"}}}}`)["a"]; problem != "" {
		t.Errorf("lines in args and env: %q", problem)
	}
}

// Everything that is wrong is named in one go, with its place, and a name that is there
// twice is not guessed at (fault I6).
func TestEverythingIsNamed(t *testing.T) {
	path := write(t, `{
  "mcpServers": {
    "twice": {"url": "https://a"},
    "good": {"url": "https://b"},
    "twice": {"url": "https://c"},
    "typos": {"url": "https://d", "hedaers": {}, "tpye": "http", "oauth": {"scope": []}, "url": "https://e"},
  },
  "limit": 3, // a typo too
}`)
	file, err := config.Load(path, environment)
	if err != nil {
		t.Fatal(err)
	}
	text := file.Err().Error()
	for _, want := range []string{
		":5:5: mcpServers.twice: is there twice, first on line 3",
		`:6:35: mcpServers.typos: unknown field "hedaers"; did you mean headers?`,
		`:6:50: mcpServers.typos: unknown field "tpye"; did you mean type?`,
		`:6:76: mcpServers.typos.oauth: unknown field "scope"; did you mean scopes?`,
		":6:90: mcpServers.typos.url: is there twice",
		`:8:3: unknown field "limit"; did you mean limits?`,
	} {
		if !strings.Contains(text, path+want) {
			t.Errorf("%s\nis not among\n%s", want, text)
		}
	}
	for _, c := range file.Upstreams {
		if (c.Problem == "") != (c.Name == "good") {
			t.Errorf("%s: %q", c.Name, c.Problem)
		}
	}
}

// Twenty that add an upstream at the same time lose none (fault I10), and comments, order
// and mode of the file stay.
func TestManyAddAtOnce(t *testing.T) {
	path := write(t, "{\n  // mine\n  \"mcpServers\": {\n    \"z\": {\"url\": \"https://z\"}, // the first\n  },\n}\n")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	var adding sync.WaitGroup
	for i := range 20 {
		adding.Go(func() {
			if err := config.Add([]string{path, link}[i%2], fmt.Sprint("u", i), map[string]any{"url": "https://u"}, false); err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
	if all := load(t, path); len(all) != 21 {
		t.Errorf("%d upstreams are there", len(all))
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "// mine") || !strings.Contains(string(text), "// the first") {
		t.Errorf("the comments are gone: %s, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".config.json.[0-9]*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// A link to a file that is not there yet is followed, too (fault I10).
func TestAddThroughALinkToNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("kept/config.json", filepath.Join(dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	if err := config.Add(filepath.Join(dir, "config.json"), "a", map[string]any{"url": "https://a"}, false); err != nil {
		t.Fatal(err)
	}
	if all := load(t, filepath.Join(dir, "kept", "config.json")); len(all) != 1 {
		t.Errorf("%+v", all)
	}
}

// watched follows a file: the names of its upstreams after each change.
func watched(t *testing.T, path string) (changes chan string) {
	t.Helper()
	file, err := config.Load(path, environment)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	changes = make(chan string, 100)
	var watching sync.WaitGroup
	watching.Go(func() {
		file.Watch(ctx, func(context.Context) {
			now, err := config.Load(path, environment)
			switch {
			case err != nil:
				changes <- "error"
			case now.Absent:
				changes <- "gone"
			default:
				changes <- strings.Join(namesOf(now.Upstreams), " ")
			}
		})
	})
	t.Cleanup(func() { cancel(); watching.Wait() })
	return changes
}

func namesOf(all []upstream.Config) (names []string) {
	for _, c := range all {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

func wantChange(t *testing.T, changes chan string, want string) {
	t.Helper()
	select {
	case got := <-changes:
		if got != want {
			t.Errorf("the change is %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no change was seen; want %q", want)
	}
}

func put(t *testing.T, path, name string) {
	t.Helper()
	if err := os.WriteFile(path, fmt.Appendf(nil, `{"mcpServers": {%q: {"url": "https://a"}}}`, name), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A change is seen behind a link, behind a link to a directory that now leads elsewhere,
// and in a directory that was replaced; a file that is away for a moment has not changed
// (fault H4).
func TestChangesAreSeenWhereverTheyAre(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	do := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	do(os.Mkdir(at("one"), 0o700), os.Mkdir(at("two"), 0o700), os.Mkdir(at("here"), 0o700))
	put(t, at("one", "config.json"), "a")
	put(t, at("two", "config.json"), "b")
	// As kubelet mounts a ConfigMap.
	do(os.Symlink("one", at("..data")), os.Symlink("../..data/config.json", at("here", "config.json")))
	changes := watched(t, at("here", "config.json"))

	put(t, at("one", "config.json"), "c") // behind two links
	wantChange(t, changes, "c")
	do(os.Symlink("two", at("..new")), os.Rename(at("..new"), at("..data")))
	wantChange(t, changes, "b")
	do(os.Rename(at("here"), at("gone")), os.Mkdir(at("here"), 0o700)) // a checkout, say
	put(t, at("here", "config.json"), "d")
	wantChange(t, changes, "d")
	do(os.Rename(at("here", "config.json"), at("kept")))
	<-time.After(600 * time.Millisecond)
	do(os.Rename(at("kept"), at("here", "config.json")))
	put(t, at("here", "config.json"), "e")
	wantChange(t, changes, "e")
	do(os.Remove(at("here", "config.json")))
	wantChange(t, changes, "gone")
	put(t, at("here", "config.json"), "e")
	wantChange(t, changes, "e")
}
