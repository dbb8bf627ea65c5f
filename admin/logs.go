package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"mcpproxy/upstream"
	"mcpproxy/upstream/child"
)

// logs answers with what the upstream's child processes said, a line of JSON
// ([child.Line]) each; with follow=1 it goes on until the upstream is removed.
func logs(w http.ResponseWriter, r *http.Request, u *upstream.Upstream) error {
	h, control := w.Header(), http.NewResponseController(w)
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Cache-Control", "no-store")
	lines, follow := u.Words().After(0), r.URL.Query().Get("follow") == "1"
	encoder := json.NewEncoder(w)
	for last := uint64(0); ; {
		_ = control.SetWriteDeadline(time.Now().Add(writeLimit)) // not every connection has one
		for _, line := range lines {
			if err := encoder.Encode(line); err != nil {
				return nil // the client went away
			}
			last = line.Number
		}
		if err := control.Flush(); err != nil || !follow {
			return nil
		}
		var err error
		if lines, err = u.Words().Wait(r.Context(), last); err != nil {
			return nil // the client went away, or the upstream was removed
		}
	}
}

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
