package oauth_test

import (
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"
)

// typed is an answer of a media type.
func typed(mediaType string) http.Header { return http.Header{"Content-Type": {mediaType}} }

func inUTF16(text string) string {
	var b strings.Builder
	_ = binary.Write(&b, binary.LittleEndian, append([]uint16{0xFEFF}, utf16.Encode([]rune(text))...)) // strings take all
	return b.String()
}

var anyone = credential.Registration{ClientID: "c", AuthMethod: "none"}

// What a token endpoint answers with success is read by what it holds (RFC 6749 section
// 5.1 as it is in use); faults A1, A2, A4, A5 and A6.
func TestTokenAnswers(t *testing.T) {
	with := func(old, now string) string { return strings.Replace(tokenBody, old, now, 1) }
	const form = "access_token=new-access&token_type=bearer&expires_in=3600&refresh_token=new-refresh&scope=a+b"
	for _, test := range []struct {
		name, body string
		life       time.Duration // 0: none is stated
		scopes     string        // empty: those that were asked for
		stated     string
		header     http.Header
		status     int // 0: 200
	}{
		{name: "as it should be", body: tokenBody, life: time.Hour},
		{name: "any case of the type", body: with("bearer", "BEARER"), life: time.Hour},
		{name: "201", body: tokenBody, life: time.Hour, status: 201},
		{name: "203", body: tokenBody, life: time.Hour, status: 203},
		{name: "a life with a fraction", body: with("3600", "3599.98"), life: 3599980 * time.Millisecond},
		{name: "a life with a fraction of nothing", body: with("3600", "3600.0"), life: time.Hour},
		{name: "a life with an exponent", body: with("3600", "3.6e3"), life: time.Hour},
		{name: "a life as a string", body: with("3600", `"3600"`), life: time.Hour},
		{name: "a life as a string with a fraction", body: with("3600", `" 3599.5 "`), life: 3599500 * time.Millisecond},
		{name: "a life with a unit", body: with("3600", `"3600s"`), life: time.Hour},
		{name: "a life as a word", body: with("3600", `"never"`)},
		{name: "a life that is a list", body: with("3600", `[3600]`)},
		{name: "a life that is null", body: with("3600", `null`)},
		{name: "a life of nothing", body: with("3600", "0")},
		{name: "a negative life", body: with("3600", "-5")},
		{name: "a life of 68 years", body: with("3600", "2147483648"), life: 10 * 365 * 24 * time.Hour},
		{name: "a life beyond numbers", body: with("3600", "1e400"), life: 10 * 365 * 24 * time.Hour},
		{name: "no life", body: with(`"expires_in":3600,`, "")},
		{name: "no type", body: with(`"token_type":"bearer",`, ""), life: time.Hour},
		{name: "a type that is null", body: with(`"bearer"`, "null"), life: time.Hour},
		{name: "a type that is empty", body: with("bearer", ""), life: time.Hour},
		{name: "Slack's type", body: with("bearer", "user"), life: time.Hour, stated: "user"},
		{name: "a type of two words", body: with("bearer", "Bearer Token"), life: time.Hour, stated: "Bearer Token"},
		{name: "a number as the type", body: with(`"bearer"`, "7"), life: time.Hour, stated: "7"},
		{name: "a type that is told as JWT", body: with("bearer", "urn:ietf:params:oauth:token-type:jwt"), life: time.Hour, stated: "urn:ietf:params:oauth:token-type:jwt"},
		{name: "text/plain JSON", body: tokenBody, life: time.Hour, header: typed("text/plain; charset=utf-8")},
		{name: "text/html JSON", body: tokenBody, life: time.Hour, header: typed("text/html")},
		{name: "JSON without a media type", body: tokenBody, life: time.Hour, header: typed("")},
		{name: "a form", body: form, life: time.Hour, header: typed("application/x-www-form-urlencoded")},
		{name: "a form that says it is text", body: form, life: time.Hour, header: typed("text/plain")},
		{name: "a form that says it is JSON", body: form + "\n", life: time.Hour},
		{name: "JSON that says it is a form", body: tokenBody, life: time.Hour, header: typed("application/x-www-form-urlencoded")},
		{name: "a byte order mark", body: "\xEF\xBB\xBF" + tokenBody, life: time.Hour},
		{name: "UTF-16", body: inUTF16(tokenBody), life: time.Hour},
		{name: "blanks around", body: "\r\n " + tokenBody + "\n\n", life: time.Hour},
		{name: "something behind it", body: tokenBody + "<!-- 12 ms -->", life: time.Hour},
		{name: "a guard before it", body: ")]}'\n" + tokenBody, life: time.Hour},
		{name: "JSON in a string", body: `"{\"access_token\":\"new-access\",\"expires_in\":3600,\"refresh_token\":\"new-refresh\"}"`, life: time.Hour},
		{name: "in a list of one", body: "[" + tokenBody + "]", life: time.Hour},
		{name: "other names", body: `{"accessToken":"new-access","tokenType":"Bearer","expiresIn":3600,"refreshToken":"new-refresh"}`, life: time.Hour},
		{name: "Slack's user", body: `{"ok":true,"app_id":"A","authed_user":{"id":"U","scope":"a,b","access_token":"new-access","token_type":"user","refresh_token":"new-refresh","expires_in":43200},"team":{"id":"T"}}`,
			life: 12 * time.Hour, scopes: "a b", stated: "user"},
		{name: "in data", body: `{"code":0,"msg":"success","data":{"access_token":"new-access","expires_in":3600,"refresh_token":"new-refresh"}}`, life: time.Hour},
		{name: "in data, the rest beside it", body: `{"result":{"access_token":"new-access"},"expires_in":3600,"refresh_token":"new-refresh"}`, life: time.Hour},
		{name: "an error that is none", body: with("{", `{"error":null,"error_description":"","ok":true,`), life: time.Hour},
		{name: "an error number of nothing", body: with("{", `{"errcode":0,"errmsg":"ok",`), life: time.Hour},
		{name: "an infinite life", body: with("3600", `"Infinity"`), life: 10 * 365 * 24 * time.Hour},
		{name: "a life that is no number", body: with("3600", `"NaN"`)},
		{name: "a life that is true", body: with("3600", "true")},
		{name: "a life twice, the last counts", body: with(`"expires_in":3600`, `"expires_in":1,"expires_in":3600`), life: time.Hour},
		{name: "the names twice, those of the RFC count", body: with("{", `{"accessToken":"other","expiresIn":1,`), life: time.Hour},
		{name: "206", body: tokenBody, life: time.Hour, status: 206},
		{name: "202", body: tokenBody, life: time.Hour, status: 202},
		{name: "scopes", body: with("{", `{"scope":"b a",`), life: time.Hour, scopes: "a b"},
		{name: "a narrower scope", body: with("{", `{"scope":"a",`), life: time.Hour, scopes: "a"},
		{name: "scopes with commas", body: with("{", `{"scope":"read,write",`), life: time.Hour, scopes: "read write"},
		{name: "scopes with commas and blanks", body: with("{", `{"scope":"read, write, admin",`), life: time.Hour, scopes: "admin read write"},
		{name: "scopes in a list", body: with("{", `{"scope":["read","write"],`), life: time.Hour, scopes: "read write"},
		{name: "scopes twice", body: with("{", `{"scope":"a b a",`), life: time.Hour, scopes: "a b"},
		{name: "a scope that is null", body: with("{", `{"scope":null,`), life: time.Hour},
		{name: "a scope that is empty", body: with("{", `{"scope":"",`), life: time.Hour},
		{name: "a scope that is a number", body: with("{", `{"scope":1,`), life: time.Hour},
		{name: "a long token", body: with("unknown", strings.Repeat("x", 64<<10)), life: time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.status == 0 {
				test.status = http.StatusOK
			}
			s := record(t, answer{status: test.status, body: test.body, header: test.header})
			before := time.Now()
			flow := credential.Flow{TokenEndpoint: s.URL, Scopes: []string{"a", "b"}, Registration: anyone}
			exchanged, err := oauth.Exchange(t.Context(), client(), flow, secret("code"), 7)
			wantToken(t, exchanged, err, test.life, test.scopes, test.stated, before)
			old := credential.Token{Generation: 6, TokenEndpoint: s.URL, Refresh: secret("old"), Scopes: []string{"a", "b"},
				RequestedScopes: []string{"a", "b"}}
			renewed, err := oauth.Refresh(t.Context(), client(), old, anyone, oauth.RefreshOptions{})
			wantToken(t, renewed, err, test.life, test.scopes, test.stated, before)
			if quoted := strings.Replace(test.body, `"new-refresh"`, "false", 1); quoted != test.body {
				s.answers[0].body = quoted
				if renewed, err = oauth.Refresh(t.Context(), client(), old, anyone, oauth.RefreshOptions{}); err != nil ||
					renewed.Refresh.Reveal() != "old" {
					t.Errorf("a refresh token that is false is none: %v", err)
				}
			}
			without := strings.ReplaceAll(test.body, "new-refresh", "")
			if without == test.body {
				return // in UTF-16
			}
			s.answers[0].body = without
			if renewed, err = oauth.Refresh(t.Context(), client(), old, anyone, oauth.RefreshOptions{}); err != nil ||
				renewed.Refresh.Reveal() != "old" {
				t.Errorf("without a new refresh token the old one goes on: %v", err)
			}
		})
	}
}

func wantToken(t *testing.T, token credential.Token, err error, life time.Duration, scopes, stated string, before time.Time) {
	t.Helper()
	if scopes == "" {
		scopes = "a b"
	}
	if err != nil || token.Access.Reveal() != "new-access" || token.Refresh.Reveal() != "new-refresh" || token.Generation != 7 ||
		token.Type != "Bearer" || token.StatedType != stated ||
		strings.Join(token.Scopes, " ") != scopes || strings.Join(token.RequestedScopes, " ") != "a b" {
		t.Fatalf("%+v, %v", token, err)
	}
	switch lives := token.ExpiresAt.Sub(token.ObtainedAt); {
	case life == 0 && !token.ExpiresAt.IsZero():
		t.Errorf("it expires at %v", token.ExpiresAt)
	case life > 0 && (lives != life || token.ObtainedAt.Before(before.Add(-time.Second))):
		t.Errorf("it lives %v from %v", lives, token.ObtainedAt)
	}
}

// A 2xx answer to a refresh that holds no token that can be used is one that spent the
// refresh token, whatever its body; a page is no answer of the server. Faults A3 and B5.
func TestAnswersWithoutAToken(t *testing.T) {
	with := func(old, now string) string { return strings.Replace(tokenBody, old, now, 1) }
	for _, test := range []struct {
		name, body, mediaType string
		class                 oauth.Class
	}{
		{"half of a document", `{"access_token": `, "application/json", oauth.Spent},
		{"half of a document with the token in it", `{"access_token":"at-secret","refr`, "application/json", oauth.Spent},
		{"nothing", "", "application/json", oauth.Spent},
		{"nothing, as HTML", "", "text/html", oauth.Spent},
		{"blanks", " \n", "text/html", oauth.Spent},
		{"a document of nothing", `{}`, "application/json", oauth.Spent},
		{"a list of nothing", `[]`, "application/json", oauth.Spent},
		{"null", `null`, "application/json", oauth.Spent},
		{"a word", `OK`, "text/plain", oauth.Spent},
		{"text", `at-secret rt-secret`, "text/plain", oauth.Spent},
		{"a document of something else", `{"status":"ok","type":"Bearer"}`, "application/json", oauth.Spent},
		{"a token that is null", with(`"new-access"`, "null"), "application/json", oauth.Spent},
		{"a token that is empty", with("new-access", ""), "application/json", oauth.Spent},
		{"a token that is an object", with(`"new-access"`, `{"a":1}`), "application/json", oauth.Spent},
		{"a token that is a truth", with(`"new-access"`, "true"), "application/json", oauth.Spent},
		{"a token that no header can carry", with("new-access", `new\r\naccess`), "application/json", oauth.Spent},
		{"a token with a control character", with("new-access", `new\u0000access`), "application/json", oauth.Spent},
		{"numbers that say that all is well, without a token", `{"errcode":0,"errmsg":"ok"}`, "application/json", oauth.Spent},
		{"lists of something else", `[{"a":1},{"b":2}]`, "application/json", oauth.Spent},
		{"an encrypted token", "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.at-secret.b.c.d", "application/jwt", oauth.Spent},
		{"a token in XML", `<oauth><access_token>at-secret</access_token></oauth>`, "application/xml", oauth.Spent},
		{"a type that needs a proof of another kind", with("bearer", "mac"), "application/json", oauth.Spent},
		{"a grant in place of a token", with("bearer", "N_A"), "application/json", oauth.Spent},
		{"a bound token that was not asked for", with("bearer", "DPoP"), "application/json", oauth.Spent},
		{"far too long", with("unknown", strings.Repeat("x", 10<<20)), "application/json", oauth.Spent},

		{"a page", "<html><head><title>Down for\n maintenance</title></head></html>", "text/html", oauth.Transient},
		{"a page that says it is JSON", "\n<!DOCTYPE html><html></html>", "application/json", oauth.Transient},
		{"a page in XHTML", `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>`, "application/xhtml+xml", oauth.Transient},
		{"a page without markup", "We will be back soon.", "text/html; charset=utf-8", oauth.Transient},
		{"a page behind a byte order mark", "\xEF\xBB\xBF<html></html>", "", oauth.Transient},
	} {
		s := record(t, answer{status: http.StatusOK, body: test.body, header: typed(test.mediaType)})
		_, err := oauth.Refresh(t.Context(), client(), credential.Token{TokenEndpoint: s.URL, Refresh: secret("rt-old")}, anyone,
			oauth.RefreshOptions{})
		var failure *oauth.Error
		if !errors.As(err, &failure) || failure.Class != test.class {
			t.Errorf("%s: %v, want the class %s", test.name, err, test.class)
			continue
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "new-") {
			t.Errorf("%s: what could not be read is shown: %v", test.name, err)
		}
		if said := strings.Contains(err.Error(), "page"); said != (test.class == oauth.Transient) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A body that breaks off after a status of success is one that was carried out.
func TestAnswerThatBreaksOff(t *testing.T) {
	s := record(t, answer{status: http.StatusOK, body: tokenBody[:40], header: http.Header{"Content-Length": {"400"}}})
	_, err := oauth.Refresh(t.Context(), client(), credential.Token{TokenEndpoint: s.URL, Refresh: secret("old")}, anyone,
		oauth.RefreshOptions{})
	var failure *oauth.Error
	if !errors.As(err, &failure) || failure.Class != oauth.Spent || !strings.Contains(err.Error(), "could not be read to its end") {
		t.Errorf("%v", err)
	}
}

// What a refusal says is known by what it means, in any spelling and under any status;
// what is not known is no more than a refusal. Faults B1, B2, B3, B4 and B10.
func TestTokenFailures(t *testing.T) {
	page := "<html><head><title>401 Authorization Required</title></head></html>"
	for _, test := range []struct {
		status int
		body   string
		class  oauth.Class
	}{
		{400, `{"error":"invalid_grant"}`, oauth.InvalidGrant},
		{401, `{"error":"invalid_grant"}`, oauth.InvalidGrant},
		{403, `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`, oauth.InvalidGrant},
		{404, `{"error":"invalid_grant"}`, oauth.InvalidGrant},
		{422, `{"error":"INVALID_GRANT"}`, oauth.InvalidGrant},
		{200, `{"error":"invalid_grant"}`, oauth.InvalidGrant},
		{200, `{"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired."}`, oauth.InvalidGrant},
		{200, `error=bad_refresh_token&error_description=The+refresh+token+passed+is+incorrect+or+expired.`, oauth.InvalidGrant},
		{200, `{"ok":false,"error":"invalid_refresh_token"}`, oauth.InvalidGrant},
		{200, `{"ok":false,"error":"token_expired"}`, oauth.InvalidGrant},
		{400, `{"error":"interaction_required","suberror":"basic_action"}`, oauth.InvalidGrant},
		{400, `{"error":"consent_required"}`, oauth.InvalidGrant},
		{400, `{"error":"login_required"}`, oauth.InvalidGrant},
		{400, `{"error":"bad_refresh_token"}`, oauth.InvalidGrant},
		{400, `{"error":"expired_token"}`, oauth.InvalidGrant},
		{400, `{"error":"refresh_token_expired"}`, oauth.InvalidGrant},
		{400, `{"error":"RefreshTokenRevoked"}`, oauth.InvalidGrant},
		{400, `{"error":"E_REFRESH_TOKEN_ALREADY_USED"}`, oauth.InvalidGrant},
		{400, `{"code":400,"error_code":"refresh_token_not_found","msg":"Invalid Refresh Token: Refresh Token Not Found"}`, oauth.InvalidGrant},
		{400, `{"status":"BAD_REFRESH_TOKEN","message":"missing or invalid refresh token","correlationId":"1"}`, oauth.InvalidGrant},
		{400, `{"status":"error","message":"missing or unknown refresh token"}`, oauth.InvalidGrant},
		{403, `{"error":"unauthorized_client","error_description":"refresh_token is invalid"}`, oauth.InvalidGrant},
		{400, `{"__type":"NotAuthorizedException","message":"Refresh Token has been revoked"}`, oauth.InvalidGrant},
		{400, `{"error":"invalid_request","error_description":"The refresh_token is invalid."}`, oauth.InvalidGrant},
		{400, `{"error":"invalid_request","error_description":"Token has been expired or revoked."}`, oauth.InvalidGrant},
		{400, `{"error":"Bad Request","status":400,"message":"Invalid refresh token"}`, oauth.InvalidGrant},
		{400, `{"error":"Refresh token is expired"}`, oauth.InvalidGrant},
		{400, `{"error":{"code":"invalid_grant","message":"no"}}`, oauth.InvalidGrant},
		{400, `{"error":{"type":"OAuthException","code":190,"message":"Session has expired on Friday"}}`, oauth.InvalidGrant},
		{400, `{"errors":[{"errorType":"invalid_grant","message":"Refresh token invalid: x"}],"success":false}`, oauth.InvalidGrant},
		{400, `{"errors":["The refresh token has already been used"]}`, oauth.InvalidGrant},
		{401, `{"errorCode":"E0000011","errorSummary":"The refresh token is invalid or expired."}`, oauth.InvalidGrant},

		{401, `{"error":"invalid_client"}`, oauth.InvalidClient},
		{400, `{"error":"unauthorized_client"}`, oauth.InvalidClient},
		{200, `{"error":"incorrect_client_credentials"}`, oauth.InvalidClient},
		{200, `{"ok":false,"error":"bad_client_secret"}`, oauth.InvalidClient},

		{401, ``, oauth.Rejected},
		{401, `Unauthorized`, oauth.Rejected},
		{401, `{"message":"Unauthorized"}`, oauth.Rejected},
		{403, `error code: 1020`, oauth.Rejected},
		{400, `Token has been expired or revoked.`, oauth.Rejected},
		{400, `{"error":"invalid_request"}`, oauth.Rejected},
		{400, `{"error":"invalid_request","error_description":"The token request is invalid."}`, oauth.Rejected},
		{400, `{"error":"invalid_request","error_description":"invalid token endpoint authentication"}`, oauth.Rejected},
		{400, `{"error":"invalid_target"}`, oauth.Rejected},
		{400, `{"error":"invalid_scope","error_description":"scope not granted: the grant is not valid for it"}`, oauth.Rejected},
		{400, `{"error":"unsupported_grant_type"}`, oauth.Rejected},
		{400, `{"error":"something_else"}`, oauth.Rejected},
		{200, `{"error":"something_else"}`, oauth.Rejected},
		{200, `{"ok":false}`, oauth.Rejected},
		{404, `{"error":"invalid_request"}`, oauth.Rejected},
		{500, `{"error":"invalid_grant"}`, oauth.Rejected},
		{500, `{"error":"invalid_client"}`, oauth.Rejected},

		{400, `{"error":"temporarily_unavailable"}`, oauth.Transient},
		{400, `{"error":"server_error"}`, oauth.Transient},
		{200, `{"ok":false,"error":"ratelimited"}`, oauth.Transient},
		{401, page, oauth.Transient},
		{400, page, oauth.Transient},
		{403, page, oauth.Transient},
		{200, page, oauth.Transient},
		{503, page, oauth.Transient},
		{408, ``, oauth.Transient},
		{425, ``, oauth.Transient},
		{429, `{"error":"invalid_grant"}`, oauth.Transient},
		{500, ``, oauth.Transient},
		{502, `{"message":"upstream connect error"}`, oauth.Transient},

		{404, ``, oauth.Moved},
		{404, page, oauth.Moved},
		{404, `{"timestamp":1,"status":404,"error":"Not Found","path":"/oauth/token"}`, oauth.Moved},
		{405, `Method Not Allowed`, oauth.Moved},
		{410, ``, oauth.Moved},
		{501, ``, oauth.Moved},
		{302, ``, oauth.Moved},
		{308, ``, oauth.Moved},

		// What vendors are known to say, and other shapes of the same.
		{400, `invalid_grant`, oauth.InvalidGrant},
		{400, `"invalid_grant"`, oauth.InvalidGrant},
		{400, `["invalid_grant"]`, oauth.InvalidGrant},
		{400, `{"error":"Invalid Grant"}`, oauth.InvalidGrant},
		{400, `{"error":"invalidGrant"}`, oauth.InvalidGrant},
		{400, `{"error":"InvalidGrantError"}`, oauth.InvalidGrant},
		{400, `{"error":"OAuth2::InvalidGrant"}`, oauth.InvalidGrant},
		{400, `{"Error":"INVALID_GRANT","Error_Description":"x"}`, oauth.InvalidGrant},
		{400, `{"error":["invalid_grant"]}`, oauth.InvalidGrant},
		{400, `{"errors":["invalid_grant"]}`, oauth.InvalidGrant},
		{400, `{"errors":{"code":"invalid_grant"}}`, oauth.InvalidGrant},
		{400, `[{"error":"invalid_grant"},{"error":"x"}]`, oauth.InvalidGrant},
		{400, `{"error":{"error":"invalid_grant","error_description":"x"}}`, oauth.InvalidGrant},
		{400, `{"detail":{"error":"invalid_grant"}}`, oauth.InvalidGrant},
		{400, `{"data":{"error_code":10010,"description":"refresh token expired"},"message":"error"}`, oauth.InvalidGrant},
		{400, `{"__type":"com.amazonaws.ssooidc#InvalidGrantException"}`, oauth.InvalidGrant},
		{400, `{"error":"invalid_request","error_description":"Invalid \"refresh_token\" in request."}`, oauth.InvalidGrant},
		{400, "{\"error\":\"invalid_request\",\"error_description\":\"The `refresh_token` provided was invalid.\"}", oauth.InvalidGrant},
		{400, `{"error":"invalid_request","error_description":"session not found"}`, oauth.InvalidGrant},
		{400, `{"error":"invalid_request","error_description":"This request requires an active refresh_token"}`, oauth.InvalidGrant},
		{400, `{"error":{"code":400,"message":"TOKEN_EXPIRED","status":"INVALID_ARGUMENT"}}`, oauth.InvalidGrant},
		{400, `{"error":{"code":400,"message":"INVALID_REFRESH_TOKEN","status":"INVALID_ARGUMENT"}}`, oauth.InvalidGrant},
		{400, `{"error":{"code":400,"message":"USER_DISABLED","status":"INVALID_ARGUMENT"}}`, oauth.InvalidGrant},
		{400, `{"error":"inactive_user"}`, oauth.InvalidGrant},
		{400, `{"message":"Bad Request","errors":[{"resource":"RefreshToken","field":"refresh_token","code":"invalid"}]}`, oauth.InvalidGrant},
		{401, `{"reason":"Invalid Token!","error":"invalid_request"}`, oauth.InvalidGrant},
		{401, `{"ErrorCode":"InvalidRequest","Error":"Refresh Token expired"}`, oauth.InvalidGrant},
		{401, `{"fault":{"faultstring":"Refresh Token expired","detail":{"errorcode":"keymanagement.service.refresh_token_expired"}}}`, oauth.InvalidGrant},
		{401, `{"fault":{"faultstring":"x","detail":{"errorcode":"keymanagement.service.invalid_refresh_token"}}}`, oauth.InvalidGrant},
		{200, `{"errcode":40030,"errmsg":"invalid refresh_token"}`, oauth.InvalidGrant},
		{400, `{"err":"Refresh token not found","ECODE":"OAUTH_019"}`, oauth.InvalidGrant},
		{400, `{"error":true,"status":400,"message":"Invalid refresh token","i18n":null}`, oauth.InvalidGrant},
		{400, `{"message":["refresh_token is invalid"],"error":"Bad Request","statusCode":400}`, oauth.InvalidGrant},
		{401, `{"status":{"error":true,"code":401,"type":"Unauthorized","message":"refresh_token is expired"}}`, oauth.InvalidGrant},
		{400, `error=invalid_grant&error_description=the token is bad`, oauth.InvalidGrant},
		{200, `{"error":"org_login_required"}`, oauth.InvalidGrant},
		{400, `<?xml version="1.0"?><OAuth><error>invalid_grant</error><error_description>expired</error_description></OAuth>`, oauth.InvalidGrant},
		{401, `{"error":"deleted_client"}`, oauth.InvalidClient},
		{401, `{"error":"disabled_client"}`, oauth.InvalidClient},
		{400, `{"__type":"InvalidClientException"}`, oauth.InvalidClient},
		{401, `invalid_client`, oauth.InvalidClient},
		{400, `{"error":"invalid_request","error_description":"Client not found"}`, oauth.InvalidClient},
		{401, `{"ErrorCode":"invalid_request","Error":"Invalid client id : AVD7. ClientId is Invalid"}`, oauth.InvalidClient},
		{401, `{"error":"unauthorized","error_description":"No client with requested id: xyz"}`, oauth.InvalidClient},

		{403, `{"type":"about:blank","title":"Access Denied","status":403}`, oauth.Rejected},
		{403, `{"title":"Access denied","status":403,"detail":"blocked by a rule"}`, oauth.Rejected},
		{403, `{"message":"Forbidden"}`, oauth.Rejected},
		{403, `{"__type":"ForbiddenException","message":"Request not allowed due to WAF block."}`, oauth.Rejected},
		{401, `{"error":"server_error","error_description":"access_denied"}`, oauth.Rejected},
		{400, `{"error":"invalid_request","error_description":"client authentication failed: no credentials"}`, oauth.Rejected},
		{422, `{"detail":[{"loc":["body","refresh_token"],"msg":"field required","type":"value_error.missing"}]}`, oauth.Rejected},
		{400, `{"error":{}}`, oauth.Rejected},
		{400, `{"error":[]}`, oauth.Rejected},
		{400, `{"error":null}`, oauth.Rejected},

		{400, `{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied","status":"failure"}`, oauth.Transient},
		{400, `{"error":"invalid_request","error_description":"AADSTS90033: A transient error has occurred. Please try again."}`, oauth.Transient},
		{400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, oauth.Transient},
		{400, `{"__type":"TooManyRequestsException"}`, oauth.Transient},
		{400, `{"__type":"InternalServerException"}`, oauth.Transient},
		{400, `{"error":{"message":"(#4) Application request limit reached","type":"OAuthException","code":4}}`, oauth.Transient},
		{403, `{"error":{"code":403,"message":"Quota exceeded: rate limit exceeded","status":"RESOURCE_EXHAUSTED"}}`, oauth.Transient},
		{400, `temporarily_unavailable`, oauth.Transient},
		{400, `{"error":"Temporarily Unavailable"}`, oauth.Transient},
		{400, `{"error":"server_error","error_description":"the grant could not be read; try again later"}`, oauth.Transient},
	} {
		s := record(t, answer{status: test.status, body: test.body, header: http.Header{"Location": {"https://other.example/"}}})
		_, err := oauth.Refresh(t.Context(), client(), credential.Token{TokenEndpoint: s.URL, Refresh: secret("rt-old")}, anyone,
			oauth.RefreshOptions{})
		var failure *oauth.Error
		if !errors.As(err, &failure) || failure.Class != test.class || failure.Status != test.status {
			t.Errorf("%d %s: %v (%s), want the class %s", test.status, test.body, err, failure.Class, test.class)
		}
	}
}

// A refusal says when to come back, within reason.
func TestRetryAfter(t *testing.T) {
	for header, pause := range map[string]time.Duration{"7": 7 * time.Second, "86400": time.Hour, "": 0, "soon": 0, " 7 ": 7 * time.Second,
		"1.5": 1500 * time.Millisecond,
		"-3":  0, "0": 0, "9999999999999999999": time.Hour, "Tue, 01 Jan 2199 00:00:00 GMT": time.Hour, "Tue, 01 Jan 2019 00:00:00 GMT": 0} {
		s := record(t, answer{status: http.StatusServiceUnavailable, header: http.Header{"Retry-After": {header}}})
		_, err := oauth.Refresh(t.Context(), client(), credential.Token{TokenEndpoint: s.URL, Refresh: secret("r")}, anyone,
			oauth.RefreshOptions{})
		var failure *oauth.Error
		if !errors.As(err, &failure) || failure.RetryAfter != pause {
			t.Errorf("%q: a pause of %v, want %v", header, failure.RetryAfter, pause)
		}
	}
}
