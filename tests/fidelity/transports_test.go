package fidelity_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// overHTTP serves an odd server for each transport that goes over HTTP.
func overHTTP() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/session", session(newOdd(), false))
	mux.Handle("/events", session(newOdd(), true))
	mux.Handle("/stateless", stateless(newOdd()))
	old := &sse{odd: newOdd(), streams: map[string]func(string){}}
	mux.HandleFunc("GET /sse", old.listen)
	mux.HandleFunc("POST /message", old.post)
	return mux
}

// session is streamable HTTP of MCP 2025-11-25; with events it answers every request
// with a stream.
func session(o *odd, events bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		text, _ := io.ReadAll(r.Body) // what is cut is no message
		if strings.Contains(string(text), `"server/discover"`) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Mcp-Session-Id", "s")
		respond(w, r, o, text, events)
	}
}

// stateless is streamable HTTP of MCP 2026-07-28.
func stateless(o *odd) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		respond(w, r, o, text, strings.Contains(string(text), `"progressToken"`))
	}
}

func respond(w http.ResponseWriter, r *http.Request, o *odd, text []byte, events bool) {
	if !strings.Contains(string(text), `"method"`) || !strings.Contains(string(text), `"id"`) {
		o.receive(text, nil, nil)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if !events {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, o.receive(text, func(string) {}, r.Context().Done()))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	say := func(text string) { writeEvent(w, "", text) }
	say(o.receive(text, say, r.Context().Done()))
}

func writeEvent(w http.ResponseWriter, name, text string) {
	if name != "" {
		_, _ = fmt.Fprintf(w, "event: %s\n", name)
	}
	_, _ = fmt.Fprintf(w, "data: %s\n\n", strings.ReplaceAll(text, "\n", "\ndata: "))
	w.(http.Flusher).Flush()
}

// sse is HTTP with server-sent events of MCP 2024-11-05.
type sse struct {
	odd     *odd
	mu      sync.Mutex
	streams map[string]func(string)
	next    int
}

func (s *sse) listen(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	var writing sync.Mutex
	over := false
	say := func(text string) {
		writing.Lock()
		defer writing.Unlock()
		if !over {
			writeEvent(w, "message", text)
		}
	}
	s.mu.Lock()
	s.next++
	id := fmt.Sprint(s.next)
	s.streams[id] = say
	s.mu.Unlock()
	writing.Lock()
	writeEvent(w, "endpoint", "/message?stream="+id)
	writing.Unlock()
	<-r.Context().Done()
	writing.Lock()
	over = true
	writing.Unlock()
}

func (s *sse) post(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	say := s.streams[r.URL.Query().Get("stream")]
	s.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
	if say == nil {
		return
	}
	go func() {
		if answer := s.odd.receive(text, say, nil); answer != "" {
			say(answer)
		}
	}()
}
