// Command client is the client under test of the conformance suite: the real
// proxy with the suite's server as its one upstream, used through the proxy's own
// downstream face. The suite runs it once for each scenario, with the server's
// URL as the last argument.
//
// The scenario's name chooses what only a user would know: which calls are to be
// made, and which grant the server's administrator has set up. Everything else of
// the proxy's configuration is what the suite hands over.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// limit is short of the suite's own.
const limit = 40 * time.Second

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := run(ctx, os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, server string) (err error) {
	given, err := readGiven(os.Getenv("MCP_CONFORMANCE_CONTEXT"))
	if err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	config, err := given.upstream(server, os.Getenv("MCP_CONFORMANCE_SCENARIO"), directory)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	someone := &person{}
	defer someone.clicks.Wait()
	var record journals.Record
	defer func() { err = errors.Join(err, record.Explained()) }()
	proxy, err := instance.Start(ctx, instance.Options{
		StorePath: filepath.Join(directory, "store.db"), Keys: store.FileKeys(filepath.Join(directory, "key")),
		Configs: []upstream.Config{config}, Connect: true, Open: someone.open, Logger: logger, Version: "conformance", Observe: record.Observe,
	})
	if err != nil {
		return err
	}
	defer proxy.Close()
	face := httptest.NewServer(proxy.Proxy.Handler())
	defer face.Close()
	defer proxy.Proxy.Close()
	// The client finds what the upstream offers once it is connected.
	u, err := proxy.Manager.Get(upstreamName)
	if err != nil {
		return err
	}
	settled, err := u.Machine().Wait(ctx, settledOnce)
	if err != nil {
		return fmt.Errorf("the upstream did not settle: %w", err)
	}
	if state := settled.Region(states.Connection).State; state != states.Connected {
		return fmt.Errorf("the upstream is %s: %s %s", state, settled.Data.ConnectionError.Text, settled.Data.CredentialError.Text)
	}
	return play(ctx, face.URL+"/mcp/"+upstreamName, os.Getenv("MCP_CONFORMANCE_SCENARIO"), given)
}

// settledOnce reports whether the first attempt to connect has come to an end.
func settledOnce(s *transitions.Snapshot) bool {
	switch connection, login := s.Region(states.Connection).State, s.Region(states.Credential).State; {
	case connection == states.Connected, connection == states.Failed, connection == states.BackingOff, login == states.Failed:
		return true
	case connection == states.AwaitingLogin && login == states.Fresh:
		// More scopes are needed than a login was given.
		return len(s.Data.Scopes) > 0 && s.Data.Token.Requested(s.Data.Scopes)
	case login == states.LoginRequired:
		switch s.Data.Reason {
		case states.LoginDenied, states.LoginFailed, states.LoginTimedOut, states.DiscoveryFailed, states.ServerUnsuitable,
			states.RegistrationFailed, states.ExchangeFailed, states.ListenerFailed:
			return true
		}
	}
	return false
}

const upstreamName = "suite"
