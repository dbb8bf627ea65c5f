package admin

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A proxy that ends before it has answered, or within the answer, is one that does
// not run.
func TestTheProxyEndsBeforeItHasAnswered(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"before the answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"within it": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"version":`)
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "admin-") // sockets have short names
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			socket := filepath.Join(dir, "s")
			listener, err := Listen(socket)
			if err != nil {
				t.Fatal(err)
			}
			proxy := &http.Server{Handler: answer, ReadHeaderTimeout: time.Second}
			ended := make(chan error)
			go func() { ended <- proxy.Serve(listener) }()
			defer func() {
				_ = proxy.Close()
				<-ended
			}()
			var who Version
			if err := NewClient(socket).Get(t.Context(), "/v1/version", &who); !errors.Is(err, ErrNotRunning) {
				t.Errorf("it answers %+v, %v", who, err)
			}
		})
	}
}
