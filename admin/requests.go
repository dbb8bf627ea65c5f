package admin

import (
	"encoding/json"
	"errors"
	"net/http"

	"mcpproxy/admin/api"
	"mcpproxy/fsm"
	"mcpproxy/status"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// refusedError is a machine's refusal for the user whose request it was: what can be
// done instead is said in commands.
type refusedError struct {
	error
	can []status.Action
}

func (e *refusedError) Error() string {
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

func (e *refusedError) Unwrap() error { return e.error }

func answer(w http.ResponseWriter, u *upstream.Upstream, out transitions.Outcome, err error) error {
	if refusalOf(err) != nil {
		return &refusedError{err, u.Status().Actions}
	}
	return answered(w, out, err)
}

func answered(w http.ResponseWriter, out transitions.Outcome, err error) error {
	if err != nil {
		return err
	}
	return reply(w, api.Outcome{
		Disposition: out.Disposition,
		From:        string(out.From),
		To:          string(out.To),
		Epoch:       out.Epoch,
		Reason:      out.Reason,
	})
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
func (a *handler) logout(w http.ResponseWriter, r *http.Request) error {
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
// the request.
func login(w http.ResponseWriter, r *http.Request, u *upstream.Upstream) error {
	if r.PostFormValue("wait") == "no" {
		out, err := u.RequestLogin(r.Context())
		return answer(w, u, out, err)
	}
	lines, control, begun := json.NewEncoder(w), http.NewResponseController(w), false
	say := func(report api.Report) {
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
		say(api.Report{Flow: p.Flow, URL: p.URL, Shown: p.Shown.How, Detail: p.Shown.Detail, Deadline: p.Deadline, Since: p.Since})
	})
	last := api.Report{Done: true}
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
