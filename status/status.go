// Package status says what an upstream's state means to a user: the facts, without secrets,
// and what the user can do now. It derives everything from a snapshot of the machine and the
// declared graph, and does no I/O. Who keeps machines, speaks of them or shows them uses the
// same types, so that a program which only shows them needs no machine.
package status

import (
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/child"
)

// PhaseInactive is the phase of an upstream that the configuration has no more, or has
// disabled, and of which the store still holds what a logout erases. No machine runs
// for it.
const PhaseInactive states.Phase = "Inactive"

// Upstream is everything about an upstream that a user may want to know, without
// secrets. Its JSON form is documented in docs/statectl.md and docs/schemas/dump.json, and
// only grows.
type Upstream struct {
	Name string `json:"name"`
	// Transport is http, sse or stdio.
	Transport string       `json:"transport"`
	URL       string       `json:"url,omitempty"`
	Phase     states.Phase `json:"phase"`
	// Outlook is what a call can expect that is made now.
	Outlook transitions.Outlook `json:"outlook"`
	// Doc says in a sentence what the phase means.
	Doc     string   `json:"doc"`
	Regions []Region `json:"regions"`
	Token   *Token   `json:"token,omitempty"`
	Flow    *Flow    `json:"flow,omitempty"`
	// Reason is why a user is needed, if one is.
	Reason states.Reason `json:"reason,omitempty"`
	// OwnLoginAt is from when on the proxy may begin a login by itself, where a login
	// is missing and the configuration lets it.
	OwnLoginAt *time.Time `json:"own_login_at,omitempty"`
	// MissingScopes are those that a call was refused for.
	MissingScopes   []string `json:"missing_scopes,omitempty"`
	ConnectionError *Failure `json:"connection_error,omitempty"`
	// Missing are the parts that the connection lacks while requests flow: lists that
	// could not be read as a whole, or the server's own stream.
	Missing         []Part   `json:"missing,omitempty"`
	CredentialError *Failure `json:"credential_error,omitempty"`
	// Said are the last lines that the upstream's child processes said, oldest first.
	Said []child.Line `json:"said,omitempty"`
	// Refused are the last refused events, oldest first.
	Refused []fsm.Entry `json:"refused"`
	// Actions are what a user can do now.
	Actions []Action `json:"actions"`
	// Tools, Resources, Prompts count what the upstream offers, as last known.
	Tools     int `json:"tools"`
	Resources int `json:"resources"`
	Prompts   int `json:"prompts"`
}

// EntryInvalid reports whether the upstream's entry in the configuration cannot be used.
func (s *Upstream) EntryInvalid() bool { return s.Reason == states.EntryInvalid }

// Region is one region of the machine.
type Region struct {
	Region string   `json:"region"`
	State  string   `json:"state"`
	Kind   fsm.Kind `json:"kind"`
	Doc    string   `json:"doc"`
	// Tags are what the declaration says of the state beside its kind.
	Tags  []fsm.Tag `json:"tags"`
	Since time.Time `json:"since"`
	Epoch uint64    `json:"epoch"`
	// EnteredBy is the journal's entry that led to the state.
	EnteredBy *fsm.Entry `json:"entered_by,omitempty"`
	// QueuedBy is the entry that led to the wait, where EnteredBy is the turn that was
	// waited for.
	QueuedBy *fsm.Entry `json:"queued_by,omitempty"`
	// FailedAttempts counts them since the last success.
	FailedAttempts int `json:"failed_attempts,omitempty"`
	// Effect is the running job.
	Effect string `json:"effect,omitempty"`
	// Timers are those that run, the earliest first; of a working state they are its deadline.
	Timers []Timer `json:"timers"`
	// Accepted are the events that the state accepts now.
	Accepted  []string `json:"accepted"`
	Postponed []string `json:"postponed,omitempty"`
}

// Timer is a timer that will fire an event.
type Timer struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"`
	Doc   string    `json:"doc"`
}

// Token are the facts about a token, never the token.
type Token struct {
	Generation uint64 `json:"generation"`
	// Type is Bearer, or DPoP for a token that is bound to a key; BoundTo is then the
	// thumbprint of the public key (RFC 7638).
	Type    string `json:"token_type"`
	BoundTo string `json:"bound_to,omitempty"`
	// StatedType is what the server calls the type of a token that is used as Bearer,
	// where it calls it something else.
	StatedType string `json:"stated_token_type,omitempty"`
	Issuer     string `json:"issuer"`
	// Resource is what it was asked for (RFC 8707).
	Resource string `json:"resource,omitempty"`
	// Grant is how it was come by, as oauth.grant spells it.
	Grant  string   `json:"grant,omitempty"`
	Client *Client  `json:"client,omitempty"`
	Scopes []string `json:"scopes"`
	// Withheld are the scopes that were asked for and not granted.
	Withheld        []string   `json:"withheld_scopes,omitempty"`
	ObtainedAt      time.Time  `json:"obtained_at"`
	ExpiresAt       *time.Time `json:"expires_at,omitempty"`
	HasRefreshToken bool       `json:"has_refresh_token"`
	// Revocable says that the authorization server has a place to revoke it at (RFC 7009).
	Revocable bool `json:"revocable"`
	// Fingerprint tells tokens apart: eight hexadecimal digits of a SHA-256.
	Fingerprint string `json:"fingerprint"`
}

// Client is this client's identity at the authorization server, without its secret.
type Client struct {
	ID string `json:"id"`
	// Registration is the way to it: pre-registered, client-id-metadata-document, dynamic.
	Registration string `json:"registration,omitempty"`
	// Authentication is how it shows who it is: none, client_secret_basic,
	// client_secret_post, private_key_jwt.
	Authentication string `json:"authentication"`
}

// Flow is the open authorization flow.
type Flow struct {
	ID       string     `json:"id"`
	Deadline *time.Time `json:"deadline,omitempty"`
	// Shown says what became of showing its page, and ShownText the same in words.
	Shown     states.Showing `json:"shown,omitempty"`
	ShownText string         `json:"shown_text,omitempty"`
	Issuer    string         `json:"issuer,omitempty"`
	// Scopes are those that are asked for; BoundTo is the thumbprint of the key that the
	// token is to be bound to (RFC 9449), if it is.
	Scopes  []string `json:"scopes,omitempty"`
	BoundTo string   `json:"bound_to,omitempty"`
	Client  *Client  `json:"client,omitempty"`
}

// Failure is the last thing that went wrong.
type Failure struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Part is what a server need not have, and does not have now.
type Part struct {
	// Part is a list, by the name of its method, or "stream".
	Part string `json:"part"`
	Text string `json:"text"`
	// Absent says that the server has none by design.
	Absent bool `json:"absent,omitempty"`
	// RetryAt is when it is asked for again.
	RetryAt time.Time `json:"retry_at"`
}

// Of says what a snapshot of the graph means at now.
func Of(graph *transitions.Graph, s *transitions.Snapshot, now time.Time) Upstream {
	connection, credential := s.Region(states.Connection).State, s.Region(states.Credential).State
	u := Upstream{
		Name:            s.Machine,
		Phase:           transitions.PhaseOf(s),
		Outlook:         transitions.OutlookOf(s),
		Doc:             s.Region(transitions.Leading(connection, credential, s.Data.Works())).Doc,
		Reason:          s.Data.Reason,
		OwnLoginAt:      optional(transitions.OwnLoginAt(s, now)),
		MissingScopes:   s.Data.Scopes,
		Token:           OfToken(s.Data.Token),
		Flow:            flowOf(s),
		Actions:         actions(graph, s),
		Refused:         []fsm.Entry{},
		ConnectionError: failureOf(s.Data.ConnectionError),
		CredentialError: failureOf(s.Data.CredentialError),
	}
	for _, part := range s.Data.Parts {
		u.Missing = append(u.Missing, Part{Part: part.Name, Text: part.Text, Absent: part.Absent, RetryAt: part.RetryAt})
	}
	for i := range s.Regions {
		u.Regions = append(u.Regions, regionOf(graph, s, &s.Regions[i]))
	}
	return u
}

func regionOf(graph *transitions.Graph, s *transitions.Snapshot, r *fsm.Active[states.State, transitions.Event]) Region {
	region := Region{
		Region:         r.Region,
		State:          string(r.State),
		Kind:           r.Kind,
		Doc:            r.Doc,
		Tags:           append([]fsm.Tag{}, r.Tags...),
		Since:          r.Since,
		Epoch:          r.Epoch,
		FailedAttempts: s.Data.Attempts,
		Effect:         r.Job,
		Timers:         []Timer{},
		Accepted:       []string{},
	}
	for _, timer := range r.Timers {
		region.Timers = append(region.Timers, Timer{Event: string(timer.Event), At: timer.At, Doc: timer.Doc})
	}
	region.Accepted = append(region.Accepted, graph.Accepted(r.Region, r.State)...)
	if r.Region == states.Credential {
		region.FailedAttempts = s.Data.RefreshAttempts
		for _, event := range s.Postponed() {
			region.Postponed = append(region.Postponed, string(event))
		}
	}
	return region
}

// OfToken returns the facts about a token; nil for none.
func OfToken(t *credential.Token) *Token {
	if t == nil {
		return nil
	}
	return &Token{
		Generation:      t.Generation,
		Type:            t.Type,
		BoundTo:         credential.Thumbprint(t.Key),
		StatedType:      t.StatedType,
		Issuer:          t.Issuer,
		Resource:        t.Resource,
		Grant:           t.Grant,
		Client:          clientOf(t.ClientID, t.ClientSource, t.AuthMethod),
		Scopes:          append([]string{}, t.Scopes...),
		Withheld:        t.Withheld(),
		ObtainedAt:      t.ObtainedAt,
		ExpiresAt:       optional(t.ExpiresAt),
		HasRefreshToken: t.HasRefresh(),
		Revocable:       t.RevocationEndpoint != "",
		Fingerprint:     t.Access.Fingerprint(),
	}
}

func clientOf(id string, source credential.Source, method string) *Client {
	if id == "" {
		return nil
	}
	return &Client{ID: id, Registration: string(source), Authentication: method}
}

func flowOf(s *transitions.Snapshot) *Flow {
	if s.Data.FlowID == "" {
		return nil
	}
	open := &Flow{ID: s.Data.FlowID, Shown: s.Data.Shown.How, ShownText: s.Data.Shown.String()}
	if flow := s.Data.Flow; flow != nil {
		open.Deadline, open.Issuer, open.Scopes = optional(flow.Deadline), flow.Issuer, flow.Scopes
		open.BoundTo = credential.Thumbprint(flow.Key)
		open.Client = clientOf(flow.Registration.ClientID, flow.Registration.Source, flow.Registration.AuthMethod)
	}
	return open
}

func optional(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func failureOf(f states.Failure) *Failure {
	if f.Text == "" {
		return nil
	}
	return &Failure{At: f.At, Text: f.Text}
}
