// Package e2e runs the real programs in real processes against the test
// authorization server, and counts what arrives there.
package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// programs is where TestMain has built the programs under test.
var programs string

func TestMain(m *testing.M) {
	if os.Getenv(chattyVariable) != "" {
		chatty()
		return
	}
	if kind := os.Getenv(clientVariable); kind != "" {
		if err := beClient(kind, os.Getenv(addressVariable)); err != nil {
			os.Exit(1)
		}
		return
	}
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(m *testing.M) (code int, err error) {
	programs, err = os.MkdirTemp("", "mcpproxy-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(programs)) }()
	for _, args := range [][]string{
		{"build", "-o", programs + "/", "../../cmd/mcpproxy", "../../cmd/statectl", "./browser", "../oauthserver/cmd/server"},
		{"build", "-tags", "failpoint", "-o", programs + "/failing/", "../../cmd/mcpproxy"},
	} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			return 1, fmt.Errorf("building: %w: %s", err, out)
		}
	}
	code = m.Run()
	http.DefaultClient.CloseIdleConnections()
	// Nothing outlives its owner, in the tests themselves.
	if err := goleak.Find(); err != nil {
		return 1, err
	}
	return code, nil
}
