// Package ui is the proxy's page for people: what every upstream is doing, live,
// with the state graph, the journal, and buttons for what a person may do.
//
// It promises that it is not there until somebody who can speak to the proxy's
// socket asks for it ([Page.Invite]); that only browsers of this machine reach it,
// by a loopback name; that an invitation is good once and for a minute, and is
// exchanged for a cookie that scripts cannot read and other sites cannot send; and
// that no other site's page can make it do anything. It knows nothing of upstreams:
// it shows what the admin interface says, and passes wishes on to it. Its files are
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
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
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
	// wishHeader carries the session's token with each wish, so that a page that can
	// make the browser send its cookie still cannot wish for anything.
	wishHeader = "X-Mcpproxy-Wish"
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
	wish string
	used time.Time
}

// New returns a page that nobody is invited to. api is the admin interface
// (admin.Handler); the page passes on what it shows and what people wish for.
func New(api http.Handler, version string) *Page {
	return &Page{api: api, version: version, invitations: map[digest]time.Time{}, sessions: map[digest]*session{}}
}

// ErrNotLoopback says that the proxy does not listen on an address that a browser
// of this machine reaches as its own.
var ErrNotLoopback = errors.New("the page is served to this machine alone, and the proxy does not listen on a loopback address; serve with --listen 127.0.0.1:8930")

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

// sweep forgets what is over. p.mu is held.
func (p *Page) sweep(now time.Time) {
	for key, until := range p.invitations {
		if now.After(until) {
			delete(p.invitations, key)
		}
	}
	for key, s := range p.sessions {
		if now.Sub(s.used) > sessionLife {
			delete(p.sessions, key)
		}
	}
}

// off reports whether nobody is invited and nobody is there.
func (p *Page) off() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(time.Now())
	return len(p.invitations)+len(p.sessions) == 0
}

// accept exchanges an invitation for a session's secret.
func (p *Page) accept(invitation string) (secret string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.sweep(now)
	key := digestOf(invitation)
	if _, ok := p.invitations[key]; !ok {
		return "", false
	}
	delete(p.invitations, key)
	if len(p.sessions) >= maxSessions {
		p.dropOldest()
	}
	secret = rand.Text()
	p.sessions[digestOf(secret)] = &session{wish: rand.Text(), used: now}
	return secret, true
}

func (p *Page) dropOldest() {
	var oldest digest
	for key, s := range p.sessions {
		if first := p.sessions[oldest]; first == nil || s.used.Before(first.used) {
			oldest = key
		}
	}
	delete(p.sessions, oldest)
}

// wishOf returns the wish token of the browser's session.
func (p *Page) wishOf(r *http.Request) (wish string, ok bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return "", false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.sweep(now)
	s := p.sessions[digestOf(cookie.Value)]
	if s == nil {
		return "", false
	}
	s.used = now
	return s.wish, true
}

// shown and wished are what of the admin interface the page passes on.
var (
	shown  = []string{"version", "events", "upstreams", "upstreams/{name}", "upstreams/{name}/journal", "upstreams/{name}/explain"}
	wished = []string{"login", "logout", "cancel", "connect", "disconnect", "retry"}
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
	for _, wish := range wished {
		mux.Handle("POST /ui/api/v1/upstreams/{name}/"+wish, passed)
	}
	return p.guard(mux)
}

// guard refuses what no browser of this machine sends on behalf of this page, and
// says nothing at all while nobody is invited.
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		switch {
		case p.off():
			http.NotFound(w, r)
		case !fromHere(r.RemoteAddr) || !loopbackName(r.Host):
			http.Error(w, "this page is for browsers of this machine, by a loopback name", http.StatusForbidden)
		case !ofThisPage(r):
			http.Error(w, "requests of other pages are not served", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// secure has the browser load nothing from elsewhere, run no other script, and show
// the page in no frame.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

func fromHere(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

func loopbackName(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// ofThisPage reports whether a request comes from this page or from the address bar.
// An invitation may be followed from anywhere: whoever knows it was given it.
func ofThisPage(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		from, err := url.Parse(origin)
		if err != nil || from.Scheme != "http" || from.Host != r.Host {
			return false
		}
	}
	invited := r.Method == http.MethodGet && r.URL.Path == "/ui/open"
	return invited || slices.Contains([]string{"", "none", "same-origin"}, r.Header.Get("Sec-Fetch-Site"))
}

// ofSession demands a session, and with everything but reading its wish token.
func (p *Page) ofSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wish, ok := p.wishOf(r)
		switch {
		case !ok:
			http.Error(w, "this browser has no session; run: mcpproxy ui", http.StatusUnauthorized)
		case r.Method != http.MethodGet && subtle.ConstantTimeCompare([]byte(r.Header.Get(wishHeader)), []byte(wish)) != 1:
			http.Error(w, "the page's token is missing; load the page anew", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// open exchanges the invitation, and goes on to the page from a page of its own: a
// redirect would count as coming from where the invitation was followed, and the
// browser would keep the cookie back.
func (p *Page) open(w http.ResponseWriter, r *http.Request) {
	secret, ok := p.accept(r.URL.Query().Get("invitation"))
	if !ok {
		p.uninvited(w)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: secret, Path: "/ui/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	render(w, http.StatusOK, "opened", nil)
}

func (p *Page) page(w http.ResponseWriter, r *http.Request) {
	wish, ok := p.wishOf(r)
	if !ok {
		p.uninvited(w)
		return
	}
	render(w, http.StatusOK, "page", map[string]string{"Wish": wish, "Version": p.version})
}

func (p *Page) uninvited(w http.ResponseWriter) {
	render(w, http.StatusUnauthorized, "uninvited", nil)
}

// leave ends the session.
func (p *Page) leave(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return // ofSession has seen it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sessions, digestOf(cookie.Value))
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/ui/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
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
