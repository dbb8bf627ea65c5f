package oauthserver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

type client struct {
	id, secret string
	redirects  []string // none: any loopback address
	// grants are the grant types that it registered; nil for one that is registered beforehand.
	grants []string
	// scopes are those that it may ask for; nil for any.
	scopes []string
	// keys verify its assertions; nil where it signs none.
	keys *keySet
}

// mayAsk reports whether a client that is held to its scopes may ask for these.
func (c *client) mayAsk(scope string) bool {
	for _, one := range strings.Fields(scope) {
		if c.scopes != nil && !slices.Contains(c.scopes, one) {
			return false
		}
	}
	return true
}

func (c *client) hasGrant(grant string) bool {
	return c.grants == nil || slices.Contains(c.grants, grant)
}

// request is an authorization request on its way to a code.
type request struct {
	client, redirect, state, challenge, resource, scope string
	expires                                             time.Time // of the code
}

// grant is what one login gave; its tokens live and die together.
type grant struct {
	client, resource, scope string
	revoked                 bool
	refresh                 string // the current one
	key                     string // the thumbprint of that which its tokens are bound to
}

type access struct {
	grant   *grant
	expires time.Time
	scope   string
}

// grants is all state of the authorization server; the server's lock guards it.
type grants struct {
	clients map[string]*client
	codes   map[string]*request
	used    map[string]*grant   // codes that were redeemed, with what they gave
	pushed  map[string]*pushed  // requests that no browser has brought yet
	pending map[string]*request // requests whose consent page is open

	devices   map[string]*device // by device code
	userCodes map[string]string  // device codes by user code
	refresh   map[string]*grant  // past and present refresh tokens
	access    map[string]*access
	// assertions are the grants of the identity provider that were not redeemed yet.
	assertions map[string]bool
	// shown are the ids of the assertions by which clients have shown themselves.
	shown map[string]bool
}

func newGrants(preregistered map[string]string) grants {
	g := grants{
		clients:    map[string]*client{},
		codes:      map[string]*request{},
		used:       map[string]*grant{},
		devices:    map[string]*device{},
		userCodes:  map[string]string{},
		pending:    map[string]*request{},
		pushed:     map[string]*pushed{},
		refresh:    map[string]*grant{},
		access:     map[string]*access{},
		assertions: map[string]bool{},
		shown:      map[string]bool{},
	}
	for id, secret := range preregistered {
		g.clients[id] = &client{id: id, secret: secret}
	}
	return g
}

// allows reports whether the client may be redirected there; loopback addresses
// match whatever their port (RFC 8252 section 7.3).
func (c *client) allows(redirect string) bool {
	asked, err := url.Parse(redirect)
	if err != nil || net.ParseIP(asked.Hostname()) == nil && asked.Hostname() != "localhost" {
		return false
	}
	for _, known := range c.redirects {
		k, err := url.Parse(known)
		if err == nil && k.Scheme == asked.Scheme && k.Hostname() == asked.Hostname() && k.Path == asked.Path {
			return true
		}
	}
	return len(c.redirects) == 0
}

func verifies(challenge, verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:]) == challenge
}

// answer is a token response (RFC 6749 section 5.1).
type answer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    *int   `json:"expires_in,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// issue makes the next tokens of a grant; keep leaves its refresh token as it is
// and does not tell it.
func (s *Server) issue(g *grant, ttl time.Duration, keep bool) answer {
	token := "at-" + rand.Text()
	s.grants.access[token] = &access{grant: g, expires: s.options.Clock().Add(ttl), scope: g.scope}
	seconds := int(ttl / time.Second)
	a := answer{AccessToken: token, TokenType: "Bearer", ExpiresIn: &seconds, Scope: g.scope}
	switch {
	case s.options.NoRefreshTokens, keep:
	case g.refresh == "" || !s.options.KeepRefreshTokens:
		g.refresh = "rt-" + rand.Text()
		s.grants.refresh[g.refresh] = g
		a.RefreshToken = g.refresh
	}
	return a
}
