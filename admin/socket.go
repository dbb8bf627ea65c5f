package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
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

// served reports whether a process listens on the socket, however busy it is: only a
// refused connection says that none does.
func served(path string) bool {
	conn, err := net.DialTimeout("unix", path, readLimit)
	if err == nil {
		_ = conn.Close()
	}
	return !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist)
}

// Listen listens on the socket, with the mode 0600, for programs of this user and of
// root. A socket that nobody serves any more is replaced, and nothing else is.
func Listen(path string) (net.Listener, error) {
	cannot := func(err error) error {
		return fmt.Errorf("the socket %s cannot be made: %w; name another one (--socket)", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, cannot(err)
	}
	switch info, err := os.Lstat(path); {
	case err == nil && info.Mode()&os.ModeSocket == 0:
		return nil, cannot(errors.New("there is a file of that name"))
	case err == nil && served(path):
		return nil, fmt.Errorf("another proxy is running: it serves %s; end it, or name another socket (--socket)", path)
	case err == nil:
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, cannot(err)
		}
	}
	listener, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EINVAL) {
		return nil, cannot(fmt.Errorf("systems allow about a hundred bytes for its path, and this one has %d", len(path)))
	}
	if err != nil {
		return nil, cannot(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return own{listener}, nil
}
