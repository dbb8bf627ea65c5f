package calls

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Hop is the program of a hop that this module has itself: "reverse" is Go's
// reverse proxy, "typed" a relay of mcp-go's server and mcp-go's client. It
// serves on address until the process is ended.
func Hop(ctx context.Context, kind, address, target string) error {
	var handler http.Handler
	switch kind {
	case "reverse":
		to, err := url.Parse(target)
		if err != nil {
			return err
		}
		to.Path = ""
		proxy := httputil.NewSingleHostReverseProxy(to)
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 512, 256
		proxy.Transport = transport
		// Without it, an answer that comes before the transport has seen the end of
		// the request's body closes that body under it, and the call fails.
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/1 always can
			proxy.ServeHTTP(w, r)
		})
	case "typed":
		relay, err := typedRelay(ctx, target)
		if err != nil {
			return err
		}
		handler = relay
	default:
		return fmt.Errorf("there is no hop %q", kind)
	}
	return http.ListenAndServe(address, handler)
}

// typedRelay has one typed handler for each tool of the server behind it.
func typedRelay(ctx context.Context, target string) (http.Handler, error) {
	upstream, err := client.NewStreamableHttpClient(target)
	if err != nil {
		return nil, err
	}
	if err := upstream.Start(ctx); err != nil {
		return nil, err
	}
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = "2025-11-25"
	hello.Params.ClientInfo = mcp.Implementation{Name: "relay", Version: "1"}
	if _, err := upstream.Initialize(ctx, hello); err != nil {
		return nil, err
	}
	tools, err := upstream.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return nil, err
	}
	front := server.NewMCPServer("relay", "1")
	for _, tool := range tools.Tools {
		front.AddTool(tool, func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return upstream.CallTool(ctx, mcp.CallToolRequest{Params: request.Params})
		})
	}
	return server.NewStreamableHTTPServer(front, server.WithEndpointPath("/session"), server.WithStateful(true)), nil
}
