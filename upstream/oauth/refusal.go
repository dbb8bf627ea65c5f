package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpproxy/credential"
)

// refusal reads what a server that gave no token said: an OAuth error (RFC 6749 section
// 5.2) in any of the spellings that are in use, a page, or words. What it means for what
// was sent is the class.
func (a answer) refusal(failure *Error, secrets ...credential.Secret) *Error {
	failure.Status = a.status
	code, description := a.said()
	failure.Code, failure.Description = clean(code, secrets...), clean(description, secrets...)
	if canonical, class := classOfCode(code); class != "" {
		failure.Code = canonical
	}
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

// The names of members that hold a code, and of those that hold words.
var (
	codeNames = []string{"error", "errorcode", "errcode", "ecode", "code", "errortype", "type", "status", "reason"}
	wordNames = []string{"errordescription", "errormessage", "message", "msg", "errmsg", "errorsummary", "detail", "errormsg", "description",
		"faultstring",
		"err", "errors", "error", "reason", "title"}
)

// said is the code and the words of a refusal, whatever they are called and wherever they
// stand. What has a blank in it is no code. Of several codes the first that is known
// counts, and invalid_request, which says next to nothing, after the others.
func (a answer) said() (code, description string) {
	switch {
	case a.members == nil && a.status/100 == 2:
		return "", "" // what cannot be read may be a token
	case a.members == nil:
		return "", a.text
	}
	var codes, words []string
	for _, object := range a.objects() {
		for _, name := range codeNames {
			if text := first(object[name]); isCode(text) {
				codes = append(codes, text)
			}
		}
		for _, name := range wordNames {
			text := first(object[name])
			if said := strings.Contains(text, " ") || name != "error" && name != "reason"; text != "" && said && !slices.Contains(words, text) {
				words = append(words, text)
			}
		}
		if field := first(object["field"]); field != "" {
			words = append(words, field+" "+first(object["code"])) // Strava's "refresh_token", "invalid"
		}
	}
	for _, known := range [][]string{codes, words} {
		for _, text := range known {
			if canonical, class := classOfCode(text); isCode(text) && class != "" && canonical != "invalid_request" {
				return text, strings.Join(words, "; ")
			}
		}
	}
	return strings.Join(codes[:min(len(codes), 1)], ""), strings.Join(words, "; ")
}

// objects are the document and those within it in which servers put what went wrong.
func (a answer) objects() []map[string]any {
	all := []map[string]any{a.members}
	for i := 0; i < len(all) && len(all) < 8; i++ {
		for _, name := range []string{"error", "errors", "fault", "detail", "data", "result", "status", "exception"} {
			value := all[i][name]
			if list, ok := value.([]any); ok && len(list) > 0 {
				value = list[0]
			}
			if object, ok := value.(map[string]any); ok {
				all = append(all, folded(object))
			}
		}
	}
	return all
}

// first is a word, or the first of a list of words.
func first(value any) string {
	if list, ok := value.([]any); ok && len(list) > 0 {
		value = list[0]
	}
	return word(map[string]any{"": value}, "")
}

// isCode reports whether a word may be a code: no number, truth or sentence.
func isCode(text string) bool {
	switch strings.ToLower(text) {
	case "", "true", "false", "ok", "error", "success", "fail", "failed", "failure":
		return false
	}
	return strings.Trim(text, "0123456789.") != "" && !strings.Contains(text, " ")
}

// refuses reports whether a document says that it is an error, whatever the status says.
func refuses(members map[string]any) bool {
	for _, name := range []string{"error", "errorcode", "errors", "errordescription", "errormessage", "errcode"} {
		switch value := members[name].(type) {
		case nil:
		case bool:
			if value {
				return true
			}
		case string:
			if value != "" {
				return true
			}
		case json.Number:
			if value != "0" {
				return true
			}
		default:
			return true
		}
	}
	for _, name := range []string{"ok", "success"} {
		if value := members[name]; value == false || value == "false" {
			return true
		}
	}
	return false
}

// class says what a refusal means for what was sent.
func (a answer) class(code, description string) Class {
	if a.members == nil {
		description = "" // words alone are no OAuth error; they are believed when they go on
	}
	switch known := meaning(code, description); {
	case a.status >= 500 && (known == InvalidGrant || known == InvalidClient):
		return Rejected // it says so while it says that it does not work: believed when it goes on
	case classOfStatus(a.status) == Transient:
		return Transient
	case known == Transient && over(description):
		return Rejected // ServiceNow's server_error: access_denied
	case known != "":
		return known
	case gone(a.status):
		return Moved
	case a.page:
		return Transient
	case refuses(a.members):
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
