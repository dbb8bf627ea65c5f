package proxy

import (
	"html/template"
	"net/http"
	"strings"
)

// loginPage offers a login to a user at a browser: it says what it is for, and
// begins it when the user says so.
func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	page := struct{ Upstream, Failure string }{Upstream: r.PathValue("upstream")}
	status := http.StatusOK
	switch _, found := s.options.Upstreams.Upstream(page.Upstream); {
	case !found:
		status, page.Failure = http.StatusNotFound, "There is no upstream of this name. Configured are: "+
			strings.Join(s.options.Upstreams.Names(), ", ")+"."
	case r.Method == http.MethodPost:
		target, err := s.options.Login(r.Context(), page.Upstream)
		if err == nil {
			w.Header().Set("Referrer-Policy", "no-referrer")
			http.Redirect(w, r, target, http.StatusSeeOther)
			return
		}
		status, page.Failure = http.StatusConflict, err.Error()
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_ = loginTemplate.Execute(w, page) // the browser went away
}

var loginTemplate = template.Must(template.New("login").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in to {{.Upstream}}</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 34rem; margin: 15vh auto 0; padding: 0 1.5rem }
button { font: inherit; padding: .6rem 1.4rem }
</style>
</head>
<body>
<h1>Log in to {{.Upstream}}</h1>
{{if .Failure}}<p role="alert">{{.Failure}}</p>{{else}}<p>A call through mcpproxy needs your login to the server “{{.Upstream}}”.
The button leads to its login page; afterwards the call goes on.</p>
<form method="post"><button autofocus>Go to the login page</button></form>{{end}}
</body>
</html>
`))
