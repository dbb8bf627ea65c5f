package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"mcpproxy/upstream"
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
