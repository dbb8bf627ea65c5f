// Package ui is the proxy's page for users: what every upstream is doing, live,
// with the state graph, the journal, and buttons for what a user may do.
//
// It promises that it is not there until someone who can speak to the proxy's
// socket asks for it ([Page.Invite]); that only browsers of this machine reach it,
// by a loopback name; that an invitation is good once, for a minute and for a
// program of its user (package loopback), and is exchanged for a cookie that scripts
// cannot read and other sites cannot send; and that no other site's page can make it do anything. It knows nothing of upstreams:
// it shows what the admin interface says, and passes requests on to it. Its files are
// in the program, and refer to nothing outside it.
package ui

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"mcpproxy/loopback"
)

//go:embed static pictures
var files embed.FS

const (
	// invitationLife is how long an invitation can be taken up.
	invitationLife = time.Minute
	// sessionLife is how long a browser that does not ask keeps its session.
	sessionLife = 12 * time.Hour
	// maxSessions bounds the browsers; the one that was used longest ago makes room.
	maxSessions = 16

	cookieName = "mcpproxy_page"
	// csrfHeader carries the session's token with each request that changes something, so that a page that can
	// make the browser send its cookie still cannot change anything.
	csrfHeader = "X-Mcpproxy-Csrf"
)

// Page serves the page. All methods are safe for concurrent use.
type Page struct {
	api     http.Handler
	version string

	mu sync.Mutex
	// invitations and sessions are found by the digest of their secret.
	invitations map[digest]time.Time
	sessions    map[digest]*session
}

type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

// session is one browser's.
type session struct {
	csrfToken string
	used      time.Time
}

// New returns a page that nobody is invited to. api is the admin interface
// (admin.Handler); the page passes on what it shows and what users ask for.
func New(api http.Handler, version string) *Page {
	return &Page{api: api, version: version, invitations: map[digest]time.Time{}, sessions: map[digest]*session{}}
}

// ErrNotLoopback says that the proxy does not listen on an address that a browser
// of this machine reaches as its own.
var ErrNotLoopback = errors.New("the page is served to this machine alone, and the proxy does not listen on a loopback address; serve " +
	"with --listen 127.0.0.1:8930")

// Invite returns the address that opens the page in a browser once, within a
// minute. at is where the proxy listens. The error is [ErrNotLoopback].
func (p *Page) Invite(at net.Addr) (string, error) {
	tcp, ok := at.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() && !tcp.IP.IsUnspecified() {
		return "", ErrNotLoopback
	}
	host := "127.0.0.1"
	if tcp.IP.IsLoopback() {
		host = tcp.IP.String()
	}
	token := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(time.Now())
	p.invitations[digestOf(token)] = time.Now().Add(invitationLife)
	return "http://" + net.JoinHostPort(host, fmt.Sprint(tcp.Port)) + "/ui/open?invitation=" + token, nil
}

// shown and commands are what of the admin interface the page passes on.
var (
	shown    = []string{"version", "events", "upstreams", "upstreams/{name}", "upstreams/{name}/journal", "upstreams/{name}/explain"}
	commands = []string{"login", "logout", "cancel", "connect", "disconnect", "retry"}
)

// Handler serves everything below /ui/.
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ui/open", p.open)
	mux.HandleFunc("GET /ui/{$}", p.page)
	mux.HandleFunc("GET /ui/static/{file}", file("static"))
	mux.HandleFunc("GET /ui/pictures/{file}", file("pictures"))
	mux.Handle("POST /ui/leave", p.ofSession(http.HandlerFunc(p.leave)))
	passed := p.ofSession(http.StripPrefix("/ui/api", p.api))
	for _, path := range shown {
		mux.Handle("GET /ui/api/v1/"+path, passed)
	}
	for _, command := range commands {
		mux.Handle("POST /ui/api/v1/upstreams/{name}/"+command, passed)
	}
	return p.guard(mux)
}

// ofSession demands a session, and with everything but reading its CSRF token.
func (p *Page) ofSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := p.csrfTokenOf(r)
		switch {
		case !ok:
			http.Error(w, "this browser has no session; run: mcpproxy ui", http.StatusUnauthorized)
		case r.Method != http.MethodGet && subtle.ConstantTimeCompare([]byte(r.Header.Get(csrfHeader)), []byte(token)) != 1:
			http.Error(w, "the page's token is missing; load the page again", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// open exchanges the invitation, and goes on to the page from a page of its own: a
// redirect would count as coming from where the invitation was followed, and the
// browser would keep the cookie back.
func (p *Page) open(w http.ResponseWriter, r *http.Request) {
	if loopback.Foreign(r) { // the invitation stays good
		http.Error(w, "this invitation is for another user of this machine", http.StatusForbidden)
		return
	}
	invitation := r.URL.Query().Get("invitation")
	if r.Method == http.MethodHead && p.stands(invitation) { // see Followed
		return
	}
	secret, ok := p.accept(invitation)
	if !ok {
		p.uninvited(w)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: secret, Path: "/ui/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	render(w, http.StatusOK, "opened", nil)
}

func (p *Page) page(w http.ResponseWriter, r *http.Request) {
	token, ok := p.csrfTokenOf(r)
	if !ok {
		p.uninvited(w)
		return
	}
	render(w, http.StatusOK, "page", map[string]string{"CsrfToken": token, "Version": p.version})
}

func (p *Page) uninvited(w http.ResponseWriter) {
	render(w, http.StatusUnauthorized, "uninvited", nil)
}

var types = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// file serves a file that is in the program.
func file(directory string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("file")
		kind := types[name[max(strings.LastIndexByte(name, '.'), 0):]]
		content, err := fs.ReadFile(files, directory+"/"+name)
		if err != nil || kind == "" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(content) // the browser went away
	}
}

var templates = template.Must(template.ParseFS(files, "static/*.html"))

func render(w http.ResponseWriter, status int, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = templates.ExecuteTemplate(w, name+".html", data) // the browser went away
}
