package oauth_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"
)

// What a device endpoint answers is read by what it holds, and only a page is shown to a
// user (faults A1, A4 and E4); $ is the server.
func TestDeviceAnswers(t *testing.T) {
	const rest = `"device_code":"d","user_code":"WDJB-MJHT"`
	for _, test := range []struct {
		name, body, shown string
		interval          time.Duration
		life              time.Duration // 0: that of the login
	}{
		{"as it should be", `{` + rest + `,"verification_uri":"https://as.example/device","expires_in":60,"interval":7}`, "https://as.example/device", 7 * time.Second, time.Minute},
		{"numbers as texts", `{` + rest + `,"verification_uri":"https://as.example/device","expires_in":"60","interval":"7"}`, "https://as.example/device", 7 * time.Second, time.Minute},
		{"fractions", `{` + rest + `,"verification_uri":"https://as.example/device","expires_in":60.0,"interval":1.5}`, "https://as.example/device", 1500 * time.Millisecond, time.Minute},
		{"nothing", `{` + rest + `,"verification_uri":"https://as.example/device","expires_in":null,"interval":0}`, "https://as.example/device", 5 * time.Second, 0},
		{"negative numbers", `{` + rest + `,"verification_uri":"https://as.example/device","expires_in":-1,"interval":-5}`, "https://as.example/device", 5 * time.Second, 0},
		{"milliseconds", `{` + rest + `,"verification_uri":"https://as.example/device","expires_in":600000,"interval":5000}`, "https://as.example/device", time.Minute, 0},
		{"Google's name", `{` + rest + `,"verification_url":"https://as.example/device"}`, "https://as.example/device", 5 * time.Second, 0},
		{"other names", `{"deviceCode":"d","userCode":"WDJB-MJHT","verificationUri":"https://as.example/device"}`, "https://as.example/device", 5 * time.Second, 0},
		{"an address without its host", `{` + rest + `,"verification_uri":"/device"}`, "$/device", 5 * time.Second, 0},
		{"an address without its scheme", `{` + rest + `,"verification_uri":"as.example/device"}`, "https://as.example/device", 5 * time.Second, 0},
		{"with the code in it", `{` + rest + `,"verification_uri":"https://as.example/device","verification_uri_complete":"https://as.example/device?c=W"}`, "https://as.example/device?c=W", 5 * time.Second, 0},
		{"with the code in what is no page", `{` + rest + `,"verification_uri":"https://as.example/device","verification_uri_complete":"javascript:alert(1)"}`, "https://as.example/device", 5 * time.Second, 0},
		{"a form", `device_code=d&user_code=WDJB-MJHT&verification_uri=https%3A%2F%2Fas.example%2Fdevice&error=`, "https://as.example/device", 5 * time.Second, 0},
		{"what is no page", `{` + rest + `,"verification_uri":"javascript:alert(1)"}`, "", 0, 0},
		{"a file", `{` + rest + `,"verification_uri":"file:///etc/passwd"}`, "", 0, 0},
		{"an error under success", `{"error":"unauthorized_client"}`, "", 0, 0},
		{"no device code", `{"user_code":"W","verification_uri":"https://as.example/device"}`, "", 0, 0},
	} {
		s := record(t, answer{status: http.StatusOK, body: test.body})
		before := time.Now()
		d := credential.Discovery{Issuer: s.URL, TokenEndpoint: s.URL, DeviceEndpoint: s.URL + "/start"}
		flow, err := oauth.NewDeviceFlow(t.Context(), client(), d, anyone, oauth.FlowRequest{Lifetime: time.Hour})
		if test.shown == "" {
			if err == nil {
				t.Errorf("%s is taken: %+v", test.name, flow)
			}
			continue
		}
		if test.life == 0 {
			test.life = time.Hour
		}
		shown := strings.ReplaceAll(test.shown, "$", s.URL)
		if err != nil || flow.AuthorizationURL.Reveal() != shown || flow.DeviceCode.Reveal() != "d" || flow.UserCode != "WDJB-MJHT" ||
			flow.PollInterval != test.interval {
			t.Errorf("%s: %+v, %v; shown is %q", test.name, flow, err, flow.AuthorizationURL.Reveal())
		}
		if lives := flow.Deadline.Sub(before); lives < test.life-time.Minute/2 || lives > test.life+time.Minute/2 {
			t.Errorf("%s: it is good for %v", test.name, lives)
		}
	}
}

// inTurn is a server that gives the answers one after the other, without a network.
type inTurn []answer

func (s *inTurn) RoundTrip(r *http.Request) (*http.Response, error) {
	next := (*s)[0]
	*s = (*s)[1:]
	_ = r.Body.Close()
	return &http.Response{StatusCode: next.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(next.body)), Request: r}, nil
}

// A code is known in any spelling: that it is not entered yet is no end of the login, that
// it is asked for too often slows it down, and that a user said no ends it (faults B1 and E4).
func TestDevicePollsInOtherSpellings(t *testing.T) {
	await := func(answers ...answer) (token credential.Token, took time.Duration, err error) {
		synctest.Test(t, func(t *testing.T) {
			flow := credential.Flow{TokenEndpoint: "https://as.example/token", DeviceCode: secret("d"), Registration: anyone,
				PollInterval: time.Second, Deadline: time.Now().Add(time.Hour)}
			begun, server := time.Now(), inTurn(answers)
			token, err = oauth.AwaitDevice(t.Context(), &http.Client{Transport: &server}, flow, 1)
			took = time.Since(begun)
		})
		return token, took, err
	}
	for _, test := range []struct {
		status int
		body   string
		took   time.Duration
	}{
		{400, `{"error":"authorization_pending"}`, 2 * time.Second},
		{428, `{"error":"AUTHORIZATION_PENDING"}`, 2 * time.Second},
		{200, `error=authorization_pending&error_description=The+authorization+request+is+still+pending.`, 2 * time.Second},
		{400, `{"error":{"code":"authorization_pending"}}`, 2 * time.Second},
		{400, `{"__type":"AuthorizationPendingException"}`, 2 * time.Second},
		{403, `{"errors":[{"code":"AuthorizationPending"}]}`, 2 * time.Second},
		{400, `authorization_pending`, 2 * time.Second},
		{400, `{"error":"slow_down"}`, 7 * time.Second},
		{429, `{"error":"SlowDown"}`, 7 * time.Second},
		{400, `{"__type":"SlowDownException"}`, 7 * time.Second},
	} {
		if token, took, err := await(answer{status: test.status, body: test.body}, taken); err != nil || token.Access.Reveal() != "new-access" ||
			took != test.took {
			t.Errorf("%d %s: %v, after %v", test.status, test.body, err, took)
		}
	}
	for body, code := range map[string]string{
		`{"error":"ACCESS_DENIED"}`:          "access_denied",
		`{"error":"authorization_declined"}`: "authorization_declined",
		`{"error":"ExpiredToken"}`:           "expired_token",
	} {
		var failure *oauth.Error
		if _, _, err := await(answer{status: 400, body: body}); !errors.As(err, &failure) || failure.Code != code ||
			failure.Class != oauth.InvalidGrant {
			t.Errorf("%s: %v", body, err)
		}
	}
}
