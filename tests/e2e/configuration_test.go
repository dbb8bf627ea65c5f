package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcpproxy/status"
	"mcpproxy/tests/oauthserver"
)

func TestBadConfigurationNamesThePlace(t *testing.T) {
	m := newMachine(t, oauthserver.Options{})
	m.configure(`{"mcpServers": {"a": {"url": "ftp://x"}, "b": {"urll": "http://x"}, "c": {"url": "http://x/${UNSET_HERE}", "oauth": {"login": "maybe"}}}}`)
	code, out, errs := m.run("mcpproxy", "config", "check")
	for _, want := range []string{"config.json:1:23: mcpServers.a.url", `unknown field "urll"`, "UNSET_HERE is not set", "mcpServers.c.oauth.login", "manual, automatic"} {
		if code != 1 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("exit code %d, and %q is missing in: %s", code, want, errs)
		}
	}
	if code, _, errs := m.run("mcpproxy", "auth", "login", "a"); code != 7 || !strings.Contains(errs, "mcpServers.a.url") {
		t.Errorf("a login: exit code %d: %s", code, errs)
	}
	// A file that says nothing as a whole is said at once, by the bridge too.
	m.configure(`{"mcpServers": `)
	for _, command := range [][]string{{"config", "check"}, {"serve", "--listen", "127.0.0.1:0"}, {"stdio"}} {
		began := time.Now()
		if code, _, errs := m.run("mcpproxy", command...); code != 1 || !strings.Contains(errs, "config.json:1:16: the document ends") ||
			time.Since(began) > 8*time.Second {
			t.Errorf("%v: exit code %d after %s: %s", command, code, time.Since(began), errs)
		}
	}
}

// One entry that cannot be used is a Failed upstream that says why wherever upstreams are
// shown, at the start and at a change, and the others run (fault I1).
func TestOneBadEntryStopsNoOther(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	const says = "mcpServers.bad.headers.Authorization: the environment variable UNSET_HERE is not set"
	good := fmt.Sprintf(`{"mcpServers": {"u": {"url": %q}, "bad": {"url": %[1]q%%s}}}`, m.server.MCPURL())
	bad := fmt.Sprintf(good, `, "headers": {"Authorization": "Bearer ${UNSET_HERE}"}`)
	phase := func(name string) string {
		var s status.Upstream
		var all []status.Upstream
		if err := json.Unmarshal([]byte(m.mustRun("mcpproxy", "upstream", "list", "--json")), &all); err != nil {
			t.Fatal(err)
		}
		for _, s = range all {
			if s.Name == name {
				return string(s.Phase) + " " + string(s.Reason)
			}
		}
		return ""
	}
	m.configure(bad)
	if out := m.mustRun("mcpproxy", "upstream", "list"); !strings.Contains(out, says) {
		t.Errorf("without a proxy: %s", out)
	}
	m.start()
	m.awaitPhase("Connected")
	if err := m.call(); err != nil {
		t.Error(err)
	}
	m.eventually("the entry to be Failed", func() bool { return phase("bad") == "Failed EntryInvalid" })
	for _, command := range [][]string{{"mcpproxy", "upstream", "list"}, {"mcpproxy", "auth", "status"}, {"mcpproxy", "config", "check"},
		{"mcpproxy", "stdio"}, {"statectl", "explain", "bad"}, {"statectl", "dump", "bad"}} {
		code, out, errs := m.run(command[0], command[1:]...)
		if said := strings.Join(strings.Fields(out+errs), " "); !strings.Contains(said, says) {
			t.Errorf("%v: exit code %d: %s%s", command, code, out, errs)
		}
	}
	if code, _, errs := m.run("mcpproxy", "auth", "status"); code != 1 {
		t.Errorf("auth status: exit code %d: %s", code, errs)
	}
	m.configure(fmt.Sprintf(good, ""))
	m.eventually("the entry to be used", func() bool { return phase("bad") == "Connected " })
	m.configure(bad)
	m.eventually("the entry to be Failed again", func() bool { return phase("bad") == "Failed EntryInvalid" })
	if err := m.call(); err != nil {
		t.Error(err)
	}
}

// A configuration that is gone, or says nothing as a whole, leaves what runs as it is,
// and that is said (fault H4).
func TestAConfigurationThatIsGone(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	m.start()
	m.awaitPhase("Connected")
	if err := os.Remove(filepath.Join(m.dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	said := func(what string) func() bool {
		return func() bool {
			code, out, errs := m.run("mcpproxy", "upstream", "list")
			return code == 0 && strings.Contains(out, "Connected") && strings.Contains(errs, what)
		}
	}
	m.eventually("the list to say that it is gone", said("the file is gone; put it back"))
	if !strings.Contains(m.logs.String(), "the configuration was not applied") {
		t.Error(m.logs.String())
	}
	m.configure(`{"mcpServers": {"u": `)
	m.eventually("the list to say that it cannot be read", said("the document ends before it is complete"))
	m.configure(fmt.Sprintf(`{"mcpServers": {"u": {"url": %q}, "v": {"url": %[1]q}}, "limit": 1}`, m.server.MCPURL()))
	m.eventually("the list to have the other one", func() bool { return strings.Contains(m.mustRun("mcpproxy", "upstream", "list"), "\nv ") })
	if !said(`unknown field "limit"`)() {
		t.Error("the list does not say what is wrong beside the entries")
	}
}

// The configuration file is edited from the command line, and a running proxy
// takes it up.
func TestUpstreamsAreAddedAndRemoved(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	m.configure(`{"mcpServers": {}}`)
	m.start()
	m.mustRun("mcpproxy", "upstream", "add", "u", m.server.MCPURL())
	m.awaitPhase("Connected")
	if err := m.call(); err != nil {
		t.Error(err)
	}
	if code, _, errs := m.run("mcpproxy", "upstream", "add", "u", m.server.MCPURL()); code != 1 || !strings.Contains(errs, "--replace") {
		t.Errorf("adding it twice: exit code %d: %s", code, errs)
	}
	m.mustRun("mcpproxy", "upstream", "remove", "u")
	m.eventually("the upstream to be gone", func() bool {
		return strings.TrimSpace(m.mustRun("mcpproxy", "upstream", "list", "--json")) == "[]"
	})
}

// A command behind -- is a local server; what is neither that nor a URL is no entry.
func TestAddTellsURLsFromCommands(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	for _, test := range []struct {
		says string
		args []string
	}{
		{"write a server's address as https://mcp.example.com/mcp", []string{"mcp.example.com/mcp"}},
		{"mcpproxy upstream add new -- mcp-files --root", []string{"mcp-files", "--", "--root"}},
		{"needs NAME URL (or -- COMMAND) and got 1 argument", nil},
	} {
		if code, out, errs := m.run("mcpproxy", append([]string{"upstream", "add", "new"}, test.args...)...); code != 2 || out != "" ||
			!strings.Contains(errs, test.says) {
			t.Errorf("%v: exit code %d, %s; want %q", test.args, code, errs, test.says)
		}
	}
	config := filepath.Join(m.dir, "config.json")
	c := exec.Command(filepath.Join(programs, "mcpproxy"), "upstream", "add", "new", "--config", config, "--", "mcp-files", "--root", ".")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var written struct {
		MCPServers map[string]struct {
			Command string   `json:"command"`
			Args    []string `json:"args"`
		} `json:"mcpServers"`
	}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &written); err != nil {
		t.Fatal(err)
	}
	if entry := written.MCPServers["new"]; entry.Command != "mcp-files" || !slices.Equal(entry.Args, []string{"--root", "."}) {
		t.Errorf("written: %s", text)
	}
}

// Without upstreams, or without a file, the first step is said, and JSON stays a list.
func TestTheFirstStepIsSaid(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	if err := os.Remove(filepath.Join(m.dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		code      int
		out, says string
		args      []string
	}{
		{0, "", "there is no upstream; add one with: mcpproxy upstream add", []string{"upstream", "list"}},
		{0, "[]\n", "", []string{"upstream", "list", "--json"}},
		{1, "", "config.json does not exist", []string{"config", "check"}},
		{2, "", "there is no such upstream, and no other; add one with: mcpproxy upstream add", []string{"auth", "login", "u"}},
	} {
		if code, out, errs := m.run("mcpproxy", test.args...); code != test.code || out != test.out || !strings.Contains(errs, test.says) {
			t.Errorf("%v: exit code %d, %q, %q", test.args, code, out, errs)
		}
	}
	m.start()
	if !strings.Contains(m.logs.String(), "there is no configuration file yet") {
		t.Error(m.logs.String())
	}
	m.mustRun("mcpproxy", "upstream", "add", "u", m.server.MCPURL())
	m.awaitPhase("Connected")
}

// An import takes what can be taken and says what was not and why, also where there is
// nothing to take.
func TestImportSaysWhatWasTaken(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	foreign := filepath.Join(m.dir, "other.json")
	for _, test := range []struct {
		text      string
		names     []string
		code      int
		out, says string
	}{
		{`{"mcpServers": {"proxy": {"command": "mcpproxy", "args": ["stdio"]}}}`, nil, 0, "", "nothing was taken over"},
		{`{"mcpServers": {"good": {"url": "https://a.example/mcp"}, "two words": {"url": "https://b.example/mcp"}, "bad": {"url": "no"}}}`, nil, 1, "added good\nadded two-words; \"two words\" there\n", "bad was not taken: "},
		{`{"mcpServers": {"good": {"url": "https://a.example/mcp"}, "two words": {"url": "https://b.example/mcp"}}}`, []string{"goood"}, 1, "", "did you mean good?"},
		{`{"mcpServers": {"good": {"url": "https://a.example/mcp"}, "two words": {"url": "https://b.example/mcp"}}}`, []string{"good"}, 1, "", "is there already; --replace replaces it"},
	} {
		if err := os.WriteFile(foreign, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := m.run("mcpproxy", append([]string{"upstream", "import", foreign}, test.names...)...); code != test.code ||
			out != test.out || !strings.Contains(errs, test.says) {
			t.Errorf("%s %v: exit code %d, %q, %q", test.text, test.names, code, out, errs)
		}
	}
}

// fault J6: SIGHUP has the configuration read again, and ends nothing.
func TestHangupReloads(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	m.start()
	m.awaitPhase("Connected")
	applied := strings.Count(m.logs.String(), "the configuration was applied")
	if err := m.serve.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	m.eventually("the configuration is applied", func() bool {
		return strings.Count(m.logs.String(), "the configuration was applied") > applied
	})
	if err := m.call(); err != nil {
		t.Error(err)
	}
}
