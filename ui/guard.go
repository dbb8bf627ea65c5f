package ui

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

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
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
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
