package admin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// maxHeader bounds the header of a request, in bytes, and readLimit how long a
// program may take to send one.
const (
	maxHeader = 64 << 10
	readLimit = 10 * time.Second
)

// NewHTTPServer returns a server for the handler, bounded in what a request may take.
// An answer may take as long as a login.
func NewHTTPServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: readLimit, ReadTimeout: readLimit, MaxHeaderBytes: maxHeader}
}

// own lets only this user's programs in, and root's, where the system says whose
// they are: the socket's mode may have been widened, and it is there for a moment
// before it is narrowed.
type own struct{ net.Listener }

func (l own) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if user, known := peer(conn); !known || user == 0 || user == os.Geteuid() {
			return conn, nil
		}
		_ = conn.Close()
	}
}

// Listen listens on the socket, with the mode 0600, for programs of this user and of
// root. A socket that nobody serves any more is replaced.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("another proxy is running: it serves %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return own{listener}, nil
}
