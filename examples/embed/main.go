// Embed is a program with a proxy in it: it connects two upstreams, which opens a page in
// the browser where a login is needed, and serves both to MCP clients until it is
// interrupted.
//
//	go run ./examples/embed https://mcp.example.com/mcp https://notes.example.com/mcp
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"

	"mcpproxy/credential"
	"mcpproxy/instance"
	"mcpproxy/proxy"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/upstream"
	"mcpproxy/upstream/browser"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: embed URL URL")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	automatic := states.Settings{AutomaticLogin: true} // else a login begins with Upstream.Login
	err := run(ctx, os.Stdout, "127.0.0.1:8931", instance.Options{
		StorePath: "embed.db",
		Open:      browser.Default,
		Connect:   true,
		Configs: []upstream.Config{
			{Name: "first", URL: os.Args[1], Settings: automatic},
			{Name: "second", URL: os.Args[2], Settings: automatic},
		},
	})
	if err != nil {
		log.Print(err)
	}
}

func run(ctx context.Context, out io.Writer, address string, o instance.Options) error {
	i, err := instance.Start(ctx, o)
	if err != nil {
		return err
	}
	defer i.Close()
	for _, u := range i.Manager.All() {
		_, err := u.Call(ctx, relay.Call{Method: "tools/list"}) // waits for the login
		fmt.Fprintf(out, "%s is %s and has %d tools (%v)\n", u.Name(), u.Status().Phase, len(u.Catalog().Tools), err)
	}
	listener, err := proxy.Listen(address, credential.Secret{})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "clients find both at http://%s/mcp\n", listener.Addr())
	server := proxy.NewHTTPServer(i.Proxy.Handler())
	defer context.AfterFunc(ctx, func() { _ = server.Close() })() // Serve returns
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
