package oauth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"mcpproxy/credential"
)

// deadGrant are the codes, beside invalid_grant, by which servers say that a user has to
// log in again: the grant is over, or the user has something to do first.
var deadGrant = []string{
	"invalid_grant", "bad_refresh_token", "invalid_refresh_token", "bad_verification_code", "invalid_code", "expired_token", "token_expired", "token_revoked", "invalid_token",
	"refresh_token_not_found", "refresh_token_already_used", "session_not_found", "session_expired", "authorization_not_found", "access_denied", "account_inactive", "invalid_rapt",
	"interaction_required", "login_required", "consent_required", "account_selection_required", "user_authentication_required", "mfa_required", "reauth_required",
}

// deadClient are the codes, beside invalid_client, that name the client.
var deadClient = []string{
	"invalid_client", "unauthorized_client", "invalid_client_id", "invalid_client_secret", "client_not_found", "unknown_client", "incorrect_client_credentials",
	"bad_client_id", "bad_client_secret", "oauth_client_not_found", "invalid_app_id",
}

// passingCodes say that the server cannot now.
var passingCodes = []string{"temporarily_unavailable", "server_error", "slow_down", "internal_error", "internal_server_error", "rate_limited", "ratelimited",
	"rate_limit_exceeded", "over_request_rate_limit", "too_many_requests", "service_unavailable", "timeout", "request_timeout", "unknown_error", "fatal_error", "unexpected_failure"}

// otherCodes speak of the request and of neither grant nor client.
var otherCodes = []string{"invalid_scope", "invalid_target", "unsupported_grant_type", "unsupported_response_type", "invalid_dpop_proof", "use_dpop_nonce", "authorization_pending",
	"invalid_redirect_uri", "invalid_client_metadata", "invalid_software_statement", "unapproved_software_statement", "unsupported_token_type"}

const (
	dead    = `(?:invalid|expired|revoked|incorrect|bad|unknown|inactive|stale|reused?|used|consumed|terminated|not found|not active|not valid|no longer valid|no longer active|does not exist|doesn't exist)`
	subject = `(?:access[/ _-]+)?(?:refresh[ _-]?tokens?|token|session|grant)`
)

// deadCode is a code that says of a token, grant or session that it is over; deadWords is
// a sentence that does. Between the two stand only words such as "has already been".
var (
	deadCode  = regexp.MustCompile(`^(?:\w+_)?(?:(?:bad|invalid|expired|revoked|unknown|inactive|used)_(?:refresh_token|refreshtoken|grant|session)|(?:refresh_token|refreshtoken|grant|session)_(?:is_)?(?:already_)?(?:invalid|expired|revoked|unknown|inactive|used|reused|not_found|not_valid|reuse_detected))$`)
	deadWords = regexp.MustCompile(`\b(?:` + dead + `(?:(?:,| or| and|/)+ ?` + dead + `)* (?:the |your |this |or |provided )*` + subject +
		`|` + subject + `(?: passed| provided| supplied| given)?:?(?: (?:is|was|has|have|been|are|already|either|a|reuse))* (?:\w+ or )?(?:` + dead + `|detected))\b`)
)

// notSubjects are words of OAuth that hold the name of what may be over.
var notSubjects = regexp.MustCompile(`token[ _](?:endpoint|type|request|exchange)|grant[ _]type`)

// refusal reads what a server that gave no token said: an OAuth error (RFC 6749 section
// 5.2) in any of the spellings that are in use, a page, or words. What it means for what
// was sent is the class.
func (a answer) refusal(failure *Error, secrets ...credential.Secret) *Error {
	failure.Status = a.status
	code, description := a.said()
	failure.Code, failure.Description = clean(code, secrets...), clean(description, secrets...)
	switch failure.Class = a.class(code, description); {
	case a.page && a.title != "":
		failure.Err = fmt.Errorf("it answered with the page %q and not as an authorization server", clean(a.title, secrets...))
	case a.page:
		failure.Err = errors.New("it answered with a page and not as an authorization server")
	case a.broken != nil:
		failure.Err = fmt.Errorf("the answer could not be read to its end: %s", clean(stripURL(a.broken).Error(), secrets...))
	case failure.Class == Spent:
		failure.Err = errors.New("the answer holds no token that can be read")
	}
	return failure
}

// said is the code and the words of a refusal, whatever they are called and wherever they
// stand. What has a blank in it is no code.
func (a answer) said() (code, description string) {
	switch {
	case a.members == nil && a.status/100 == 2:
		return "", "" // what cannot be read may be a token
	case a.members == nil:
		return "", a.text
	}
	wordings := []string{"error_description", "error_message", "message", "msg", "error_summary", "detail", "error_msg", "description", "fault_string"}
	code, description = word(a.members, "error"), word(a.members, wordings...)
	for _, name := range []string{"error", "errors", "fault"} {
		value := a.members[name]
		if list, ok := value.([]any); ok && len(list) > 0 {
			value = list[0]
		}
		switch value := value.(type) {
		case map[string]any:
			inner := folded(value)
			code, description = cmp.Or(code, named(inner)), cmp.Or(description, word(inner, wordings...))
		case string:
			if name != "error" {
				description = cmp.Or(description, value)
			}
		}
	}
	if strings.Contains(code, " ") {
		return named(a.members), strings.TrimPrefix(description+": "+code, ": ")
	}
	if !isCode(code) {
		code = ""
	}
	return cmp.Or(code, named(a.members), word(a.members, "title")), description
}

// named is a code under another name than error.
func named(members map[string]any) string {
	for _, name := range []string{"error_code", "error", "code", "error_type", "__type", "type", "status", "reason"} {
		if text := word(members, name); isCode(text) {
			return text
		}
	}
	return ""
}

// isCode reports whether a word may be a code: no number, truth or sentence.
func isCode(text string) bool {
	switch strings.ToLower(text) {
	case "", "true", "false", "ok", "error", "success", "fail", "failed":
		return false
	}
	return strings.Trim(text, "0123456789.") != "" && !strings.Contains(text, " ")
}

// refuses reports whether a document says that it is an error, whatever the status says.
func (a answer) refuses() bool {
	for _, name := range []string{"error", "error_code", "errors", "error_description", "error_message"} {
		switch value := a.members[fold(name)].(type) {
		case nil, bool:
			if value == true {
				return true
			}
		case string:
			if value != "" {
				return true
			}
		default:
			return true
		}
	}
	return word(a.members, "ok") == "false" || word(a.members, "success") == "false"
}

// class says what a refusal means for what was sent.
func (a answer) class(code, description string) Class {
	if a.members == nil {
		description = "" // words alone are no OAuth error; they are believed when they go on
	}
	switch known := classOfCode(code, description); {
	case a.status >= 500 && (known == InvalidGrant || known == InvalidClient):
		return Rejected // it says so while it says that it does not work: believed when it goes on
	case known == Transient, classOfStatus(a.status) == Transient:
		return Transient
	case known != "":
		return known
	case gone(a.status):
		return Moved
	case a.page:
		return Transient
	case a.refuses():
		return Rejected
	}
	return classOfStatus(a.status)
}

// gone reports whether a status says that there is no such endpoint, or that it is
// elsewhere. Nothing was carried out.
func gone(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented:
		return true
	}
	return status >= 300 && status < 400
}

// classOfCode is what a code means, or a sentence where the code says too little; empty
// for what is not known.
func classOfCode(code, description string) Class {
	spelled := hump.ReplaceAllString(code, "${1}_$2")
	spelled = strings.Trim(nonWord.ReplaceAllString(strings.ToLower(spelled), "_"), "_")
	ended := deadWords.MatchString(notSubjects.ReplaceAllString(strings.ToLower(description), ""))
	switch {
	case slices.Contains(deadGrant, spelled), deadCode.MatchString(spelled):
		return InvalidGrant
	case spelled == "unauthorized_client" && ended:
		return InvalidGrant // Atlassian's "refresh_token is invalid"
	case slices.Contains(deadClient, spelled):
		return InvalidClient
	case slices.Contains(passingCodes, spelled):
		return Transient
	case slices.Contains(otherCodes, spelled):
		return Rejected
	case ended:
		return InvalidGrant
	case spelled == "invalid_request":
		return Rejected
	}
	return ""
}

var (
	nonWord = regexp.MustCompile(`\W+`)
	hump    = regexp.MustCompile(`([a-z0-9])([A-Z])`)
)

// classOfStatus is for answers that hold no code.
func classOfStatus(status int) Class {
	switch {
	case gone(status):
		return Moved
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return Transient
	case status >= 300:
		return Rejected
	}
	return Spent
}
