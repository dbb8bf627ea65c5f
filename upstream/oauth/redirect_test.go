package oauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"
)

// redirecting answers each request with a redirect, and notes where it was asked.
type redirecting struct {
	status int
	target string
	asked  []string
}

func (s *redirecting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	s.asked = append(s.asked, r.URL.String())
	response := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(
		`{"issuer":"https://as.example","token_endpoint":"https://as.example/token","access_token":"a","client_id":"c","request_uri":"u"}`))}
	if len(s.asked) == 1 {
		response.StatusCode = s.status
		response.Header.Set("Location", s.target)
	}
	return response, nil
}

// What carries a secret, or asks for one, follows no redirect of any kind to any place: the
// body would go along. A document of metadata follows one within its own host, and neither
// to another one nor to one without TLS (faults B10 and E7).
func TestSecretsFollowNoRedirect(t *testing.T) {
	const endpoint = "https://as.example/x"
	d := credential.Discovery{
		Issuer: "https://as.example", TokenEndpoint: endpoint, RegistrationEndpoint: endpoint, DeviceEndpoint: endpoint,
		PushEndpoint: endpoint, AuthorizationEndpoint: endpoint,
	}
	token := credential.Token{TokenEndpoint: endpoint, RevocationEndpoint: endpoint, Access: secret("a"), Refresh: secret("r"),
		ExpiresAt: time.Now().Add(-time.Hour)}
	confidential := credential.Registration{ClientID: "c", Secret: secret("s"), AuthMethod: "client_secret_post"}
	requests := map[string]func(context.Context, *http.Client) error{
		"the code exchange": func(ctx context.Context, hc *http.Client) error {
			_, err := oauth.Exchange(ctx, hc, credential.Flow{TokenEndpoint: endpoint, Registration: confidential}, secret("code"), 1)
			return err
		},
		"the refresh": func(ctx context.Context, hc *http.Client) error {
			_, err := oauth.Refresh(ctx, hc, token, confidential, oauth.RefreshOptions{})
			return err
		},
		"the revocation": func(ctx context.Context, hc *http.Client) error {
			_, err := oauth.Revoke(ctx, hc, token, confidential)
			return err
		},
		"the registration": func(ctx context.Context, hc *http.Client) error {
			_, err := oauth.Register(ctx, hc, d, oauth.RegistrationRequest{AuthMethod: "none"})
			return err
		},
		"the device code": func(ctx context.Context, hc *http.Client) error {
			_, err := oauth.NewDeviceFlow(ctx, hc, d, confidential, oauth.FlowRequest{Lifetime: time.Hour})
			return err
		},
		"the pushed request": func(ctx context.Context, hc *http.Client) error {
			_, err := oauth.Push(ctx, hc, d, credential.Flow{AuthorizationURL: secret(endpoint + "?state=s"), Registration: confidential})
			return err
		},
		"the client's own grant": func(ctx context.Context, hc *http.Client) error {
			_, err := oauth.Grant(ctx, hc, d, confidential, oauth.GrantRequest{})
			return err
		},
		"the identity's exchange": func(ctx context.Context, hc *http.Client) error {
			_, err := oauth.ExchangeIdentity(ctx, hc, oauth.IdentityProvider{TokenEndpoint: endpoint, IDToken: secret("id"),
				Registration: confidential}, d)
			return err
		},
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		for target, own := range map[string]bool{
			"/y": true, "https://as.example/y": true, "//as.example/y": true,
			"https://other.example/x": false, "//other.example/x": false, "https://as.example:8443/x": false, "https://www.as.example/x": false,
			"http://as.example/x": false, "http://127.0.0.1/x": false,
		} {
			for name, request := range requests {
				hc, server := client(), &redirecting{status: status, target: target}
				hc.Transport = server
				var failure *oauth.Error
				if err := request(t.Context(), hc); !errors.As(err, &failure) || failure.Class != oauth.Moved || len(server.asked) != 1 {
					t.Errorf("%s, answered %d to %s: asked %q, %v", name, status, target, server.asked, err)
				}
			}
			hc, server := client(), &redirecting{status: status, target: target}
			hc.Transport = server
			found, err := oauth.Locate(t.Context(), hc, "https://as.example", "", oauth.Public)
			if err != nil || found.Token != "https://as.example/token" {
				t.Errorf("the metadata, answered %d to %s: %+v, %v", status, target, found, err)
			}
			if followed := strings.HasSuffix(server.asked[1], "/y"); followed != own {
				t.Errorf("the metadata, answered %d to %s: asked %q", status, target, server.asked)
			}
			for _, asked := range server.asked {
				if !strings.HasPrefix(asked, "https://as.example/") {
					t.Errorf("the metadata, answered %d to %s: asked %q", status, target, asked)
				}
			}
		}
	}
}
