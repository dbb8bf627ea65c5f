package transitions

import (
	"fmt"
	"strings"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
)

// The machine of an upstream, spelled once.
type (
	// Machine is one upstream's machine.
	Machine = fsm.Machine[states.State, Event, states.Data, Payload]
	// Snapshot is an upstream at one moment.
	Snapshot = fsm.Snapshot[states.State, Event, states.Data, Payload]
	// Place is what is true of a state whatever upstream is in it.
	Place = fsm.Place[states.State]
	// Spec is the declaration.
	Spec = fsm.Spec[states.State, Event, states.Data, Payload]
	// Graph is the compiled definition.
	Graph = fsm.Definition[states.State, Event, states.Data, Payload]
	// Input is one event on its way into the machine.
	Input = fsm.Input[Event, Payload]
	// Move is one accepted transition.
	Move = fsm.Move[states.State, Event, states.Data, Payload]
	// Order is a job to do.
	Order = fsm.Order[states.State, Event, states.Data, Payload]
	// Effect performs a job.
	Effect = fsm.Effect[states.State, Event, states.Data, Payload]
	// Steps is everything that one event came to.
	Steps = fsm.Steps[states.State, Event, states.Data, Payload]
	// Outcome is what became of an event.
	Outcome = fsm.Outcome[states.State]
)

// Payload is what an event carries; each event uses the fields that its doc
// line implies and leaves the others zero.
type Payload struct {
	// Generation of the token that the event speaks of.
	Generation uint64
	Token      *credential.Token
	Flow       *credential.Flow
	Discovery  *credential.Discovery
	Intent     *credential.Intent
	// Nonce is what the token endpoint wants in the next proof (RFC 9449 section 8).
	Nonce string
	// Code is the authorization code.
	Code      credential.Secret
	Challenge states.Challenge
	// RetryAt is when the next attempt is due.
	RetryAt time.Time
	// NotBefore is what the authorization server asked for by Retry-After.
	NotBefore time.Time
	Reason    states.Reason
	// Shown says what became of showing the login's page.
	Shown states.Shown
	// NewClient asks for a login with a client that is registered for it.
	NewClient bool
	// Answered says that the authorization server has answered the login's page, and
	// knows the client.
	Answered bool
	// Revocation says what the authorization server made of the logout (RFC 7009).
	Revocation string
	// Parts are those that the connection lacks, or the one that the event is about.
	Parts []states.Part
	Err   error
}

// Plan plans the next attempt: after pause, and not before what the server asked for.
func (p *Payload) Plan(now time.Time, asked, pause time.Duration) {
	p.RetryAt = now.Add(max(asked, pause))
	if asked > 0 {
		p.NotBefore = now.Add(asked)
	}
}

// Note implements [fsm.Noter]: the payload in a few words, without secrets.
func (p Payload) Note() string {
	var words []string
	if p.Discovery != nil {
		words = append(words, p.Discovery.Sources())
	}
	if p.Flow != nil {
		words = append(words, flowNote(p.Flow))
	}
	if p.Token != nil {
		words = append(words, tokenNote(p.Token))
	} else if p.Generation != 0 {
		words = append(words, fmt.Sprintf("generation %d", p.Generation))
	}
	if p.Intent != nil {
		words = append(words, "a refresh sent at "+p.Intent.StartedAt.UTC().Format(time.RFC3339)+" has no known outcome")
	}
	if p.Reason != "" {
		words = append(words, string(p.Reason))
	}
	if !p.RetryAt.IsZero() {
		words = append(words, "next attempt at "+p.RetryAt.UTC().Format(time.RFC3339))
	}
	if said := p.Shown.String(); said != "" {
		words = append(words, said)
	}
	if p.Revocation != "" {
		words = append(words, p.Revocation)
	}
	for _, part := range p.Parts {
		words = append(words, partNote(part))
	}
	if p.Err != nil {
		words = append(words, p.Err.Error())
	}
	return clipped(strings.Join(words, "; "))
}

// longestNote bounds what an entry of the journal says: servers put pages into errors.
const longestNote = 2048

func clipped(note string) string {
	if len(note) <= longestNote {
		return note
	}
	return strings.ToValidUTF8(note[:longestNote], "") + "..."
}

// partNote is which part is missing, and why, or which is there again.
func partNote(p states.Part) string {
	note := p.Name
	if p.Text != "" {
		note += ": " + p.Text
	}
	if !p.RetryAt.IsZero() {
		note += ", next attempt at " + p.RetryAt.UTC().Format(time.RFC3339)
	}
	return note
}

// flowNote is which client asks for what.
func flowNote(f *credential.Flow) string {
	note := "authentication " + f.Registration.AuthMethod
	if f.Registration.ClientID != "" {
		note = fmt.Sprintf("client %s, %s", f.Registration.Source, note)
	}
	if len(f.Scopes) > 0 {
		note += ", for " + strings.Join(f.Scopes, " ")
	}
	if !f.Key.IsZero() {
		note += ", to be bound to a key"
	}
	return note
}

// tokenNote is which token it is, and what it lacks of what was asked for.
func tokenNote(t *credential.Token) string {
	note := fmt.Sprintf("token generation %d", t.Generation)
	if !t.Key.IsZero() {
		note += ", bound to a key"
	}
	if withheld := t.Withheld(); len(withheld) > 0 {
		note += ", without " + strings.Join(withheld, " ")
	}
	return note
}
