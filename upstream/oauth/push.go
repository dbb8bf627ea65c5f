package oauth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"mcpproxy/credential"
)

// defaultPush is how long a pushed request is good where the server does not say.
const defaultPush = time.Minute

// Push has the authorization server take the request of a flow beforehand (RFC 9126), so
// that the browser carries a reference to it and nothing else. A flow that was pushed
// before is pushed again, with the same state: a reference is good for a minute or so.
func Push(ctx context.Context, hc *http.Client, d credential.Discovery, f credential.Flow) (credential.Flow, error) {
	page := d.AuthorizationEndpoint
	if f.PushEndpoint == "" {
		f.PushEndpoint, f.Request = d.PushEndpoint, f.AuthorizationURL
	} else {
		page = f.AuthorizationURL.Reveal()
	}
	failure := &Error{Operation: "the pushed authorization request"}
	request, err := url.Parse(f.Request.Reveal())
	target, bad := url.Parse(page)
	client := f.Registration
	client.TokenParameters = nil // they are for the token endpoint
	auth, unfit := authenticate(client)
	if err := cmp.Or(err, bad, unfit); err != nil {
		failure.Class, failure.Err = Misconfigured, errors.New("the request cannot be made: "+stripURL(err).Error())
		return f, failure
	}
	form, query := request.Query(), target.Query()
	for name := range query {
		if name != "client_id" && name != "request_uri" {
			form.Del(name) // the endpoint's own
		}
	}
	asked := time.Now().UTC()
	a, err := post(ctx, hc, failure, f.PushEndpoint, auth, form, f.State, client.Secret)
	if err != nil {
		return f, err
	}
	reference := a.word("request_uri")
	if reference == "" {
		if failure = a.refusal(failure, f.State, client.Secret); failure.Class == Spent {
			failure.Class, failure.Err = Rejected, errors.New("the answer has no request_uri")
		}
		return f, failure
	}
	query.Set("client_id", client.ClientID)
	query.Set("request_uri", reference)
	target.RawQuery = query.Encode()
	f.AuthorizationURL, f.PushedUntil = credential.NewSecret(target.String()), asked.Add(cmp.Or(seconds(a.members, "expires_in"), defaultPush))
	return f, nil
}
