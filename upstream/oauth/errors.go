package oauth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"mcpproxy/credential"
)

// Class says what a failure means for what was sent.
type Class string

// The classes.
const (
	// NotSent: the request surely never reached the server.
	NotSent Class = "not-sent"
	// Ambiguous: it was sent and no answer came; it may have been carried out.
	Ambiguous Class = "ambiguous"
	// Spent: it was answered with success, so that it was carried out, and what it brought
	// cannot be read or used.
	Spent Class = "spent"
	// Transient: the server answered that it cannot now (429, 5xx, 408, 425), or something
	// before it answered with a page.
	Transient Class = "transient"
	// Moved: there is no such endpoint (404, 405, 410, 501), or it is elsewhere (3xx).
	Moved Class = "moved"
	// InvalidGrant: the grant is over, or its user has to log in again.
	InvalidGrant Class = "invalid_grant"
	// InvalidClient: an OAuth error that names the client.
	InvalidClient Class = "invalid_client"
	// Rejected: any other refusal. One that is known to speak of the request stays; of
	// others nobody knows what they mean.
	Rejected Class = "rejected"
	// NotOAuth: the server offers no OAuth login.
	NotOAuth Class = "not-oauth"
	// Unsupported: the server lacks what the protocol demands.
	Unsupported Class = "unsupported"
	// Misconfigured: what the server or the configuration says contradicts itself.
	Misconfigured Class = "misconfigured"
)

// Error is one failure of one operation. It holds no secret.
type Error struct {
	Operation string
	Class     Class
	// Code is the OAuth error code, if the server gave one (RFC 6749 section 5.2).
	Code        string
	Description string
	// Status is the HTTP status, or 0.
	Status     int
	RetryAfter time.Duration
	// URL is where it was sent, without a query.
	URL string
	Err error
	// Suggest are settings that may help, beside those that the code and the description
	// speak of.
	Suggest []Suggestion
}

func (e *Error) Error() string {
	text := e.Operation
	if e.URL != "" {
		text += " at " + e.URL
	}
	text += " failed"
	if e.Status != 0 {
		text += fmt.Sprintf(" with %d %s", e.Status, http.StatusText(e.Status))
	}
	if e.Code != "" {
		text += ": " + e.Code
	}
	if e.Description != "" {
		text += ": " + e.Description
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text + advice(e.suggestions())
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// classOfNetwork tells a request that surely was not sent from one that may
// have been. sent says whether it was written to a connection.
func classOfNetwork(err error, sent bool) Class {
	var refused *AddressError
	var operation *net.OpError
	switch {
	case !sent, errors.As(err, &refused), errors.As(err, &operation) && operation.Op == "dial":
		return NotSent
	case errors.Is(err, context.Canceled) && !sent:
		return NotSent
	}
	return Ambiguous
}

// clean makes a server's text fit to be shown: one line, bounded, and without
// the secrets that were sent to it.
func clean(text string, secrets ...credential.Secret) string {
	for _, s := range secrets {
		if !s.IsZero() {
			text = strings.ReplaceAll(text, s.Reveal(), "[redacted]")
		}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return strings.TrimSpace(text)
}

// where is a URL without what may be secret in it.
func where(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + u.Path
}

func retryAfter(header http.Header) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > 0 {
		return time.Duration(min(n, time.Hour.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), time.Hour)
	}
	return 0
}
