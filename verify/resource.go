package verify

import (
	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// connect is one attempt with the token that is current then.
func (x *explorer) connect(w *world, add adder) {
	accepts := x.options.Mode == Given || w.accepts(w.machine.Data.Token)
	add("agrees on the protocol", accepts, func(w *world, j *job) {
		j.ends(transitions.Input{Event: transitions.Handshaken})
		x.accepted(w, w.machine.Data.Token)
	})
	add("is answered with 401", !accepts, func(w *world, j *job) {
		j.ends(transitions.Input{Event: transitions.Unauthorized})
		generation := generationOf(w.machine.Data.Token)
		x.unauthorized(w, generation)
		x.checkRefused(w, generation)
	})
	if w.machine.Data.Token != nil && x.options.explores(forbid) {
		add("is answered with 403", false, func(w *world, j *job) {
			j.ends(transitions.Input{Event: transitions.Forbidden, Payload: transitions.Payload{Generation: generationOf(w.machine.Data.Token)}})
			x.forbidden(w, generationOf(w.machine.Data.Token))
		})
	}
	add("cannot reach the server", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.TransportFailed}) })
	add("does not understand the server", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.ProtocolFailed}) })
}

// accepts is what a resource server that behaves says to a token.
func (w *world) accepts(token *credential.Token) bool {
	if token == nil || !token.UsableAt(w.now()) {
		return false
	}
	return !token.HasRefresh() || w.grant(token.Refresh).status != revoked
}

func generationOf(token *credential.Token) uint64 {
	if token == nil {
		return 0
	}
	return token.Generation
}

func (x *explorer) accepted(w *world, token *credential.Token) {
	if token != nil && w.machine.Data.Accepted != token.Generation {
		_ = x.fire(w, transitions.Input{Event: transitions.TokenAccepted, Payload: transitions.Payload{Generation: token.Generation}})
		if d := &w.machine.Data; w.state(states.Credential) == states.Fresh && d.Token == token && d.Accepted != token.Generation {
			x.violated(currentToken, "the current token was taken, and that is not known")
		}
	}
}

func (x *explorer) unauthorized(w *world, generation uint64) {
	event := transitions.RefusalEnd(&w.machine.Data, generation, w.now())
	if event != "" {
		_ = x.fire(w, transitions.Input{Event: event, Payload: transitions.Payload{Generation: generation}})
	}
	if d := &w.machine.Data; event == transitions.TokenRefused && (w.state(states.Credential) == states.Fresh ||
		w.place().Is(transitions.Obtaining)) && generationOf(d.Token) == generation && d.KeepsToken() {
		x.violated(currentToken, "the current token was refused, and that is not known")
	}
}

func (x *explorer) nonceDemanded(w *world, generation uint64) {
	_ = x.fire(w, transitions.Input{Event: transitions.NonceDemanded, Payload: transitions.Payload{Generation: generation}})
}

// missingScope is what the resource server's 403 asks for.
const missingScope = "more"

func (x *explorer) forbidden(w *world, generation uint64) {
	_ = x.fire(w, transitions.Input{Event: transitions.ScopeInsufficient,
		Payload: transitions.Payload{Generation: generation,
			Challenge: states.Challenge{Error: "insufficient_scope", Scopes: []string{missingScope}}}})
	x.propose(w)
}
