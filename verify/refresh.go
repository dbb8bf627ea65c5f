package verify

import (
	"mcpproxy/credential"
	"mcpproxy/transitions"
)

// refresh is one attempt with the refresh token: the intent is noted, the token is
// sent, and what came of it is written before it is said.
func (x *explorer) refresh(w *world, j *job, add adder) {
	switch j.step {
	case noting:
		if x.single[j.name] && w.live(j) && w.refreshes() > 1 {
			return // the job is declared Single: it begins when the one before has ended
		}
		add("notes its intent", true, x.noteIntent)
		add("cannot note its intent", false, func(w *world, j *job) {
			in := transitions.Input{Event: transitions.TokenUnsaved}
			if d := &w.machine.Data; d.TokenUsable(w.now()) {
				in.Event = transitions.RefreshEnd(transitions.NotUsed, d, true, w.now())
			}
			j.ends(in)
		})
	case asking:
		x.sendRefresh(w, j, add)
	case ending:
		add("settles its intent", true, func(w *world, j *job) {
			if w.disk.intent != nil && w.disk.intent.ID == j.carry.intent.ID {
				w.disk.intent = nil
			}
			if j.step = reporting; j.result == nil {
				w.sweep(j) // nothing was sent, and nobody listens
			}
		})
		add("cannot settle its intent", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.TokenUnsaved}) })
	case dropping:
		add("erases the refresh token", true, x.dropRefresh)
		add("cannot erase the refresh token", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.TokenUnsaved}) })
	case saving:
		x.save(transitions.Refreshed, add)
	}
}

// refreshes counts the refresh jobs, late ones included.
func (w *world) refreshes() int {
	n := 0
	for i := range w.jobs {
		if w.jobs[i].name == transitions.JobRefresh {
			n++
		}
	}
	return n
}

// noteIntent is the store's compare-and-swap of an intent.
func (x *explorer) noteIntent(w *world, j *job) {
	intent := &credential.Intent{Generation: j.began.Token.Generation}
	if j.began.Uncertain != nil {
		intent.ID = j.began.Uncertain.ID
	} else {
		intent.ID = w.id("intent")
	}
	j.carry.intent = intent
	switch noted, kept := w.disk.intent, w.disk.token; {
	case w.disk.generation != intent.Generation, kept != nil && !kept.HasRefresh():
		j.ends(transitions.Input{Event: transitions.TokenSuperseded})
	case noted != nil && noted.ID != intent.ID:
		x.noAnswer(w, j, noted)
	default:
		w.disk.intent, j.step = intent, asking
	}
}

// noAnswer is a refresh that may have used the refresh token.
func (x *explorer) noAnswer(w *world, j *job, intent *credential.Intent) {
	if j.began.Uncertain != nil {
		x.giveUp(j, transitions.NoAnswer)
		return
	}
	event := transitions.RefreshEnd(transitions.NoAnswer, j.began, w.machine.Data.TokenUsable(w.now()), w.now())
	j.ends(transitions.Input{Event: event, Payload: transitions.Payload{Intent: intent}})
}

func (x *explorer) giveUp(j *job, failure transitions.RefreshFailure) {
	j.step, j.carry.failure = dropping, failure
}

func (x *explorer) dropRefresh(w *world, j *job) {
	if w.disk.generation != j.began.Token.Generation {
		j.ends(transitions.Input{Event: transitions.TokenSuperseded})
		return
	}
	if w.disk.token != nil {
		token := *w.disk.token
		token.Refresh = credential.Secret{}
		w.disk.token = &token
	}
	w.disk.intent = nil
	j.ends(transitions.Input{Event: transitions.RefreshEnd(j.carry.failure, j.began, w.machine.Data.TokenUsable(w.now()), w.now())})
}

// sendRefresh is the request: what the authorization server makes of it, and what
// of that arrives.
func (x *explorer) sendRefresh(w *world, j *job, add adder) {
	if !w.live(j) {
		// The state was left while the intent was being written: it is taken back.
		add("sends nothing any more", true, func(w *world, j *job) {
			if j.step = ending; j.began.Uncertain != nil {
				w.sweep(j) // that an earlier one was sent stays noted
			}
		})
		return
	}
	token := j.began.Token.Refresh
	known := w.grant(token)
	switch known.status {
	case valid:
		add("is given a new token", true, func(w *world, j *job) {
			x.rotate(w, j)
			j.step = saving
		})
		add("is given an answer that cannot be read", false, func(w *world, j *job) {
			x.rotate(w, j)
			j.carry.token = nil
			x.giveUp(j, transitions.AnswerLost)
		})
		add("is given a new token that does not arrive", false, func(w *world, j *job) {
			x.rotate(w, j)
			j.carry.token = nil
			x.noAnswer(w, j, j.carry.intent)
		})
		add("is given a new token in words that cannot be read", false, func(w *world, j *job) {
			x.rotate(w, j)
			j.carry.token = nil
			x.giveUp(j, transitions.GrantRefused) // as AnswerLost ends
		})
	case consumed:
		add("is refused for a refresh token that was used", true, func(w *world, j *job) {
			x.checkReuse(w, j)
			w.revokeFamily(j.began.Token)
			x.giveUp(j, transitions.GrantRefused)
		})
	}
	add("is refused (invalid_grant)", known.status == revoked, func(w *world, j *job) {
		x.checkReuse(w, j)
		w.revokeFamily(j.began.Token)
		x.giveUp(j, transitions.GrantRefused)
	})
	add("is asked for a nonce", false, x.demandNonce)
	add("has no answer, and was not seen", false, func(w *world, j *job) { x.noAnswer(w, j, j.carry.intent) })
	add("is not answered now", false, func(w *world, j *job) { x.postponed(w, j, transitions.NotUsed) })
	add("is answered with a page", false, func(w *world, j *job) { x.postponed(w, j, transitions.NotUsed) })
	add("finds no token endpoint", false, func(w *world, j *job) { x.postponed(w, j, transitions.NoEndpoint) })
	add("is refused in words that nobody knows", false, func(w *world, j *job) {
		x.checkReuse(w, j)
		if known.status == consumed {
			w.revokeFamily(j.began.Token)
		}
		present := &w.machine.Data
		if transitions.RefreshEnd(transitions.Refused, present, present.TokenUsable(w.now()), w.now()) == transitions.RefreshRefused {
			x.postponed(w, j, transitions.Refused)
			return
		}
		x.giveUp(j, transitions.GrantRefused) // as Refused ends the last time
	})
	add("the client is refused", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.ClientRejected}) })
	add("the client is forgotten", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.ClientForgotten}) })
}

// postponed is an answer after which another attempt follows: that of a gateway in front of
// the authorization server, none at all, or a refusal that nobody knows.
func (x *explorer) postponed(w *world, j *job, failure transitions.RefreshFailure) {
	present := &w.machine.Data
	event := transitions.RefreshEnd(failure, present, present.TokenUsable(w.now()), w.now())
	j.result = &transitions.Input{Event: event}
	if j.step = ending; j.began.Uncertain != nil {
		j.step = reporting
	}
}

// rotate consumes a refresh token and issues the next one of its family.
func (x *explorer) rotate(w *world, j *job) {
	x.checkReuse(w, j)
	old := w.grant(j.began.Token.Refresh)
	old.status = consumed
	next := w.newToken(j.began.Generation+1, true)
	next.RequestedScopes = j.began.Token.RequestedScopes
	w.server.grants = append(w.server.grants, refreshToken{id: next.Refresh.Reveal(), family: old.family})
	j.carry.token = next
}
