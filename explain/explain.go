// Package explain says in plain words what an upstream is doing: why, since when,
// what will happen next and when, what becomes of a call that is made now, what the
// last failure was, and what a user can do.
//
// It promises to be pure: an explanation is a function of what is given, and two
// users who ask at the same moment are told the same. It has words for every state,
// reason, timer and outlook that is declared, which a test holds it to. It decides
// nothing and knows no secret. `statectl explain`, the page and
// docs/troubleshooting.md show what it says.
package explain

import (
	"slices"
	"strings"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/transitions"
	"mcpproxy/upstream/child"
)

// Explanation is what there is to say about an upstream at one moment. Its texts
// are whole sentences without times; the times stand beside them. The JSON form only
// grows.
type Explanation struct {
	Upstream string `json:"upstream"`
	// Running is false where a store was asked and no proxy.
	Running bool         `json:"running"`
	Phase   states.Phase `json:"phase,omitempty"`
	// Since is when the phase began; not there where nobody knows.
	Since *time.Time `json:"since,omitempty"`
	Doing string     `json:"doing"`
	Why   string     `json:"why"`
	// Reason is why a user is needed, if one is.
	Reason states.Reason `json:"reason,omitempty"`
	// Failures are the last one of each region, the newest first.
	Failures []Failure `json:"failures"`
	// Said are the last lines of the upstream's child processes, the oldest first.
	Said []child.Line `json:"said,omitempty"`
	// Refused is the last event that was refused in the present state.
	Refused *Refused `json:"refused,omitempty"`
	// Next is what will happen by itself at a known time, the earliest first, and Then
	// what comes of it, or what is waited for.
	Next []Step `json:"next"`
	Then string `json:"then"`
	// Calls is what becomes of a call that is made now.
	Calls string `json:"calls"`
	// Accepted are the events that a user may cause and that are accepted now.
	Accepted []string `json:"accepted"`
	// Mend is what has to be put right before anything else helps.
	Mend string `json:"mend,omitempty"`
	// Can is what a user can do, the most useful first.
	Can []status.Action `json:"can"`
}

// Failure is the last thing that went wrong in a region.
type Failure struct {
	Region string    `json:"region"`
	At     time.Time `json:"at"`
	Text   string    `json:"text"`
}

// Refused is an event that was refused.
type Refused struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"`
	Why   string    `json:"why"`
}

// When says how a step's time is meant.
type When string

// The meanings of a time.
const (
	At   When = "at"   // then
	By   When = "by"   // at the latest
	From When = "from" // not before
)

// Step is something that will happen by itself.
type Step struct {
	When  When      `json:"when"`
	At    time.Time `json:"at"`
	Event string    `json:"event"`
	Text  string    `json:"text"`
}

// Of explains an upstream of a running proxy as its status says it is. graph is the
// declaration that it runs ([transitions.Definition]).
func Of(graph fsm.Graph, s status.Upstream) Explanation {
	connection, credential := region(s, states.Connection), region(s, states.Credential)
	leading, other := connection, credential
	if s.Phase != states.Phase(connection.State) {
		leading, other = credential, connection
	}
	since := leading.Since
	e := Explanation{Upstream: s.Name, Running: true, Phase: s.Phase, Since: &since,
		Doing: doing(s, leading), Why: why(graph, leading), Failures: failures(s), Said: s.Said, Refused: refused(s, leading),
		Next: steps(graph, s, leading.Region), Then: then(graph, s, leading), Calls: calls[s.Outlook], Accepted: accepted(s), Can: s.Actions}
	if other.Region == states.Credential && !transitions.Is(states.Credential, states.State(other.State), transitions.Resting) &&
		other.State != leading.State {
		// The credential has something to say although the connection leads.
		e.Doing += " Its credential: " + doing(s, other)
		e.Why += " Its credential: " + why(graph, other)
		e.Then += " " + then(graph, s, other)
	}
	switch state := states.State(credential.State); {
	case s.Reason != "" && (state == states.LoginRequired || state == states.Failed):
		e.Reason, e.Mend = s.Reason, s.Reason.Mend()
		if e.Why = s.Reason.Doc(); leading.Region == states.Connection {
			e.Why = why(graph, leading) + " Its credential: " + e.Why
		}
	case states.State(connection.State) == states.Failed:
		e.Mend = "Put right what the last failure names, at the server or in the configuration, whose changes are taken up at once."
	case len(s.MissingScopes) > 0:
		e.Why += " A call was refused for scopes that the token lacks: " + strings.Join(s.MissingScopes, ", ") + "."
		e.Mend = "Log in to ask for the missing scopes. Everything that the present token covers goes on meanwhile."
	}
	return e
}

func region(s status.Upstream, name string) status.Region {
	for _, r := range s.Regions {
		if r.Region == name {
			return r
		}
	}
	return status.Region{Region: name}
}

// doing is the state's sentence, and what is known of its progress.
func doing(s status.Upstream, r status.Region) string {
	text := r.Doc
	if attempts := r.FailedAttempts; attempts > 0 && states.State(r.State) != states.Disconnected {
		text += " " + counted(attempts, "attempt has failed", "attempts have failed") + " so far."
	}
	if r.Region == states.Connection {
		text += missing(s.Missing)
	}
	if r.Region == states.Credential && s.Flow != nil && s.Flow.ShownText != "" {
		text += " " + sentence(strings.ToUpper(s.Flow.ShownText[:1])+s.Flow.ShownText[1:])
	}
	if len(r.Postponed) > 0 {
		text += " Kept for afterwards: " + strings.Join(r.Postponed, ", ") + "."
	}
	return text
}

// missing names what the connection lacks against the server's word.
func missing(parts []status.Part) (text string) {
	for _, part := range parts {
		switch {
		case part.Absent:
		case part.Part == states.OwnStream:
			text += " The server's own stream, for what concerns no call, is not there: " + strings.TrimSuffix(part.Text, ".") + "."
		default:
			text += " " + part.Part + " could not be read as a whole: " + strings.TrimSuffix(part.Text, ".") + "."
		}
	}
	return text
}

// why is what led to the state.
func why(graph fsm.Graph, r status.Region) string {
	if r.EnteredBy == nil {
		return "It has been so since the proxy started it."
	}
	led := r.EnteredBy
	if r.QueuedBy != nil {
		led = r.QueuedBy // that it is its turn says nothing of why
	}
	text := eventDoc(graph, led.Event)
	if by := led.RaisedBy; by != "" {
		text += " " + eventDoc(graph, by)
	}
	return text
}

func eventDoc(graph fsm.Graph, name string) string {
	for _, r := range graph.Regions {
		for _, event := range r.Events {
			if event.Name == name {
				return event.Doc
			}
		}
	}
	return name + "."
}

func failures(s status.Upstream) []Failure {
	all := []Failure{}
	for name, f := range map[string]*status.Failure{states.Connection: s.ConnectionError, states.Credential: s.CredentialError} {
		if f != nil {
			all = append(all, Failure{Region: name, At: f.At, Text: f.Text})
		}
	}
	slices.SortFunc(all, func(a, b Failure) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return strings.Compare(a.Region, b.Region)
	})
	return all
}

// refused is the last refusal since the phase began: an older one says nothing of it.
func refused(s status.Upstream, leading status.Region) *Refused {
	if len(s.Refused) == 0 {
		return nil
	}
	last := s.Refused[len(s.Refused)-1]
	if last.Time.Before(leading.Since) {
		return nil
	}
	return &Refused{Event: last.Event, At: last.Time, Why: last.Reason}
}

// steps are the timers of both regions, and the proxy's own login.
func steps(graph fsm.Graph, s status.Upstream, leading string) []Step {
	all := []Step{}
	for _, r := range s.Regions {
		for _, timer := range r.Timers {
			if timer.Event == string(transitions.CredentialOverdue) && leading == states.Credential {
				continue // a second deadline, behind that of what is waited for
			}
			step := Step{When: At, At: timer.At, Event: timer.Event}
			if event, known := graph.Event(timer.Event); known {
				if step.Text = event.Then; event.Limit {
					step.When = By
				}
			}
			all = append(all, step)
		}
	}
	for _, part := range s.Missing {
		if !part.Absent {
			all = append(all, Step{
				When:  At,
				At:    part.RetryAt,
				Event: string(transitions.PartRestored),
				Text:  "it asks for " + partWords(part.Part) + " again",
			})
		}
	}
	if at := s.OwnLoginAt; at != nil {
		all = append(all, Step{
			When:  From,
			At:    *at,
			Event: string(transitions.LoginProposed),
			Text:  "the next call that needs a login may open its page by itself (oauth.login is automatic)",
		})
	}
	slices.SortStableFunc(all, func(a, b Step) int { return a.At.Compare(b.At) })
	return all
}

func partWords(part string) string {
	if part == states.OwnStream {
		return "the server's own stream"
	}
	return part
}

// then is what comes of it, or what is waited for.
func then(graph fsm.Graph, s status.Upstream, r status.Region) string {
	state := states.State(r.State)
	if state == states.Failed && s.EntryInvalid() && r.Region == states.Credential {
		return "It stays so until its entry in the configuration changes, which is seen at once."
	}
	if state == states.LoginRequired && s.OwnLoginAt != nil {
		return "It stays so, and nothing is sent, until a user logs in or a call begins the login."
	}
	declared, _ := graph.State(r.Region, r.State)
	text := declared.Next
	if state == states.Connected && s.Token != nil && s.Token.ExpiresAt != nil && !s.Token.HasRefreshToken {
		text += " There is no refresh token, so that a user has to log in again once the access token has expired."
	}
	return text
}

// accepted are the events that a user's requests fire and that are accepted now.
func accepted(s status.Upstream) []string {
	all := []string{}
	for _, r := range s.Regions {
		for _, name := range r.Accepted {
			if transitions.RequestOf(transitions.Event(name)) != "" {
				all = append(all, name)
			}
		}
	}
	return all
}
