package callback

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"

	"mcpproxy/credential"
	"mcpproxy/loopback"
)

// outcomePath shows the outcome of a response under an address without the code
// in it, so that the code leaves the address bar.
const outcomePath = Path + "/outcome/"

// routes serves the paths of redirect addresses and the outcomes; nothing else exists.
func (s *Server) routes(l *listener) http.Handler {
	o := &outcomes{pages: map[string]chan Page{}}
	mux := http.NewServeMux()
	mux.HandleFunc(Path, func(w http.ResponseWriter, r *http.Request) { s.respond(w, r, l, o) })
	mux.HandleFunc(outcomePath+"{id}", func(w http.ResponseWriter, r *http.Request) { o.show(w, r) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if !s.serves(l, r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		s.respond(w, r, l, o)
	})
	return onlyFor(l.port, mux)
}

func (s *Server) serves(l *listener, path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.paths[path]
}

// onlyFor refuses requests that a browser did not mean for this listener: DNS
// rebinding shows in the Host header.
func onlyFor(port int, next http.Handler) http.Handler {
	allowed := map[string]bool{
		net.JoinHostPort("127.0.0.1", strconv.Itoa(port)): true,
		net.JoinHostPort("localhost", strconv.Itoa(port)): true,
		net.JoinHostPort("::1", strconv.Itoa(port)):       true,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowed[r.Host] {
			http.Error(w, "this listener answers on the loopback address only", http.StatusMisdirectedRequest)
			return
		}
		if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
			http.Error(w, "this address is for the browser's address bar only", http.StatusForbidden)
			return
		}
		// net/http's patterns take HEAD for GET, and a code is spent by whoever shows it
		// first: a program that only looks at addresses must not.
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "this address is opened with GET only", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// respond hands a response to its flow and sends the browser on to the outcome.
func (s *Server) respond(w http.ResponseWriter, r *http.Request, l *listener, o *outcomes) {
	query := r.URL.Query()
	state := query["state"]
	if len(state) != 1 || state[0] == "" || len(r.URL.RawQuery) > 16<<10 {
		malformed().write(w)
		return
	}
	handle, open := s.find(l, credential.NewSecret(state[0]))
	switch {
	case handle == nil:
		s.logger.Warn("a response for a login that this process does not know was refused", "port", l.port)
		unknown().write(w)
	case open && loopback.Foreign(r):
		s.logger.Warn("the response of a login came from another user's program and was refused; the login stays open", "port", l.port)
		anothers().write(w)
	case !open:
		handle(r.Context(), query).write(w)
	default:
		// The login goes on when the browser gives up waiting.
		id := o.begin(func(ctx context.Context) Page { return handle(ctx, query) }, &s.work)
		http.Redirect(w, r, outcomePath+id, http.StatusSeeOther)
	}
}

// outcomes holds the pages of responses that are being handled.
type outcomes struct {
	mu    sync.Mutex
	pages map[string]chan Page
}

// begin handles a response in the background and returns the id of its outcome.
func (o *outcomes) begin(handle func(context.Context) Page, work *sync.WaitGroup) string {
	id := rand.Text()
	ready := make(chan Page, 1)
	o.mu.Lock()
	o.pages[id] = ready
	o.mu.Unlock()
	work.Go(func() { ready <- handle(context.Background()) })
	return id
}

func (o *outcomes) show(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	o.mu.Lock()
	ready := o.pages[id]
	o.mu.Unlock()
	if ready == nil {
		unknown().write(w)
		return
	}
	select {
	case page := <-ready:
		ready <- page // for a reload of the page
		page.write(w)
	case <-r.Context().Done():
	}
}

// Pasted is a response that a user pasted instead of the browser bringing it;
// handle is asked as if it had.
func (s *Server) Pasted(ctx context.Context, query map[string][]string) (Page, error) {
	state := query["state"]
	if len(state) != 1 || state[0] == "" {
		return Page{}, fmt.Errorf("the pasted address has no state parameter: paste the whole address that the browser ended on")
	}
	s.mu.Lock()
	var handle Handler
	for _, l := range s.listeners {
		if found := l.flows[credential.NewSecret(state[0])]; found != nil {
			handle = found
		}
	}
	for _, past := range s.ended {
		if handle == nil && past.state == credential.NewSecret(state[0]) {
			handle = past.late
		}
	}
	s.mu.Unlock()
	if handle == nil {
		return Page{}, fmt.Errorf("the pasted address belongs to no login that is open here: begin again and paste the address of that login")
	}
	return handle(ctx, query), nil
}
