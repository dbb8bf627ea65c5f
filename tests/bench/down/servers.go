package down

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
)

// Kinds are the ways to fail.
var Kinds = []string{
	"refused",  // nothing listens at the port
	"silent",   // connections are taken, and nothing is answered
	"dns",      // the name is not known
	"503",      // the server is not available
	"exit",     // a child process that ends at once, with a word to its stderr
	"flapping", // a server that agrees on the protocol and breaks right after it
}

// servers are those that fail, and count how often they are asked.
type servers struct {
	met      atomic.Int64
	refused  string
	silent   net.Listener
	busy     *httptest.Server
	flapping *httptest.Server

	mu   sync.Mutex
	held []net.Conn
	work sync.WaitGroup
}

func open() (*servers, error) {
	s := &servers{}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.refused = free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	if s.silent, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	s.work.Go(s.hold)
	s.busy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.met.Add(1)
		http.Error(w, "out of service", http.StatusServiceUnavailable)
	}))
	s.flapping = httptest.NewServer(http.HandlerFunc(s.flap))
	return s, nil
}

// hold takes connections and says nothing.
func (s *servers) hold() {
	for {
		conn, err := s.silent.Accept()
		if err != nil {
			return
		}
		s.met.Add(1)
		s.mu.Lock()
		s.held = append(s.held, conn)
		s.mu.Unlock()
	}
}

// flap agrees on the protocol, and forgets the session before its stream opens.
func (s *servers) flap(w http.ResponseWriter, r *http.Request) {
	s.met.Add(1)
	var asked struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	switch {
	case r.Method != http.MethodPost:
		panic(http.ErrAbortHandler)
	case json.NewDecoder(r.Body).Decode(&asked) != nil || asked.Method == "notifications/initialized":
		w.WriteHeader(http.StatusAccepted)
	case asked.Method == "initialize":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Mcp-Session-Id", "flapping")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"flapping","version":"1"}}}`, asked.ID)
	default:
		http.Error(w, "there is no such session", http.StatusNotFound)
	}
}

// entry is the configuration of an upstream of the kind.
func (s *servers) entry(kind string, n int) (map[string]any, error) {
	switch kind {
	case "refused":
		return map[string]any{"url": fmt.Sprintf("http://%s/%d", s.refused, n)}, nil
	case "silent":
		return map[string]any{"url": fmt.Sprintf("http://%s/%d", s.silent.Addr(), n)}, nil
	case "dns":
		return map[string]any{"url": fmt.Sprintf("https://n%d.mcpproxy.invalid/mcp", n)}, nil
	case "503":
		return map[string]any{"url": fmt.Sprintf("%s/%d", s.busy.URL, n)}, nil
	case "flapping":
		return map[string]any{"url": fmt.Sprintf("%s/%d", s.flapping.URL, n)}, nil
	case "exit":
		return map[string]any{"command": "/bin/sh", "args": []string{"-c", "echo cannot begin >&2; exit 1"}}, nil
	}
	return nil, fmt.Errorf("there is no kind %q; there are: %v", kind, slices.Clone(Kinds))
}

func (s *servers) close() {
	_ = s.silent.Close()
	s.work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.held {
		_ = conn.Close()
	}
	s.busy.Close()
	s.flapping.CloseClientConnections()
	s.flapping.Close()
}
