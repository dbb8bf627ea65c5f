package upstream

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/oauth"
	"mcpproxy/upstream/wire"
)

// What the server said about a request, when it was not an answer to it. They
// survive errors.As through the transports above.

// UnauthorizedError says that a request was answered with 401. The request was
// not carried out.
type UnauthorizedError struct {
	Upstream string
	// Generation of the token that was sent, 0 for none.
	Generation uint64
}

func (e *UnauthorizedError) Error() string {
	if e.Generation == 0 {
		return e.Upstream + ": the server wants a login (401)"
	}
	return fmt.Sprintf("%s: the server refuses the token of generation %d (401)", e.Upstream, e.Generation)
}

// ScopeError says that the token lacks scopes (403 insufficient_scope). The
// request was not carried out.
type ScopeError struct {
	Upstream string
	// Generation of the token that was sent.
	Generation uint64
	Scopes     []string
}

func (e *ScopeError) Error() string {
	return fmt.Sprintf("%s: the token lacks the scope %q; `mcpproxy auth login %s` asks for it", e.Upstream, strings.Join(e.Scopes, " "),
		e.Upstream)
}

// UnavailableError says that the server answered with a status that passes.
type UnavailableError struct {
	Upstream string
	Status   int
	// RetryAfter is what the server asked for, or 0.
	RetryAfter time.Duration
	// Body is the beginning of the answer's body.
	Body []byte
}

// Answer implements [wire.Refusal].
func (e *UnavailableError) Answer() (int, []byte) { return e.Status, e.Body }

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("%s: the server answers %d %s", e.Upstream, e.Status, http.StatusText(e.Status))
}

// bearer puts the current token on each request and turns 401 and 403 into
// events. It never waits: not for a refresh, not for a user.
type bearer struct {
	upstream *Upstream
	next     http.RoundTripper
	// nonce is the last one that the server gave for proofs of possession: any answer may
	// bring the next. Whether a request is sent again for one is the machine's to say.
	nonce atomic.Pointer[string]
	// moved is where the server last said that an address of its origin has moved to.
	moved atomic.Pointer[moved]
}

// RoundTrip implements [http.RoundTripper].
func (b *bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	u := b.upstream
	data := &u.Snapshot().Data
	request = u.withHeaders(request)
	var generation uint64
	var token *credential.Token
	if data.Token != nil && u.isOrigin(request.URL) {
		token, generation = data.Token, data.Token.Generation
	}
	response, err := b.follow(request, token)
	if err != nil {
		return nil, err
	}
	optional := wire.Optional(request)
	switch {
	case response.StatusCode == http.StatusUnauthorized:
		discard(response)
		if !optional {
			u.unauthorized(generation, challengeOf(response))
		}
		return nil, &UnauthorizedError{Upstream: u.config.Name, Generation: generation}
	case response.StatusCode == http.StatusForbidden && generation != 0 && !optional:
		if challenge := challengeOf(response); challenge.Error == "insufficient_scope" {
			discard(response)
			failure := &ScopeError{Upstream: u.config.Name, Generation: generation, Scopes: challenge.Scopes}
			_, _ = u.fire(transitions.Input{Event: transitions.ScopeInsufficient,
				Payload: transitions.Payload{Generation: generation, Challenge: challenge, Err: failure}})
			u.propose() // the machine's own step-up, where it is allowed
			return nil, failure
		}
	case response.StatusCode == http.StatusNotFound && request.Header.Get("Mcp-Session-Id") != "":
		discard(response)
		return nil, wire.ErrSessionLost
	case passes(response.StatusCode):
		return nil, &UnavailableError{
			Upstream:   u.config.Name,
			Status:     response.StatusCode,
			RetryAfter: retryAfter(response),
			Body:       beginning(response),
		}
	case response.StatusCode >= 300 && response.StatusCode < 400 && response.Header.Get("Location") != "":
		discard(response)
		return nil, refuseRedirect(response)
	case response.StatusCode >= 400:
		return nil, &wire.StatusError{Status: response.StatusCode, Body: beginning(response)}
	}
	if generation != 0 && data.Accepted != generation {
		_, _ = u.fire(transitions.Input{Event: transitions.TokenAccepted, Payload: transitions.Payload{Generation: generation}})
	}
	return response, nil
}

// withHeaders is a copy of the request, with a header of its own that has the configured
// ones.
func (u *Upstream) withHeaders(request *http.Request) *http.Request {
	request = request.WithContext(request.Context())
	if request.Header = maps.Clone(request.Header); request.Header == nil {
		request.Header = http.Header{}
	}
	for name, value := range u.config.Headers {
		if request.Header.Get(name) == "" { // what the protocol sends stays
			request.Header.Set(name, value.Reveal())
		}
	}
	return request
}

// passes reports whether a status says that the request may be taken another time:
// too slow, too early, too often, or a failure of the server's own (RFC 9110 section
// 15.5.9 and 15.6, RFC 8470 section 5.2, RFC 6585 section 4).
func passes(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// send puts the token on a request. A server that wants a nonce with the proof of
// possession has not carried the request out, so it is sent once more (RFC 9449
// section 9).
func (b *bearer) send(request *http.Request, token *credential.Token) (*http.Response, error) {
	if token == nil {
		return b.next.RoundTrip(request)
	}
	if token.Key.IsZero() {
		request.Header.Set("Authorization", "Bearer "+token.Access.Reveal())
		return b.next.RoundTrip(request)
	}
	response, err := b.prove(request, token)
	if err != nil || response.StatusCode != http.StatusUnauthorized || request.GetBody == nil {
		return response, err
	}
	if _, demanded := oauth.NonceDemanded(response); !demanded || !b.upstream.resend(token) {
		return response, nil
	}
	discard(response)
	again := request.Clone(request.Context())
	if again.Body, err = request.GetBody(); err != nil {
		return nil, err
	}
	return b.prove(again, token)
}

// prove sends a request with a bound token and the proof that belongs to it.
func (b *bearer) prove(request *http.Request, token *credential.Token) (*http.Response, error) {
	var nonce string
	if last := b.nonce.Load(); last != nil {
		nonce = *last
	}
	proof, err := oauth.Proof(token.Key, request.Method, request.URL, token.Access, nonce)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "DPoP "+token.Access.Reveal())
	request.Header.Set("DPoP", proof)
	response, err := b.next.RoundTrip(request)
	if err == nil {
		if next := response.Header.Get("DPoP-Nonce"); next != "" {
			b.nonce.Store(&next)
		}
	}
	return response, err
}

// unauthorized turns a 401 into the event that it is: about no token, about an
// older one (nothing to say: the caller uses the current one), about the current
// one, or about one that renewing does not help.
func (u *Upstream) unauthorized(generation uint64, challenge states.Challenge) {
	data := &u.Snapshot().Data
	in := transitions.Input{At: time.Now(), Payload: transitions.Payload{Generation: generation, Challenge: challenge}}
	switch in.Event = transitions.RefusalEnd(data, generation, in.At); {
	case in.Event == "":
		return
	case in.Event == transitions.Challenged:
		in.Payload.Err = errors.New("the server answered 401 to a request without a token")
		if !u.config.usesOAuth() && len(u.config.Headers) > 0 {
			in.Payload.Err = errors.New("the server answered 401 to a request with the configured headers")
		}
	case in.Event == transitions.TokenRejected && !data.Token.HasRefresh() && !data.RefusalIsFinal(in.At):
		in.Payload.Reason = states.TokenExpired
		in.Payload.Err = errors.New("the server refuses the token, and there is no refresh token to renew it with")
	case in.Event == transitions.TokenRejected:
		in.Payload.Err = fmt.Errorf("the server refuses the token of generation %d, which was issued at %s", generation,
			data.Token.ObtainedAt.UTC().Format(time.RFC3339))
	default:
		in.Payload.Err = fmt.Errorf("the server refuses the token of generation %d", generation)
	}
	_, _ = u.fire(in) // a refusal is in the journal; the caller looks at the state
}

func challengeOf(response *http.Response) states.Challenge {
	c, _ := oauth.TokenChallenge(response.Header)
	return states.Challenge{
		Scheme:           c.Scheme,
		Error:            c.Error,
		Description:      c.ErrorDescription,
		ResourceMetadata: c.ResourceMetadata,
		Scopes:           c.Scopes,
	}
}

// beginning reads what there is of an answer that says no, to a bound.
func beginning(response *http.Response) []byte {
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	return body
}

// discard reads a little of a body that nobody wants, so that the connection can
// be used again.
func discard(response *http.Response) {
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	_ = response.Body.Close()
}

func retryAfter(response *http.Response) time.Duration {
	text := response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return min(time.Duration(seconds)*time.Second, time.Hour)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), time.Hour)
	}
	return 0
}

// NewNetwork returns the transport to MCP servers: enough idle connections for
// a proxy, and bounds on how long a server may take to begin.
func NewNetwork() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 1024, 256
	t.TLSHandshakeTimeout = 10 * time.Second
	t.MaxResponseHeaderBytes = 256 << 10
	wire.WriteDirectly(t)
	return t
}
