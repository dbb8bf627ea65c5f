package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// Outcome is what the machine answered to a person's wish.
type Outcome struct {
	Disposition fsm.Disposition `json:"disposition"`
	From        string          `json:"from"`
	To          string          `json:"to"`
	Epoch       uint64          `json:"epoch"`
	// Reason is why a wish was joined, postponed or ignored, and of a logout that was done
	// what is still good at the authorization server.
	Reason string `json:"reason,omitempty"`
}

// Report is one line of a login's answer: progress, or the outcome.
type Report struct {
	Flow string `json:"flow,omitempty"`
	URL  string `json:"url,omitempty"`
	// Shown says what became of showing the page, with the detail: why the browser was not opened, or the code to enter.
	Shown    states.Showing `json:"shown,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	Deadline time.Time      `json:"deadline,omitzero"`
	// Since is the generation of the token that was there when the login began; whoever
	// asks for the login again at the next proxy says it.
	Since uint64 `json:"since,omitempty"`
	// Done marks the last line; Error is why it failed, or empty, and Reason the reason
	// that the upstream then has for needing a person.
	Done   bool          `json:"done,omitempty"`
	Error  string        `json:"error,omitempty"`
	Reason states.Reason `json:"reason,omitempty"`
}

// refusedWish is a machine's refusal for the person whose wish it was: what can be
// done instead is said in commands.
type refusedWish struct {
	error
	can []upstream.Action
}

func (e *refusedWish) Error() string {
	text := fsm.Brief(e.error) + "; nothing was changed."
	for i, a := range e.can {
		if i == 0 {
			text += " You can run: "
		} else {
			text += "; "
		}
		text += a.Command + " (" + a.Why + ")"
	}
	return text
}

func (e *refusedWish) Unwrap() error { return e.error }

func answer(w http.ResponseWriter, u *upstream.Upstream, out transitions.Outcome, err error) error {
	if refusalOf(err) != nil {
		return &refusedWish{err, u.Status().Actions}
	}
	return answered(w, out, err)
}

func answered(w http.ResponseWriter, out transitions.Outcome, err error) error {
	if err != nil {
		return err
	}
	return reply(w, Outcome{out.Disposition, string(out.From), string(out.To), out.Epoch, out.Reason})
}

func connect(w http.ResponseWriter, _ *http.Request, u *upstream.Upstream) error {
	out, err := u.Connect(fsm.Person)
	return answer(w, u, out, err)
}

func disconnect(w http.ResponseWriter, _ *http.Request, u *upstream.Upstream) error {
	out, err := u.Disconnect(fsm.Person)
	return answer(w, u, out, err)
}

func retry(w http.ResponseWriter, _ *http.Request, u *upstream.Upstream) error {
	out, err := u.Retry()
	return answer(w, u, out, err)
}

func cancel(w http.ResponseWriter, _ *http.Request, u *upstream.Upstream) error {
	out, err := u.CancelLogin()
	return answer(w, u, out, err)
}

// logout is also for upstreams that are inactive.
func (a *api) logout(w http.ResponseWriter, r *http.Request) error {
	out, err := a.instance.Manager.Logout(r.Context(), r.PathValue("name"))
	if u, unknown := a.instance.Manager.Get(r.PathValue("name")); unknown == nil {
		return answer(w, u, out, err)
	}
	return answered(w, out, err)
}

// login streams the progress of a login, one JSON line each, to its outcome. With
// browser=none no browser is opened here, with client=new a client is registered for it,
// and a login that is open is given up. With since a login that was begun at a proxy that
// has ended is followed to its end. With wait=no it only says what becomes of
// the wish.
func login(w http.ResponseWriter, r *http.Request, u *upstream.Upstream) error {
	if r.PostFormValue("wait") == "no" {
		out, err := u.RequestLogin(r.Context())
		return answer(w, u, out, err)
	}
	lines, control, begun := json.NewEncoder(w), http.NewResponseController(w), false
	say := func(report Report) {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("Cache-Control", "no-store")
		}
		_ = lines.Encode(report) // the client went away; the login stays open
		_ = control.Flush()
	}
	o := upstream.LoginOptions{Elsewhere: r.PostFormValue("browser") == "none", Register: r.PostFormValue("client") == "new"}
	if r.PostForm.Has("since") {
		since, err := count(r.PostForm, "since")
		if err != nil {
			return err
		}
		generation := uint64(since)
		o.Since = &generation
	}
	err := u.LoginWith(r.Context(), o, func(p upstream.Progress) {
		say(Report{Flow: p.Flow, URL: p.URL, Shown: p.Shown.How, Detail: p.Shown.Detail, Deadline: p.Deadline, Since: p.Since})
	})
	last := Report{Done: true}
	var ended *upstream.LoginError
	switch {
	case err == nil:
	case !errors.As(err, &ended) && !begun:
		return err // no login was begun
	default:
		last.Error = err.Error()
		if ended != nil {
			last.Reason = ended.Reason
		}
	}
	say(last)
	return nil
}
