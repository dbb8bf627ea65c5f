package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"mcpproxy/credential"

	"golang.org/x/oauth2"
)

// post sends a form to an endpoint of an authorization server, once, as the client that
// auth shows, and returns what was answered with success. Any other answer, and none, is
// failure with its class; secrets are kept out of it.
func post(ctx context.Context, hc *http.Client, failure *Error, endpoint string, auth clientAuth, form url.Values,
	secrets ...credential.Secret) (answer, error) {
	failure.URL = where(endpoint)
	if err := checkURL(endpoint); err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return answer{}, failure
	}
	form = auth.add(form)
	if auth.style != oauth2.AuthStyleInHeader {
		if auth.id != "" {
			form.Set("client_id", auth.id)
		}
		if auth.secret != "" {
			form.Set("client_secret", auth.secret)
		}
	}
	ctx, sent := traced(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return answer{}, failure
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	if auth.style == oauth2.AuthStyleInHeader {
		request.SetBasicAuth(url.QueryEscape(auth.id), url.QueryEscape(auth.secret))
	}
	response, err := hc.Do(request)
	if err != nil {
		failure.Class, failure.Err = classOfNetwork(err, sent.Load()), errors.New(clean(stripURL(err).Error(), secrets...))
		return answer{}, failure
	}
	defer response.Body.Close()
	a := readAnswer(response)
	if a.status/100 != 2 {
		failure.RetryAfter = retryAfter(response.Header)
		return a, a.refusal(failure, secrets...)
	}
	return a, nil
}

// requestToken asks a token endpoint, and returns the members of the answer that hold the
// token.
func requestToken(ctx context.Context, hc *http.Client, operation, endpoint string, auth clientAuth, form url.Values,
	secrets ...credential.Secret) (map[string]any, error) {
	failure := &Error{Operation: operation}
	a, err := post(ctx, hc, failure, endpoint, auth, form, secrets...)
	if err != nil {
		return nil, err
	}
	if members := a.tokens(); members != nil {
		return members, nil
	}
	return nil, a.refusal(failure, secrets...)
}
