package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"mcpproxy/upstream/child"
)

// Logs calls see with each line that the upstream's child processes said and, with
// follow, say until ctx ends or the upstream is removed.
func (c *Client) Logs(ctx context.Context, name string, follow bool, see func(child.Line)) error {
	path := "/v1/upstreams/" + url.PathEscape(name) + "/logs"
	if follow {
		path += "?follow=1"
	}
	response, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	for lines := json.NewDecoder(response.Body); ; {
		var line child.Line
		err := lines.Decode(&line)
		switch {
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return nil
		case err != nil:
			return c.gone(ctx, err)
		}
		see(line)
	}
}
