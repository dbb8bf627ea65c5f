package client

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcpproxy/store"

	"mcpproxy/admin"
	"mcpproxy/admin/api"
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
			listener, err := admin.Listen(socket)
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
			var who api.Version
			if err := New(socket).Get(t.Context(), "/v1/version", &who); !errors.Is(err, ErrNotRunning) {
				t.Errorf("it answers %+v, %v", who, err)
			}
		})
	}
}

// A socket whose path is longer than systems take is said at once, also where the holder
// of the store has named it from a directory in which it is shorter (fault J5).
func TestAPathThatIsTooLongForASocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "admin-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path, long := filepath.Join(dir, "store.db"), filepath.Join(dir, strings.Repeat("d", 120), "s")
	kept, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(filepath.Join(dir, "key")), Socket: long})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	for _, client := range []*Client{New(long), Of(path, long), Of(path, filepath.Join(dir, "s"))} {
		began := time.Now()
		_, err := client.Who(t.Context())
		if !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "give the proxy and this command a shorter one (--socket)") ||
			time.Since(began) > dialLimit/2 {
			t.Errorf("%v, after %s", err, time.Since(began))
		}
	}
}

// Who holds the store is waited for until it serves its socket, and asked there.
func TestTheHolderOfTheStoreIsAsked(t *testing.T) {
	dir, err := os.MkdirTemp("", "admin-") // sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path, named, other := filepath.Join(dir, "store.db"), filepath.Join(dir, "s"), filepath.Join(dir, "other")
	client := Of(path, named)
	if _, err := client.Who(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a store: %v", err)
	}
	kept, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(filepath.Join(dir, "key")), Socket: other})
	if err != nil {
		t.Fatal(err)
	}
	proxy := &http.Server{ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(api.Version{PID: 4711}) })}
	ended := make(chan error, 1)
	late := time.AfterFunc(5*dialPause, func() {
		listener, err := admin.Listen(other)
		if err == nil {
			err = proxy.Serve(listener)
		}
		ended <- err
	})
	defer late.Stop()
	if who, err := client.Who(t.Context()); err != nil || who.PID != 4711 {
		t.Errorf("%+v answers, %v", who, err)
	}
	_ = proxy.Close()
	<-ended
	client.http.CloseIdleConnections()
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Who(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("once the store is free: %v", err)
	}
}

// A socket that is another user's is no proxy that does not run.
func TestASocketOfAnotherUser(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}
	if err := New("/s").unreachable(refused); errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "is not this user's") {
		t.Errorf("%v", err)
	}
}
