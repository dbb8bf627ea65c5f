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
	"mcpproxy/upstream/callback"
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
	known, err := u.environment.Store.Registration(discovery.Issuer)
	if err != nil {
		return u.loginEnd(order, transitions.RegistrationFailed, states.StoreFailed, err)
	}
	reservation, err := u.environment.Callback.Reserve(ctx, u.port(known))
	if err != nil && known != nil && u.config.OAuth.CallbackPort == 0 {
		// Authorization servers take any loopback port (RFC 8252 section 7.3), and one
		// that does not gets a registration with the new one.
		reservation, err = u.environment.Callback.Reserve(ctx, 0)
	}
	if err != nil {
		return u.loginEnd(order, transitions.ListenerFailed, states.ListenerFailed, err)
	}
	defer reservation.Release()
	registration, err := u.identity(ctx, order, discovery, known, reservation)
	if err != nil {
		if ctx.Err() != nil {
			return nothing
		}
		return u.registrationFailed(order, err)
	}
	return u.beginFlow(ctx, order, discovery, registration, reservation)
}

// clientFits refuses to show a configured client to another authorization server
// than the one that it got a token from (MCP 2026-07-28 authorization, client
// credentials are bound to their issuer).
func (u *Upstream) clientFits(issuer string, token *credential.Token) error {
	configured := &u.config.OAuth
	if configured.ClientID == "" || configured.Issuer != "" || token == nil || token.ClientID != configured.ClientID || token.Issuer == issuer {
		return nil
	}
	return &oauth.Error{Operation: "the choice of a client", Class: oauth.Misconfigured, URL: issuer,
		Err: fmt.Errorf("the server names this authorization server now, and the configured client %q is that of %s; if both are right, put oauth.issuer into the configuration", configured.ClientID, token.Issuer)}
}

func (u *Upstream) registrationFailed(order transitions.Order, err error) transitions.Input {
	switch class, _ := classOf(err); class {
	case oauth.NotSent, oauth.Ambiguous, oauth.Transient:
		return u.loginEnd(order, transitions.RegistrationFailed, states.RegistrationFailed, err)
	}
	return u.loginEnd(order, transitions.RegistrationRejected, states.RegistrationFailed, err)
}

// port is the one that the configuration or an earlier registration names, or 0.
func (u *Upstream) port(known *credential.Registration) int {
	if u.config.OAuth.CallbackPort != 0 || known == nil || known.Source != credential.SourceDynamic {
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
// Upstreams of the same authorization server share one registration.
func (u *Upstream) identity(ctx context.Context, order transitions.Order, d *credential.Discovery, known *credential.Registration, reservation *callback.Reservation) (credential.Registration, error) {
	data := &order.Snapshot.Data
	given := u.preregistered(d.Issuer)
	if given == nil && reusable(known, data.DoubtfulClient, reservation.RedirectURI(), time.Now()) {
		return *known, nil
	}
	request := oauth.RegistrationRequest{
		Preregistered:       given,
		ClientIDMetadataURL: u.config.OAuth.ClientMetadataURL,
		RedirectURIs:        []string{reservation.RedirectURI()},
		ClientName:          "mcpproxy",
		Scopes:              u.config.OAuth.Scopes,
	}
	made, err, _ := u.environment.registering.Do(d.Issuer+" "+reservation.RedirectURI()+" "+u.config.OAuth.ClientID, func() (any, error) {
		// Another upstream of the issuer may have registered since.
		if now, err := u.environment.Store.Registration(d.Issuer); err == nil && given == nil && reusable(now, data.DoubtfulClient, reservation.RedirectURI(), time.Now()) {
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
	return made.(credential.Registration), nil
}

// reusable reports whether a stored registration serves a new flow.
func reusable(known *credential.Registration, doubtful, redirect string, now time.Time) bool {
	switch {
	case known == nil || known.Source != credential.SourceDynamic || known.ClientID == doubtful:
		return false
	case !known.SecretExpiresAt.IsZero() && now.After(known.SecretExpiresAt):
		return false
	}
	return slices.Contains(known.RedirectURIs, redirect)
}

// beginFlow makes the flow's record; its page may be shown once it is on disk.
func (u *Upstream) beginFlow(ctx context.Context, order transitions.Order, d *credential.Discovery, registration credential.Registration, reservation *callback.Reservation) transitions.Input {
	data := &order.Snapshot.Data
	previous, challenged := wantedScopes(data)
	key, err := u.proofKey(order, d)
	if err != nil {
		return u.loginEnd(order, transitions.RegistrationFailed, states.RegistrationFailed, err)
	}
	request := oauth.FlowRequest{
		RedirectURI:      reservation.RedirectURI(),
		ConfiguredScopes: u.config.OAuth.Scopes,
		ChallengeScopes:  challenged,
		PreviousScopes:   previous,
		Parameters:       u.config.OAuth.AuthorizationParameters,
		Lifetime:         data.Settings.LoginDeadline,
		Key:              key,
	}
	if u.config.OAuth.Grant == DeviceCode {
		return u.beginDevice(ctx, order, d, registration, request)
	}
	flow, err := oauth.NewFlow(*d, registration, request)
	if err != nil {
		return u.registrationFailed(order, err)
	}
	return u.keepFlow(order, flow, transitions.Registered)
}

// keepFlow puts a flow on disk and says so. A login that ended meanwhile leaves
// nothing behind that would open it again at the next start.
func (u *Upstream) keepFlow(order transitions.Order, flow credential.Flow, begun transitions.Event) transitions.Input {
	flow.ID = order.Snapshot.Data.FlowID
	if err := u.environment.Store.SaveFlow(u.config.Name, flow, u.wants(order)); err != nil {
		return u.loginEnd(order, transitions.RegistrationFailed, states.StoreFailed, fmt.Errorf("the login could not be written to the store, so it was not begun: %w", err))
	}
	if _, err := order.Fire(transitions.Input{Event: begun, Flow: flow.ID, Payload: transitions.Payload{Flow: &flow}}); err != nil {
		u.forgetFlow(flow.ID)
	}
	return nothing
}
