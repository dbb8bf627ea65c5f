package oauth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcpproxy/credential"
)

// NewDeviceFlow asks for a device code (RFC 8628 section 3.1). The caller gives the
// flow its id and shows its address and code to a user.
func NewDeviceFlow(ctx context.Context, hc *http.Client, d credential.Discovery, registration credential.Registration,
	r FlowRequest) (credential.Flow, error) {
	failure := &Error{Operation: "the device authorization request", URL: where(d.DeviceEndpoint)}
	if d.DeviceEndpoint == "" {
		failure.Class, failure.URL, failure.Err = Unsupported, where(d.Issuer), errors.New("the authorization server has no device "+
			"authorization endpoint (RFC 8628)")
		return credential.Flow{}, failure
	}
	shown := registration
	shown.TokenParameters = nil // for the token endpoint alone
	auth, err := authenticate(shown)
	if err != nil {
		return credential.Flow{}, err
	}
	wanted := SelectScopes(d, r)
	form := url.Values{}
	if len(wanted) > 0 {
		form.Set("scope", strings.Join(wanted, " "))
	}
	if d.Resource != "" {
		form.Set("resource", d.Resource)
	}
	asked := time.Now().UTC()
	a, err := post(ctx, hc, failure, d.DeviceEndpoint, auth, form, registration.Secret)
	if err != nil {
		return credential.Flow{}, err
	}
	code, at := a.word("device_code"), webPage(a.word("verification_uri", "verification_url"), d.DeviceEndpoint)
	if code == "" || at == "" || a.word("user_code") == "" {
		failure = a.refusal(failure, registration.Secret)
		failure.Err = errors.New("the answer lacks device_code, user_code, or a verification_uri that is a page")
		return credential.Flow{}, failure
	}
	flow := credential.Flow{
		StartedAt:          asked,
		Deadline:           asked.Add(r.Lifetime),
		Issuer:             d.Issuer,
		TokenEndpoint:      d.TokenEndpoint,
		RevocationEndpoint: d.RevocationEndpoint,
		Resource:           d.Resource,
		Scopes:             wanted,
		Registration:       registration,
		Key:                r.Key,
		DeviceCode:         credential.NewSecret(code),
		UserCode:           a.word("user_code"),
		PollInterval:       min(cmp.Or(seconds(a.members, "interval"), pollInterval), longestInterval),
		AuthorizationURL:   credential.NewSecret(at),
	}
	if complete := webPage(a.word("verification_uri_complete", "verification_url_complete"), d.DeviceEndpoint); complete != "" {
		flow.AuthorizationURL = credential.NewSecret(complete)
	}
	if life := seconds(a.members, "expires_in"); life > 0 && asked.Add(life).Before(flow.Deadline) {
		flow.Deadline = asked.Add(life)
	}
	return flow, nil
}

// pollInterval is how often to ask where the server does not say (RFC 8628 section 3.2),
// and by how much more where it asks for less (section 3.5).
const pollInterval = 5 * time.Second

// longestInterval bounds what a server may ask for: one that counts in milliseconds would
// never be asked.
const longestInterval = time.Minute

// webPage is an address to show to a user: a server may leave out its scheme, or its own host.
// Empty is what is no page of the web.
func webPage(address, endpoint string) string {
	if address == "" {
		return ""
	}
	if !strings.HasPrefix(address, "/") && !strings.Contains(address, ":") {
		address = "https://" + address
	}
	at := text(address).at(endpoint)
	if u, err := url.Parse(at); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return at
}

// AwaitDevice polls for the user's answer (RFC 8628 section 3.4), at the pace that
// the server asks for, until there is one or ctx ends.
func AwaitDevice(ctx context.Context, hc *http.Client, f credential.Flow, generation uint64) (credential.Token, error) {
	ctx, cancel := context.WithDeadline(ctx, f.Deadline)
	defer cancel()
	for pace := max(f.PollInterval, time.Second); ; {
		select {
		case <-ctx.Done():
			return credential.Token{}, &Error{Operation: "the device login", Class: NotSent, URL: where(f.TokenEndpoint), Err: ctx.Err()}
		case <-time.After(pace):
		}
		token, err := pollDevice(ctx, hc, f, generation)
		var failure *Error
		switch {
		case !errors.As(err, &failure):
			return token, err
		case failure.Code == "slow_down":
			pace += pollInterval
		case failure.Code != "authorization_pending":
			return token, err
		}
	}
}

// pollDevice asks once. The client shows who it is each time: an assertion is good once,
// and for a minute.
func pollDevice(ctx context.Context, hc *http.Client, f credential.Flow, generation uint64) (credential.Token, error) {
	r := f.Registration
	auth, err := authenticate(r)
	if err != nil {
		return credential.Token{}, err
	}
	form := url.Values{"grant_type": {grantDeviceCode}, "device_code": {f.DeviceCode.Reveal()}}
	if f.Resource != "" {
		form.Set("resource", f.Resource)
	}
	sentAt := time.Now().UTC()
	members, err := requestToken(ctx, withProof(hc, f.Key), "the device login", f.TokenEndpoint, auth, form, f.DeviceCode, r.Secret)
	if err != nil {
		return credential.Token{}, err
	}
	return take(flowToken(f, generation), members, sentAt)
}
