package oauth

import (
	"net/http"
	"strings"
)

// Challenge is one challenge of a WWW-Authenticate header (RFC 9110 section
// 11.6.1, RFC 6750 section 3, RFC 9728 section 5.1).
type Challenge struct {
	Scheme           string
	Realm            string
	Error            string
	ErrorDescription string
	ResourceMetadata string
	Scopes           []string
	// Params are all parameters, their names in lower case.
	Params map[string]string
}

// TokenChallenge returns the first challenge that asks for a token: Bearer, or
// DPoP where there is no Bearer (RFC 9449 section 7.1).
func TokenChallenge(h http.Header) (Challenge, bool) {
	all := ParseChallenges(h)
	for _, scheme := range []string{"Bearer", "DPoP"} {
		for _, c := range all {
			if strings.EqualFold(c.Scheme, scheme) {
				return c, true
			}
		}
	}
	return Challenge{}, false
}

// ParseChallenges reads all challenges of all WWW-Authenticate lines. It takes
// anything and never fails; what is not a challenge is left out.
func ParseChallenges(h http.Header) []Challenge {
	var all []Challenge
	for _, line := range h.Values("WWW-Authenticate") {
		p := scanner{text: line}
		for !p.done() {
			p.challenge(&all)
		}
	}
	for i := range all {
		c := &all[i]
		c.Realm, c.Error, c.ResourceMetadata = c.Params["realm"], clean(c.Params["error"]), c.Params["resource_metadata"]
		c.ErrorDescription = clean(c.Params["error_description"])
		c.Scopes = strings.Fields(c.Params["scope"])
	}
	return all
}

// scanner reads the header's grammar.
type scanner struct {
	text string
	at   int
}

func (p *scanner) done() bool {
	p.skip(" \t,")
	return p.at >= len(p.text)
}

func (p *scanner) skip(set string) {
	for p.at < len(p.text) && strings.IndexByte(set, p.text[p.at]) >= 0 {
		p.at++
	}
}

func isToken(b byte) bool {
	return b > ' ' && b < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?={}`, b) < 0
}

func (p *scanner) token() string {
	begin := p.at
	for p.at < len(p.text) && isToken(p.text[p.at]) {
		p.at++
	}
	return p.text[begin:p.at]
}

// challenge reads a scheme or one parameter of the scheme before.
func (p *scanner) challenge(all *[]Challenge) {
	name := p.token()
	if name == "" {
		p.at++ // nothing that could begin here
		return
	}
	afterName := p.at
	p.skip(" \t")
	if p.at < len(p.text) && p.text[p.at] == '=' && len(*all) > 0 {
		p.at++
		p.skip(" \t")
		params := (*all)[len(*all)-1].Params
		value := p.value()
		if key := strings.ToLower(name); params[key] == "" {
			params[key] = value
		}
		return
	}
	p.at = afterName
	*all = append(*all, Challenge{Scheme: name, Params: map[string]string{}})
}

func (p *scanner) value() string {
	if p.at >= len(p.text) || p.text[p.at] != '"' {
		// A token by the grammar; an address without its quotes has other characters too.
		begin := p.at
		for p.at < len(p.text) && strings.IndexByte(" \t,", p.text[p.at]) < 0 {
			p.at++
		}
		return p.text[begin:p.at]
	}
	var value strings.Builder
	for p.at++; p.at < len(p.text) && p.text[p.at] != '"'; p.at++ {
		if p.text[p.at] == '\\' && p.at+1 < len(p.text) {
			p.at++
		}
		value.WriteByte(p.text[p.at])
	}
	p.at++ // the closing quote
	return value.String()
}
