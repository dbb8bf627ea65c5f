package oauth

import (
	"regexp"
	"slices"
	"strings"
)

// deadGrant are the codes, beside invalid_grant, by which servers say that a user has to
// log in again: the grant is over, or the user has something to do first.
var deadGrant = []string{
	"invalid_grant", "bad_refresh_token", "invalid_refresh_token", "bad_verification_code", "invalid_code", "expired_token", "token_expired",
	"token_revoked", "invalid_token",
	"refresh_token_not_found", "refresh_token_already_used", "session_not_found", "session_expired", "authorization_not_found",
	"access_denied", "account_inactive", "invalid_rapt",
	"interaction_required", "login_required", "consent_required", "account_selection_required", "user_authentication_required",
	"mfa_required", "reauth_required", "authorization_declined",
}

// deadClient are the codes, beside invalid_client, that name the client.
var deadClient = []string{
	"invalid_client", "unauthorized_client", "invalid_client_id", "invalid_client_secret", "client_not_found", "unknown_client",
	"incorrect_client_credentials",
	"bad_client_id", "bad_client_secret", "oauth_client_not_found", "invalid_app_id", "deleted_client", "disabled_client",
}

// passingCodes say that the server cannot now.
var passingCodes = []string{"temporarily_unavailable", "server_error", "slow_down", "internal_error", "internal_server_error",
	"rate_limited", "ratelimited",
	"rate_limit_exceeded", "over_request_rate_limit", "too_many_requests", "service_unavailable", "timeout", "request_timeout",
	"unknown_error", "fatal_error", "unexpected_failure",
	"throttling", "throttled", "internal_server", "resource_exhausted", "limit_exceeded", "quota_exceeded", "backend_error"}

// otherCodes speak of the request and of neither grant nor client.
var otherCodes = []string{"invalid_scope", "invalid_target", "unsupported_grant_type", "unsupported_response_type", "invalid_dpop_proof",
	"use_dpop_nonce", "authorization_pending",
	"invalid_redirect_uri", "invalid_client_metadata", "invalid_software_statement", "unapproved_software_statement", "unsupported_token_type"}

const (
	dead = `(?:invalid|expired|revoked|incorrect|bad|unknown|inactive|stale|reused?|used|consumed|terminated|not found` +
		`|not active|not valid|no longer valid|no longer active|does not exist)`
	subject = `(?:access[/ -]+)?(?:refresh[ -]?tokens?|token|session|grant)`
)

// deadCode is a code that says of a token, grant or session that it is over, or of its user
// that there is something to do; deadWords is a sentence that does. Between the two stand
// only words such as "has already been".
var (
	deadCode = regexp.MustCompile(`^(?:\w+_)?(?:(?:bad|invalid|expired|revoked|unknown|inactive|used)` +
		`_(?:refresh_token|refreshtoken|grant|session)` +
		`|(?:refresh_token|refreshtoken|grant|session)_(?:is_)?(?:already_)?` +
		`(?:invalid|expired|revoked|unknown|inactive|used|reused|not_found|not_valid|reuse_detected)` +
		`|(?:user|account)_(?:inactive|disabled|suspended|locked|deactivated|banned|deleted|not_found)` +
		`|(?:inactive|disabled|suspended|unknown)_(?:user|account)` +
		`|(?:login|log_in|sign_in|interaction|consent|reauth|reauthentication|reauthorization|user_authentication` +
		`|mfa|sso|two_factor_setup)_required)$`)
	deadWords = regexp.MustCompile(`\b(?:` + dead + `(?:(?:,| or| and|/)+ ?` + dead + `)* (?:the |your |this |or |provided )*` +
		subject +
		`|(?:requires?|needs?) an? (?:active|valid|new) refresh token` +
		`|` + subject + `(?: passed| provided| supplied| given)?:?(?: (?:is|was|has|have|been|are|already|either|a|reuse))* (?:\w+ or )?(?:` +
		dead + `|detected))\b`)
)

// clientWords are sentences that say that there is no such client, passingWords such as say
// that the server cannot now.
var (
	clientWords = regexp.MustCompile(`\b(?:(?:unknown|no such|unregistered|deleted) (?:oauth )?client|no client with|invalid client ?id` +
		`|client(?: ?id| identifier)? (?:is |was |has been |does )*(?:not found|unknown|invalid|not exist|deleted|disabled))\b`)
	passingWords = regexp.MustCompile(`too many (?:requests|attempts)|rate[ -](?:limit|exceeded)|request limit|throttled` +
		`|temporarily unavailable|service unavailable|transient error|quota exceeded|(?:try again|retry) (?:later|after|in|soon)`)
)

// notSubjects are words of OAuth that hold the name of what may be over.
var notSubjects = regexp.MustCompile(`token (?:endpoint|type|request|exchange)|grant type`)

var (
	nonWord = regexp.MustCompile(`\W+`)
	hump    = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	// decoration is what frameworks put around a code.
	decoration = regexp.MustCompile(`^(?:e|err|error|oauth2?)_|_(?:exception|error)$`)
)

// classOfCode is what a code means, empty for one that is not known, and how it is spelled
// in the RFCs: InvalidGrantException, OAuth2::InvalidGrant and INVALID-GRANT are one.
func classOfCode(code string) (canonical string, class Class) {
	code = strings.TrimRight(code, "#:/.!")
	code = code[strings.LastIndexAny(code, "#:/.")+1:]
	spelled := strings.Trim(nonWord.ReplaceAllString(strings.ToLower(hump.ReplaceAllString(code, "${1}_$2")), "_"), "_")
	for _, each := range []string{spelled, decoration.ReplaceAllString(spelled, "")} {
		switch {
		case slices.Contains(deadGrant, each), deadCode.MatchString(each):
			return each, InvalidGrant
		case slices.Contains(deadClient, each):
			return each, InvalidClient
		case slices.Contains(passingCodes, each):
			return each, Transient
		case slices.Contains(otherCodes, each), each == "invalid_request":
			return each, Rejected
		}
	}
	return spelled, ""
}

// meaning is what a code means, or a sentence where the code says too little; empty for
// what is not known.
func meaning(code, description string) Class {
	canonical, class := classOfCode(code)
	ended := over(description)
	switch {
	case canonical == "unauthorized_client" && ended:
		return InvalidGrant // Atlassian's "refresh_token is invalid"
	case class != "" && canonical != "invalid_request":
		return class
	case ended:
		return InvalidGrant
	case clientWords.MatchString(plain(description)):
		return InvalidClient
	case passingWords.MatchString(plain(description)):
		return Transient
	}
	return class
}

// over reports whether words say that a grant is over.
func over(description string) bool {
	_, class := classOfCode(description)
	return isCode(description) && class == InvalidGrant || deadWords.MatchString(notSubjects.ReplaceAllString(plain(description), ""))
}

// plain is a text in lower case, without quotes and with blanks for underscores.
func plain(text string) string {
	return strings.NewReplacer("_", " ", `"`, "", "'", "", "`", "").Replace(strings.ReplaceAll(strings.ToLower(text), "doesn't", "does not"))
}
