package upstream

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/oauth"
)

// register obtains a redirect address and a client identity, and puts the flow
// on disk before any browser opens.
func (u *Upstream) register(ctx context.Context, order transitions.Order) transitions.Input {
	discovery := order.Cause.Payload.Discovery
	if discovery == nil {
		return u.loginEnd(order, transitions.RegistrationFailed, states.Crashed, errNoDiscovery)
	}
	if u.config.OAuth.Grant.Unattended() {
		return u.identify(order, discovery)
	}
	if err := u.clientFits(discovery.Issuer, order.Snapshot.Data.Token); err != nil {
		return u.registrationFailed(order, err)
	}
	login, err := u.prepareLogin(order, discovery)
	if err != nil {
		return u.loginEnd(order, transitions.RegistrationFailed, states.StoreFailed, err)
	}
	reservation, err := u.environment.Callback.Reserve(ctx, u.port(login.known))
	if err != nil && login.known != nil && u.config.OAuth.CallbackPort == 0 {
		// Authorization servers take any loopback port (RFC 8252 section 7.3), and one
		// that does not gets a registration with the new one.
		reservation, err = u.environment.Callback.Reserve(ctx, 0)
	}
	if err != nil {
		return u.loginEnd(order, transitions.ListenerFailed, states.ListenerFailed, err)
	}
	defer reservation.Release()
	reservation.At(u.config.OAuth.RedirectHost, u.config.OAuth.RedirectPath)
	login.request.RedirectURI = reservation.RedirectURI()
	registration, err := u.identity(ctx, login)
	if err != nil {
		if ctx.Err() != nil {
			return nothing
		}
		return u.registrationFailed(order, err)
	}
	return u.beginFlow(ctx, order, discovery, registration, login.request)
}

// newLogin is a login on its way to a flow.
type newLogin struct {
	discovery *credential.Discovery
	// request is what will be asked for; its redirect address is the last to be known.
	request oauth.FlowRequest
	// doubtful is a client id that this machine does without; newClient does without any.
	doubtful  string
	newClient bool
	// known is the registration that would do, if its redirect address can be listened
	// on; nil for none.
	known *credential.Registration
}

func (u *Upstream) prepareLogin(order transitions.Order, d *credential.Discovery) (*newLogin, error) {
	data := &order.Snapshot.Data
	previous, challenged := wantedScopes(data)
	key, err := u.proofKey(order, d)
	if err != nil {
		return nil, err
	}
	login := &newLogin{discovery: d, doubtful: data.DoubtfulClient, newClient: data.NewClient, request: oauth.FlowRequest{
		ConfiguredScopes:  u.config.OAuth.Scopes,
		ChallengeScopes:   challenged,
		PreviousScopes:    previous,
		OmitOfflineAccess: u.config.OAuth.OmitOfflineAccess,
		Parameters:        u.config.OAuth.AuthorizationParameters,
		Lifetime:          data.Settings.LoginDeadline,
		Key:               key,
	}}
	login.known, err = u.reusable(login)
	return login, err
}

// clientFits refuses to show a configured client to another authorization server
// than the one that it got a token from (MCP 2026-07-28 authorization, client
// credentials are bound to their issuer).
func (u *Upstream) clientFits(issuer string, token *credential.Token) error {
	configured := &u.config.OAuth
	if configured.ClientID == "" || configured.Issuer != "" || token == nil || token.ClientID != configured.ClientID ||
		token.Issuer == issuer {
		return nil
	}
	return &oauth.Error{Operation: "the choice of a client", Class: oauth.Misconfigured, URL: issuer,
		Err: fmt.Errorf("the server names this authorization server now, and the configured client %q is that of %s; if both are right, put "+
			"oauth.issuer into the configuration", configured.ClientID, token.Issuer)}
}

func (u *Upstream) registrationFailed(order transitions.Order, err error) transitions.Input {
	switch class, _ := classOf(err); class {
	case oauth.NotSent, oauth.Transient:
		if in, ok := u.delayed(err); ok {
			return in
		}
		fallthrough
	case oauth.Ambiguous:
		return u.loginEnd(order, transitions.RegistrationFailed, states.RegistrationFailed, err)
	}
	return u.loginEnd(order, transitions.RegistrationRejected, states.RegistrationFailed, err)
}

// port is the one that the configuration or an earlier registration names, or 0.
func (u *Upstream) port(known *credential.Registration) int {
	if u.config.OAuth.CallbackPort != 0 || known == nil {
		return u.config.OAuth.CallbackPort
	}
	for _, text := range known.RedirectURIs {
		if redirect, err := url.Parse(text); err == nil {
			if port, err := strconv.Atoi(redirect.Port()); err == nil {
				return port
			}
		}
	}
	return 0
}

// identity is the configured client, the registration of before, or a new one.
// Upstreams of the same authorization server share a registration that fits them.
func (u *Upstream) identity(ctx context.Context, login *newLogin) (credential.Registration, error) {
	d := login.discovery
	given := u.preregistered(d.Issuer)
	request := oauth.RegistrationRequest{
		Preregistered:       given,
		ClientIDMetadataURL: u.config.OAuth.ClientMetadataURL,
		RedirectURIs:        []string{login.request.RedirectURI},
		ClientName:          "mcpproxy",
		Scopes:              oauth.SelectScopes(*d, login.request),
		GrantType:           u.config.OAuth.Grant.grantType(),
		AuthMethod:          u.config.OAuth.AuthMethod,
	}
	key := fmt.Sprint(d.Issuer, request.RedirectURIs, request.Scopes, request.GrantType, request.AuthMethod, u.config.OAuth.ClientID,
		login.doubtful, login.newClient)
	made, err, _ := u.environment.registering.Do(key, func() (any, error) {
		// Another upstream of the issuer may have registered since.
		if now, err := u.reusable(login); given == nil && err == nil && now != nil {
			return *now, nil
		}
		registration, err := oauth.Register(ctx, u.authorization, *d, request)
		if err != nil || registration.Source == credential.SourcePreregistered {
			return registration, err
		}
		if err := u.environment.Store.SaveRegistration(registration); err != nil {
			return registration, fmt.Errorf("the client registration could not be written to the store: %w", err)
		}
		return registration, nil
	})
	if err != nil {
		return credential.Registration{}, err
	}
	return u.configured(made.(credential.Registration)), nil
}

// configured is a client as it shows itself with the configuration of now.
func (u *Upstream) configured(r credential.Registration) credential.Registration {
	r.Audience, r.TokenParameters = u.config.OAuth.AssertionAudience, u.config.OAuth.TokenParameters
	return r
}

// reusable is the newest registration at the issuer that the login may begin with; nil
// where it needs another one.
func (u *Upstream) reusable(login *newLogin) (*credential.Registration, error) {
	if login.newClient {
		return nil, nil
	}
	known, err := u.environment.Store.Registrations(login.discovery.Issuer)
	if err != nil {
		return nil, err
	}
	needs := oauth.SelectScopes(*login.discovery, login.request)
	for i := range known {
		r := &known[i]
		if demanded := u.config.OAuth.AuthMethod; demanded == "private_key_jwt" && r.AuthMethod != demanded {
			continue
		}
		if r.ClientID != login.doubtful && fits(r, login.discovery, needs, u.config.OAuth.Grant.grantType(), time.Now()) &&
			(login.request.RedirectURI == "" || oauth.Redirects(r.RedirectURIs, login.request.RedirectURI)) {
			return r, nil
		}
	}
	return nil, nil
}

// fits reports whether what a dynamic client was registered with is what a login will
// ask for, and what the authorization server still offers.
func fits(r *credential.Registration, d *credential.Discovery, scopes []string, grant string, now time.Time) bool {
	unsigned := r.Algorithm != "" && len(d.SigningAlgorithms) > 0 && !slices.Contains(d.SigningAlgorithms, r.Algorithm)
	withdrawn := unsigned ||
		slices.Contains(r.Offered, r.AuthMethod) && len(d.AuthMethods) > 0 && !slices.Contains(d.AuthMethods, r.AuthMethod)
	switch {
	case r.Source != credential.SourceDynamic, r.Doubtful, withdrawn:
		return false
	case !r.SecretExpiresAt.IsZero() && now.After(r.SecretExpiresAt):
		return false
	case r.GrantTypes == nil && grant != AuthorizationCode.grantType(), r.GrantTypes != nil && !slices.Contains(r.GrantTypes, grant):
		return false
	}
	return r.Scopes == nil || len(states.Union(r.Scopes, scopes)) == len(r.Scopes)
}

// beginFlow makes the flow's record; its page may be shown once it is on disk.
func (u *Upstream) beginFlow(ctx context.Context, order transitions.Order, d *credential.Discovery, registration credential.Registration,
	request oauth.FlowRequest) transitions.Input {
	if u.config.OAuth.Grant == DeviceCode {
		return u.beginDevice(ctx, order, d, registration, request)
	}
	flow, err := oauth.NewFlow(*d, registration, request)
	if err != nil {
		return u.registrationFailed(order, err)
	}
	if d.PushEndpoint != "" && (d.PushRequired || registration.PushRequired) {
		if flow, err = oauth.Push(ctx, u.authorization, *d, flow); err != nil {
			return u.beginFailed(ctx, order, registration, oauth.Advise(err, registration, d.TokenEndpoint, flow.Scopes))
		}
	}
	return u.keepFlow(order, flow, transitions.Registered)
}

// beginFailed is the outcome of a login whose request the authorization server refused
// before anything was shown.
func (u *Upstream) beginFailed(ctx context.Context, order transitions.Order, registration credential.Registration,
	err error) transitions.Input {
	if ctx.Err() != nil {
		return nothing
	}
	if class, _ := classOf(err); class == oauth.InvalidClient && u.clientRefused(registration, err).Event == transitions.ClientForgotten {
		// The next login registers again.
		return u.loginEnd(order, transitions.RegistrationFailed, states.ClientForgotten, err)
	}
	return u.registrationFailed(order, err)
}

// keepFlow puts a flow on disk and says so. A login that ended meanwhile leaves
// nothing behind that would open it again at the next start.
func (u *Upstream) keepFlow(order transitions.Order, flow credential.Flow, begun transitions.Event) transitions.Input {
	flow.ID, flow.Optional = order.Snapshot.Data.FlowID, order.Snapshot.Data.WorksWithout()
	if err := u.environment.Store.SaveFlow(u.config.Name, flow, u.wants(order)); err != nil {
		return u.loginEnd(order, transitions.RegistrationFailed, states.StoreFailed,
			fmt.Errorf("the login could not be written to the store, so it was not begun: %w", err))
	}
	if _, err := order.Fire(transitions.Input{Event: begun, Flow: flow.ID, Payload: transitions.Payload{Flow: &flow}}); err != nil {
		u.forgetFlow(flow.ID)
	}
	return nothing
}
