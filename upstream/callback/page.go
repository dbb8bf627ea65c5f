package callback

import (
	"html/template"
	"net/http"
)

// Page is what the browser shows at the end of a login. All fields are plain
// text; the page escapes them.
type Page struct {
	// Status is the HTTP status.
	Status int
	// Good marks success.
	Good  bool
	Title string
	Text  string
	// Next says what to do now.
	Next string
}

func malformed() Page {
	return Page{Status: http.StatusBadRequest, Title: "Not a login response",
		Text: "This address was opened without the parameters that an authorization server sends.",
		Next: "Nothing was changed. If a login is open, go on with it in its own tab."}
}

func unknown() Page {
	return Page{Status: http.StatusBadRequest, Title: "This login is not open here",
		Text: "The response belongs to no login that this proxy has open: it may be over, or it was begun by another process.",
		Next: "Nothing was changed. Begin again with `mcpproxy auth login`."}
}

// anothers is shown to another user of the machine, who may have read the login's address
// from the list of processes.
func anothers() Page {
	return Page{Status: http.StatusForbidden, Title: "This login belongs to another user",
		Text: "The response came from a program of another user of this machine than the proxy's.",
		Next: "Nothing was changed. If it is yours, paste this page's address where `mcpproxy auth login` waits."}
}

func (p Page) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "+
		"form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Connection", "close")
	w.WriteHeader(p.Status)
	_ = pageTemplate.Execute(w, p) // the browser went away: nobody is left to tell
}

var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}} · mcpproxy</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; display: grid; min-height: 100vh; place-items: center; }
main { max-width: 34rem; padding: 2rem; }
h1 { font-size: 1.5rem; margin: 0 0 .75rem; border-left: .4rem solid {{if .Good}}#2e7d32{{else}}#c62828{{end}}; padding-left: .75rem; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
<p>{{.Next}}</p>
</main>
</body>
</html>
`))
