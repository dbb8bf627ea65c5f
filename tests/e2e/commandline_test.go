package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"
)

func TestStatectlShowsALiveAndAStoppedProxy(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.start("--browser", m.browser())
	m.login()
	m.awaitPhase("Connected")
	var live []upstream.Status
	if err := json.Unmarshal([]byte(m.mustRun("statectl", "dump", "--json")), &live); err != nil || len(live) != 1 || live[0].Token == nil || !live[0].Token.HasRefreshToken {
		t.Errorf("%v: %+v", err, live)
	}
	if out := m.mustRun("statectl", "dump"); !strings.Contains(out, "u: Connected") || strings.Contains(out, "at-") || strings.Contains(out, "rt-") {
		t.Error(out)
	}
	if out := m.mustRun("statectl", "history", "u"); !strings.Contains(out, "CodeExchanged") {
		t.Error(out)
	}
	m.kill()
	if out := m.mustRun("statectl", "dump"); !strings.Contains(out, "No proxy is running") || !strings.Contains(out, "generation 1") {
		t.Error(out)
	}
	if code, _, _ := m.run("mcpproxy", "auth", "status"); code != 6 {
		t.Errorf("auth status without a proxy: exit code %d, want 6", code)
	}
}

func TestBadConfigurationNamesThePlace(t *testing.T) {
	m := newMachine(t, oauthserver.Options{})
	if err := os.WriteFile(filepath.Join(m.dir, "config.json"), []byte(`{"mcpServers": {"a": {"url": "ftp://x"}, "b": {"urll": "http://x"}, "c": {"url": "http://x/${UNSET_HERE}", "oauth": {"login": "maybe"}}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := m.run("mcpproxy", "config", "check")
	for _, want := range []string{"mcpServers.a.url", `unknown field "urll"`, "UNSET_HERE is not set", "mcpServers.c.oauth.login", "manual, automatic"} {
		if code != 1 || !strings.Contains(errs, want) {
			t.Errorf("exit code %d, and %q is missing in: %s", code, want, errs)
		}
	}
}
