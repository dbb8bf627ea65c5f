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

	"golang.org/x/oauth2/clientcredentials"
)

// NewDeviceFlow asks for a device code (RFC 8628 section 3.1). The caller gives the
// flow its id and shows its address and code to a person.
func NewDeviceFlow(ctx context.Context, hc *http.Client, d credential.Discovery, registration credential.Registration, r FlowRequest) (credential.Flow, error) {
	failure := &Error{Operation: "the device authorization request", URL: where(d.DeviceEndpoint)}
	if d.DeviceEndpoint == "" {
		failure.Class, failure.URL, failure.Err = Unsupported, where(d.Issuer), errors.New("the authorization server has no device authorization endpoint (RFC 8628)")
		return credential.Flow{}, failure
	}
	wanted := SelectScopes(d, r)
	form := url.Values{"client_id": {registration.ClientID}}
	if len(wanted) > 0 {
		form.Set("scope", strings.Join(wanted, " "))
	}
	if d.Resource != "" {
		form.Set("resource", d.Resource)
	}
	asked := time.Now().UTC()
	response, err := postForm(ctx, hc, failure.Operation, d.DeviceEndpoint, registration, form)
	if err != nil {
		return credential.Flow{}, err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return credential.Flow{}, refusal(failure.Operation, d.DeviceEndpoint, response, registration.Secret)
	}
	var answer deviceAnswer
	if failure.Err = decode(response.Body, &answer); failure.Err == nil && (answer.DeviceCode == "" || answer.UserCode == "" || answer.address() == "") {
		failure.Err = errors.New("the answer lacks device_code, user_code or verification_uri")
	}
	if failure.Err != nil {
		failure.Class, failure.Status = Rejected, response.StatusCode
		return credential.Flow{}, failure
	}
	flow := credential.Flow{StartedAt: asked, Deadline: asked.Add(r.Lifetime), Issuer: d.Issuer, TokenEndpoint: d.TokenEndpoint, RevocationEndpoint: d.RevocationEndpoint,
		Resource: d.Resource, Scopes: wanted, Registration: registration, Key: r.Key, DeviceCode: credential.NewSecret(answer.DeviceCode), UserCode: answer.UserCode,
		PollInterval: cmp.Or(time.Duration(answer.Interval), defaultPoll), AuthorizationURL: credential.NewSecret(answer.address())}
	if life := time.Duration(answer.ExpiresIn); life > 0 && life < r.Lifetime {
		flow.Deadline = asked.Add(life)
	}
	return flow, nil
}

// defaultPoll is the pace where the server names none (RFC 8628 section 3.2), and
// slowDown by how much it falls where the server asks for less (section 3.5).
const (
	defaultPoll = 5 * time.Second
	slowDown    = 5 * time.Second
)

// deviceAnswer is a device authorization response (RFC 8628 section 3.2).
type deviceAnswer struct {
	DeviceCode string  `json:"device_code"`
	UserCode   string  `json:"user_code"`
	Address    string  `json:"verification_uri"`
	Complete   string  `json:"verification_uri_complete"`
	Misspelled string  `json:"verification_url"` // Google's
	ExpiresIn  seconds `json:"expires_in"`
	Interval   seconds `json:"interval"`
}

// address is where the code is entered, with the code in it if there is such a one.
func (a *deviceAnswer) address() string { return cmp.Or(a.Complete, a.Address, a.Misspelled) }

// AwaitDevice polls for the person's answer (RFC 8628 section 3.4), at the pace that
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
		var answer *Error
		switch {
		case !errors.As(err, &answer):
			return token, err
		case answer.Code == "authorization_pending":
		case answer.Code == "slow_down":
			pace += slowDown
		default:
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
	parameters := url.Values{"grant_type": {grantDeviceCode}, "device_code": {f.DeviceCode.Reveal()}}
	if f.Resource != "" {
		parameters.Set("resource", f.Resource)
	}
	config := clientcredentials.Config{ClientID: auth.id, ClientSecret: auth.secret, TokenURL: f.TokenEndpoint, AuthStyle: auth.style, EndpointParams: auth.add(parameters)}
	sentAt := time.Now().UTC()
	answer, err := requestToken(ctx, withProof(hc, f.Key), "the device login", f.TokenEndpoint, []credential.Secret{f.DeviceCode, r.Secret}, config.Token)
	if err != nil {
		return credential.Token{}, err
	}
	token := credential.Token{Generation: generation, RequestedScopes: f.Scopes, Scopes: f.Scopes, Issuer: f.Issuer, TokenEndpoint: f.TokenEndpoint,
		RevocationEndpoint: f.RevocationEndpoint, Resource: f.Resource, ClientID: r.ClientID, AuthMethod: r.AuthMethod, Key: f.Key}
	return take(token, answer, sentAt)
}
