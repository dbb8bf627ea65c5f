package troubleshooting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcpproxy/tests/oauthserver"
)

// home is a user's account, with the programs on its path.
type home struct {
	*testing.T
	dir, programs string
	server        *oauthserver.Server
	all           []message
}

func newHome(t *testing.T) *home {
	t.Helper()
	server, err := oauthserver.Start(context.Background(), oauthserver.Options{AutoApprove: true})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "home-") // sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	h := &home{T: t, dir: dir, programs: t.TempDir(), server: server}
	t.Cleanup(func() { _ = errors.Join(server.Close(), os.RemoveAll(dir)) })
	if out, err := exec.Command("go", "build", "-o", h.programs+"/", "../../cmd/mcpproxy", "../../cmd/statectl").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h.configure(fmt.Sprintf(`{"mcpServers": {"notes": {"url": %q}}}`, server.MCPURL()))
	return h
}

func (h *home) configure(text string) {
	h.Helper()
	file := filepath.Join(h.dir, ".config", "mcpproxy", "config.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		h.Fatal(err)
	}
}

func (h *home) command(line string) *exec.Cmd {
	words := strings.Fields(strings.ReplaceAll(line, "~", h.dir))
	c := exec.Command(filepath.Join(h.programs, words[0]), words[1:]...)
	c.Env = append(os.Environ(), "HOME="+h.dir, "XDG_CONFIG_HOME="+h.dir+"/.config", "XDG_DATA_HOME="+h.dir+"/.local/share",
		"DBUS_SESSION_BUS_ADDRESS=", "MCPPROXY_KEY_FILE="+h.dir+"/key", "TZ=UTC")
	return c
}

// run runs a command to its end and returns what it prints and its exit code.
func (h *home) run(line string) (out, errs string, code int) {
	h.Helper()
	c := h.command(line)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.Fatal(err)
	}
	return stdout.String(), stderr.String(), c.ProcessState.ExitCode()
}

var clientsAddress = regexp.MustCompile(`clients=http://(\S+)/mcp`)

// serve runs a proxy until the returned function is called, and returns where it
// listens.
func (h *home) serve() (address string, stop func()) {
	h.Helper()
	c := h.command("mcpproxy serve --listen 127.0.0.1:0 --no-browser")
	log := filepath.Join(h.dir, "serve.log")
	file, err := os.Create(log)
	if err != nil {
		h.Fatal(err)
	}
	c.Stderr = file
	if err := errors.Join(c.Start(), file.Close()); err != nil {
		h.Fatal(err)
	}
	stop = func() { _ = errors.Join(c.Process.Signal(os.Interrupt), c.Wait()) }
	h.Cleanup(stop)
	if _, errs, code := h.run("statectl wait notes --for LoginRequired --patient --timeout 20s"); code != 0 {
		h.Fatal(errs)
	}
	text, err := os.ReadFile(log)
	found := clientsAddress.FindStringSubmatch(string(text))
	if err != nil || found == nil {
		h.Fatal(err, string(text))
	}
	return found[1], stop
}

// says notes what a command says on standard error when it fails. state is what
// the upstream is in then, or empty where none has to do with it.
func (h *home) says(state string, code int, line string) {
	h.Helper()
	_, errs, got := h.run(line)
	if got != code {
		h.Errorf("%s: exit code %d, not %d: %s", line, got, code, errs)
	}
	text := strings.TrimSpace(errs)
	h.all = append(h.all, message{fmt.Sprintf("$ %s  # exit code %d", portless.ReplaceAllString(line, "127.0.0.1:49152"), code), state,
		h.normal(text)})
}

var portless = regexp.MustCompile(`127\.0\.0\.1:[1-9]\d+`)

func (h *home) normal(text string) string {
	s := scene{server: h.server, path: h.dir + "/nowhere"}
	return s.normal(strings.ReplaceAll(text, h.dir, "~"))
}

// commands fail, with and without a running proxy.
func commands(t *testing.T) []message {
	h := newHome(t)
	if err := os.WriteFile(filepath.Join(h.dir, "letter.txt"), bytes.Repeat([]byte("Dear Sir, "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []struct {
		code int
		line string
	}{
		{6, "mcpproxy auth status"}, {6, "mcpproxy auth cancel notes"}, {6, "mcpproxy upstream connect notes"}, {6, "mcpproxy ui"},
		{6, "statectl dump"}, {6, "statectl explain notes"}, {6, "statectl history notes"}, {6, "statectl stats"}, {6, "statectl watch"}, {6, "statectl replay"},
		{6, "statectl fire notes connect"}, {6, "statectl wait notes --for Connected"}, {6, "statectl wait notes --for Connected --patient --timeout 20ms"},
		{6, "statectl fire notes connect --socket ~/another.sock"}, {6, "mcpproxy auth status --socket ~/another.sock"},
		{2, "mcpproxy auth login nots"}, {2, "mcpproxy auth logout nots"}, {2, "mcpproxy upstream remove nots"}, {1, "mcpproxy upstream add notes https://notes.example.com/mcp"},
		{1, "mcpproxy upstream import ~/none.json"},
		{2, "mcpproxy upstream add letters letters.example.com/mcp"}, {1, "mcpproxy config check --config ~/none.json"},
		{2, "mcpproxy sevre"}, {2, "mcpproxy auth login"}, {2, "mcpproxy serve --ui-please"}, {2, "statectl dmup"}, {2, "statectl history"}, {2, "statectl graph --format png"},
		{2, "statectl history notes --since yesterday"}, {2, "statectl wait notes --for Conected"}, {2, "statectl fire notes CodeReceived"},
		{1, "mcpproxy serve --listen 0.0.0.0:0"}, {1, "mcpproxy serve --token-file ~/none"}, {1, "mcpproxy serve --listen 127.0.0.1:0 --store ~/letter.txt"},
	} {
		h.says("", command.code, command.line)
	}
	address, stop := h.serve()
	h.says("", 1, "mcpproxy serve --listen "+address)
	h.says("", 1, "mcpproxy serve --listen 127.0.0.1:0")
	h.says("", 1, "mcpproxy serve --store ~/another.db --socket ~/another.sock --listen "+address)
	h.says("LoginRequired", 4, "mcpproxy auth status")
	h.says("", 2, "mcpproxy auth status nots")
	h.says("", 2, "mcpproxy auth login nots")
	h.says("", 2, "statectl dump nots")
	h.says("", 2, "statectl explain nots")
	h.says("LoginRequired", 7, "mcpproxy auth cancel notes")
	h.says("LoginRequired", 7, "statectl fire notes retry")
	h.says("LoginRequired", 4, "statectl wait notes --for Connected")
	h.says("LoginRequired", 3, "statectl wait notes --for Connected --patient --timeout 50ms")
	h.all = append(h.all, h.stalePage()...)
	if _, errs, code := h.run("mcpproxy upstream disconnect notes"); code != 0 {
		t.Fatal(errs)
	}
	h.says("Disconnected", 4, "statectl wait notes --for Connected")
	h.configure(`{"mcpServers": {"notes": {"uri": "https://notes.example.com/mcp"}}}`)
	h.says("", 1, "mcpproxy config check")
	stop()
	h.says("", 7, "mcpproxy auth login notes")
	h.configure(`{"mcpServers": {"notes": `)
	h.says("", 1, "mcpproxy serve --listen 127.0.0.1:0")
	h.says("", 1, "mcpproxy stdio")
	return h.all
}

// stalePage follows an invitation to the page a second time.
func (h *home) stalePage() []message {
	h.Helper()
	out, errs, code := h.run("mcpproxy ui --no-browser")
	if code != 0 {
		h.Fatal(errs)
	}
	address := strings.TrimSpace(out)
	response, err := http.Get(address)
	if err != nil {
		h.Fatal(err)
	}
	_ = response.Body.Close()
	return []message{{"an address of the page that was opened before", "", visit(h.T, address)}}
}
