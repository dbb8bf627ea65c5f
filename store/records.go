package store

import (
	"time"

	"mcpproxy/credential"
)

// The records as they are sealed. A credential.Secret never encodes itself, so
// that each secret in the file stands here by name.

type tokenRecord struct {
	Generation         uint64    `json:"generation"`
	Access             string    `json:"access"`
	Refresh            string    `json:"refresh,omitempty"`
	Type               string    `json:"type,omitempty"`
	StatedType         string    `json:"stated_type,omitempty"`
	Scopes             []string  `json:"scopes,omitempty"`
	RequestedScopes    []string  `json:"requested_scopes,omitempty"`
	ObtainedAt         time.Time `json:"obtained_at"`
	ExpiresAt          time.Time `json:"expires_at"`
	Issuer             string    `json:"issuer"`
	TokenEndpoint      string    `json:"token_endpoint"`
	RevocationEndpoint string    `json:"revocation_endpoint,omitempty"`
	Resource           string    `json:"resource,omitempty"`
	Grant              string    `json:"grant,omitempty"`
	ClientSource       string    `json:"client_source,omitempty"`
	ClientID           string    `json:"client_id"`
	AuthMethod         string    `json:"auth_method,omitempty"`
	Key                string    `json:"key,omitempty"`
}

func recordOfToken(t credential.Token) tokenRecord {
	return tokenRecord{t.Generation, t.Access.Reveal(), t.Refresh.Reveal(), t.Type, t.StatedType, t.Scopes, t.RequestedScopes,
		t.ObtainedAt.UTC(), t.ExpiresAt.UTC(),
		t.Issuer, t.TokenEndpoint, t.RevocationEndpoint, t.Resource, t.Grant, string(t.ClientSource), t.ClientID, t.AuthMethod, t.Key.Reveal()}
}

func (r *tokenRecord) token() *credential.Token {
	return &credential.Token{
		Generation:         r.Generation,
		Access:             credential.NewSecret(r.Access),
		Refresh:            credential.NewSecret(r.Refresh),
		Type:               r.Type,
		StatedType:         r.StatedType,
		Scopes:             r.Scopes,
		RequestedScopes:    r.RequestedScopes,
		ObtainedAt:         r.ObtainedAt,
		ExpiresAt:          r.ExpiresAt,
		Issuer:             r.Issuer,
		TokenEndpoint:      r.TokenEndpoint,
		RevocationEndpoint: r.RevocationEndpoint,
		Resource:           r.Resource,
		Grant:              r.Grant,
		ClientSource:       credential.Source(r.ClientSource),
		ClientID:           r.ClientID,
		AuthMethod:         r.AuthMethod,
		Key:                credential.NewSecret(r.Key),
	}
}

type registrationRecord struct {
	Issuer          string            `json:"issuer"`
	Source          credential.Source `json:"source"`
	ClientID        string            `json:"client_id"`
	Secret          string            `json:"secret,omitempty"`
	SecretExpiresAt time.Time         `json:"secret_expires_at"`
	AuthMethod      string            `json:"auth_method,omitempty"`
	RedirectURIs    []string          `json:"redirect_uris,omitempty"`
	ObtainedAt      time.Time         `json:"obtained_at"`
	Key             string            `json:"key,omitempty"`
	KeyID           string            `json:"key_id,omitempty"`
	Algorithm       string            `json:"algorithm,omitempty"`
	Scopes          []string          `json:"scopes,omitempty"`
	GrantTypes      []string          `json:"grant_types,omitempty"`
	Offered         []string          `json:"offered,omitempty"`
	Doubtful        bool              `json:"doubtful,omitempty"`
	PushRequired    bool              `json:"push_required,omitempty"`
	Audience        string            `json:"audience,omitempty"`
	TokenParameters map[string]string `json:"token_parameters,omitempty"`
}

func recordOfRegistration(r credential.Registration) registrationRecord {
	return registrationRecord{r.Issuer, r.Source, r.ClientID, r.Secret.Reveal(), r.SecretExpiresAt.UTC(), r.AuthMethod, r.RedirectURIs,
		r.ObtainedAt.UTC(), r.Key.Reveal(), r.KeyID,
		r.Algorithm, r.Scopes, r.GrantTypes, r.Offered, r.Doubtful, r.PushRequired, r.Audience, r.TokenParameters}
}

func (r *registrationRecord) registration() credential.Registration {
	return credential.Registration{
		Issuer:          r.Issuer,
		Source:          r.Source,
		ClientID:        r.ClientID,
		Secret:          credential.NewSecret(r.Secret),
		SecretExpiresAt: r.SecretExpiresAt,
		AuthMethod:      r.AuthMethod,
		RedirectURIs:    r.RedirectURIs,
		ObtainedAt:      r.ObtainedAt,
		Key:             credential.NewSecret(r.Key),
		KeyID:           r.KeyID,
		Algorithm:       r.Algorithm,
		Scopes:          r.Scopes,
		GrantTypes:      r.GrantTypes,
		Offered:         r.Offered,
		Doubtful:        r.Doubtful,
		PushRequired:    r.PushRequired,
		Audience:        r.Audience,
		TokenParameters: r.TokenParameters,
	}
}

type flowRecord struct {
	ID                 string             `json:"id"`
	StartedAt          time.Time          `json:"started_at"`
	Deadline           time.Time          `json:"deadline"`
	State              string             `json:"state"`
	Verifier           string             `json:"verifier"`
	AuthorizationURL   string             `json:"authorization_url"`
	RedirectURI        string             `json:"redirect_uri"`
	Issuer             string             `json:"issuer"`
	IssuerInResponse   bool               `json:"issuer_in_response,omitempty"`
	TokenEndpoint      string             `json:"token_endpoint"`
	RevocationEndpoint string             `json:"revocation_endpoint,omitempty"`
	Resource           string             `json:"resource,omitempty"`
	Scopes             []string           `json:"scopes,omitempty"`
	Optional           bool               `json:"optional,omitempty"`
	Registration       registrationRecord `json:"registration"`
	Key                string             `json:"key,omitempty"`
	DeviceCode         string             `json:"device_code,omitempty"`
	UserCode           string             `json:"user_code,omitempty"`
	PollInterval       time.Duration      `json:"poll_interval,omitempty"`
	Request            string             `json:"request,omitempty"`
	PushEndpoint       string             `json:"push_endpoint,omitempty"`
	PushedUntil        time.Time          `json:"pushed_until,omitzero"`
}

func recordOfFlow(f credential.Flow) flowRecord {
	return flowRecord{f.ID, f.StartedAt.UTC(), f.Deadline.UTC(), f.State.Reveal(), f.Verifier.Reveal(), f.AuthorizationURL.Reveal(),
		f.RedirectURI, f.Issuer,
		f.IssuerInResponse, f.TokenEndpoint, f.RevocationEndpoint, f.Resource, f.Scopes, f.Optional, recordOfRegistration(f.Registration),
		f.Key.Reveal(), f.DeviceCode.Reveal(), f.UserCode, f.PollInterval,
		f.Request.Reveal(), f.PushEndpoint, f.PushedUntil.UTC()}
}

func (r *flowRecord) flow() *credential.Flow {
	return &credential.Flow{
		ID:                 r.ID,
		StartedAt:          r.StartedAt,
		Deadline:           r.Deadline,
		State:              credential.NewSecret(r.State),
		Verifier:           credential.NewSecret(r.Verifier),
		AuthorizationURL:   credential.NewSecret(r.AuthorizationURL),
		RedirectURI:        r.RedirectURI,
		Issuer:             r.Issuer,
		IssuerInResponse:   r.IssuerInResponse,
		TokenEndpoint:      r.TokenEndpoint,
		RevocationEndpoint: r.RevocationEndpoint,
		Resource:           r.Resource,
		Scopes:             r.Scopes,
		Optional:           r.Optional,
		Registration:       r.Registration.registration(),
		Key:                credential.NewSecret(r.Key),
		DeviceCode:         credential.NewSecret(r.DeviceCode),
		UserCode:           r.UserCode,
		PollInterval:       r.PollInterval,
		Request:            credential.NewSecret(r.Request),
		PushEndpoint:       r.PushEndpoint,
		PushedUntil:        r.PushedUntil,
	}
}
