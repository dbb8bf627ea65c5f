package wire

import (
	"context"
	"io"
	"net"
	"net/http"
)

// WriteDirectly has a transport's connections write the long requests of this
// package from where they lie: in one system call and without a copy, where nothing
// has to be encrypted. It is called once, before the transport is used, and after
// its DialContext is set.
func WriteDirectly(t *http.Transport) {
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dial(ctx, network, address)
		if tcp, ok := connection.(*net.TCPConn); ok {
			return directConn{tcp}, nil
		}
		return connection, err
	}
}

// directConn knows the bodies that are made of pieces.
type directConn struct{ *net.TCPConn }

// ReadFrom implements [io.ReaderFrom], which is how a transport hands a body to its
// connection. What it does not know is copied as ever.
func (c directConn) ReadFrom(from io.Reader) (int64, error) {
	limited, ok := from.(*io.LimitedReader)
	if !ok {
		return c.TCPConn.ReadFrom(from)
	}
	body, ok := limited.R.(*pieceReader)
	if !ok || body.piece > 0 || body.at > 0 || limited.N != body.from.size {
		return c.TCPConn.ReadFrom(from)
	}
	body.piece = body.from.count // nothing is left to be read
	n, err := body.from.writeTo(c.TCPConn)
	limited.N -= n
	return n, err
}
