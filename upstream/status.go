package upstream

import (
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/child"
	"mcpproxy/upstream/oauth"
)

// Status is everything about an upstream that a person may want to know, without
// secrets. Its JSON form is documented in docs/statectl.md and docs/schemas/dump.json, and
// only grows.
type Status struct {
	Name      string       `json:"name"`
	Transport Transport    `json:"transport"`
	URL       string       `json:"url,omitempty"`
	Phase     states.Phase `json:"phase"`
	// Outlook is what a call can expect that is made now.
	Outlook transitions.Outlook `json:"outlook"`
	// Doc says in a sentence what the phase means.
	Doc     string         `json:"doc"`
	Regions []RegionStatus `json:"regions"`
	Token   *TokenStatus   `json:"token,omitempty"`
	Flow    *FlowStatus    `json:"flow,omitempty"`
	// Reason is why a person is needed, if one is.
	Reason states.Reason `json:"reason,omitempty"`
	// OwnLoginAt is from when on the proxy may begin a login by itself, where a login
	// is missing and the configuration lets it.
	OwnLoginAt *time.Time `json:"own_login_at,omitempty"`
	// MissingScopes are those that a call was refused for.
	MissingScopes   []string `json:"missing_scopes,omitempty"`
	ConnectionError *Failure `json:"connection_error,omitempty"`
	// Missing are the parts that the connection lacks while requests flow: lists that
	// could not be read as a whole, or the server's own stream.
	Missing         []PartStatus `json:"missing,omitempty"`
	CredentialError *Failure     `json:"credential_error,omitempty"`
	// Said are the last lines that the upstream's child processes said, oldest first.
	Said []child.Line `json:"said,omitempty"`
	// Refused are the last refused events, oldest first.
	Refused []fsm.Entry `json:"refused"`
	// Actions are what a person can do now.
	Actions []Action `json:"actions"`
	// Tools, Resources, Prompts count what the upstream offers, as last known.
	Tools     int `json:"tools"`
	Resources int `json:"resources"`
	Prompts   int `json:"prompts"`
}

// EntryInvalid reports whether the upstream's entry in the configuration cannot be used.
func (s *Status) EntryInvalid() bool { return s.Reason == states.EntryInvalid }

// RegionStatus is one region of the machine.
type RegionStatus struct {
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
	Timers []TimerStatus `json:"timers"`
	// Accepted are the events that the state accepts now.
	Accepted  []string `json:"accepted"`
	Postponed []string `json:"postponed,omitempty"`
}

// TimerStatus is a timer that will fire an event.
type TimerStatus struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"`
	Doc   string    `json:"doc"`
}

// TokenStatus are the facts about a token, never the token.
type TokenStatus struct {
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
	Grant  string        `json:"grant,omitempty"`
	Client *ClientStatus `json:"client,omitempty"`
	Scopes []string      `json:"scopes"`
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

// ClientStatus is this client's identity at the authorization server, without its secret.
type ClientStatus struct {
	ID string `json:"id"`
	// Registration is the way to it: pre-registered, client-id-metadata-document, dynamic.
	Registration string `json:"registration,omitempty"`
	// Authentication is how it shows who it is: none, client_secret_basic,
	// client_secret_post, private_key_jwt.
	Authentication string `json:"authentication"`
}

// FlowStatus is the open authorization flow.
type FlowStatus struct {
	ID       string     `json:"id"`
	Deadline *time.Time `json:"deadline,omitempty"`
	// Shown says what became of showing its page, and ShownText the same in words.
	Shown     states.Showing `json:"shown,omitempty"`
	ShownText string         `json:"shown_text,omitempty"`
	Issuer    string         `json:"issuer,omitempty"`
	// Scopes are those that are asked for; BoundTo is the thumbprint of the key that the
	// token is to be bound to (RFC 9449), if it is.
	Scopes  []string      `json:"scopes,omitempty"`
	BoundTo string        `json:"bound_to,omitempty"`
	Client  *ClientStatus `json:"client,omitempty"`
}

// Failure is the last thing that went wrong.
type Failure struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// PartStatus is what a server need not have, and does not have now.
type PartStatus struct {
	// Part is a list, by the name of its method, or "stream".
	Part string `json:"part"`
	Text string `json:"text"`
	// Absent says that the server has none by design.
	Absent bool `json:"absent,omitempty"`
	// RetryAt is when it is asked for again.
	RetryAt time.Time `json:"retry_at"`
}

// Status returns the upstream as it is now.
func (u *Upstream) Status() Status {
	catalog := u.Catalog()
	status := StatusOf(u.Machine().Definition(), u.Snapshot(), time.Now())
	status.Transport, status.URL = u.config.Transport, u.config.URL
	status.Refused, status.Said = u.seen.refusals(), u.words.Last()
	for i := range status.Regions {
		r := &status.Regions[i]
		r.EnteredBy, r.QueuedBy = u.seen.entry(r.Region, r.Epoch)
	}
	status.Tools, status.Resources, status.Prompts = len(catalog.Tools), len(catalog.Resources), len(catalog.Prompts)
	return status
}

// StatusOf says what a snapshot of the graph means at now.
func StatusOf(graph *transitions.Graph, s *transitions.Snapshot, now time.Time) Status {
	connection, credential := s.Region(states.Connection).State, s.Region(states.Credential).State
	status := Status{
		Name: s.Machine, Phase: transitions.PhaseOf(s), Outlook: transitions.OutlookOf(s), Reason: s.Data.Reason,
		OwnLoginAt: optional(transitions.OwnLoginAt(s, now)), MissingScopes: s.Data.Scopes,
		Token: TokenStatusOf(s.Data.Token), Flow: flowStatus(s), Actions: actions(s), Refused: []fsm.Entry{},
		ConnectionError: failure(s.Data.ConnectionError), CredentialError: failure(s.Data.CredentialError),
	}
	for _, part := range s.Data.Parts {
		status.Missing = append(status.Missing, PartStatus{Part: part.Name, Text: part.Text, Absent: part.Absent, RetryAt: part.RetryAt})
	}
	status.Doc = s.Region(transitions.Leading(connection, credential, s.Data.Works())).Doc
	for i := range s.Regions {
		status.Regions = append(status.Regions, regionStatus(graph, s, &s.Regions[i]))
	}
	return status
}

func regionStatus(graph *transitions.Graph, s *transitions.Snapshot, r *fsm.Active[states.State, transitions.Event]) RegionStatus {
	status := RegionStatus{Region: r.Region, State: string(r.State), Kind: r.Kind, Doc: r.Doc, Tags: append([]fsm.Tag{}, r.Tags...),
		Since: r.Since, Epoch: r.Epoch, Effect: r.Job, Timers: []TimerStatus{}, Accepted: []string{}}
	for _, timer := range r.Timers {
		status.Timers = append(status.Timers, TimerStatus{Event: string(timer.Event), At: timer.At, Doc: timer.Doc})
	}
	for _, event := range graph.Accepted(r.Region, r.State) {
		status.Accepted = append(status.Accepted, string(event))
	}
	status.FailedAttempts = s.Data.Attempts
	if r.Region == states.Credential {
		status.FailedAttempts = s.Data.RefreshAttempts
		for _, event := range s.Postponed() {
			status.Postponed = append(status.Postponed, string(event))
		}
	}
	return status
}

// TokenStatusOf returns the facts about a token; nil for none.
func TokenStatusOf(t *credential.Token) *TokenStatus {
	if t == nil {
		return nil
	}
	return &TokenStatus{Generation: t.Generation, Type: t.Type, StatedType: t.StatedType, BoundTo: oauth.Thumbprint(t.Key), Issuer: t.Issuer, Resource: t.Resource, Grant: t.Grant,
		Client: clientStatus(t.ClientID, t.ClientSource, t.AuthMethod), Scopes: append([]string{}, t.Scopes...), Withheld: t.Withheld(), ObtainedAt: t.ObtainedAt,
		ExpiresAt: optional(t.ExpiresAt), HasRefreshToken: t.HasRefresh(), Revocable: t.RevocationEndpoint != "", Fingerprint: t.Access.Fingerprint()}
}

func clientStatus(id string, source credential.Source, method string) *ClientStatus {
	if id == "" {
		return nil
	}
	return &ClientStatus{ID: id, Registration: string(source), Authentication: method}
}

func flowStatus(s *transitions.Snapshot) *FlowStatus {
	if s.Data.FlowID == "" {
		return nil
	}
	status := &FlowStatus{ID: s.Data.FlowID, Shown: s.Data.Shown.How, ShownText: s.Data.Shown.String()}
	if flow := s.Data.Flow; flow != nil {
		status.Deadline, status.Issuer, status.Scopes, status.BoundTo = optional(flow.Deadline), flow.Issuer, flow.Scopes, oauth.Thumbprint(flow.Key)
		status.Client = clientStatus(flow.Registration.ClientID, flow.Registration.Source, flow.Registration.AuthMethod)
	}
	return status
}

func optional(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func failure(f states.Failure) *Failure {
	if f.Text == "" {
		return nil
	}
	return &Failure{At: f.At, Text: f.Text}
}
