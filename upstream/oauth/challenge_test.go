package oauth_test

import (
	"net/http"
	"slices"
	"testing"

	"mcpproxy/upstream/oauth"
)

func TestTokenChallenge(t *testing.T) {
	for _, test := range []struct {
		name   string
		lines  []string
		scheme string
		meta   string
		error  string
		scopes []string
	}{
		{"plain", []string{`Bearer resource_metadata="https://a/b", scope="x y"`}, "Bearer", "https://a/b", "", []string{"x", "y"}},
		{"after another scheme, with a comma in quotes", []string{`Basic realm="a,b", Bearer error="invalid_token"`}, "Bearer", "", "invalid_token", nil},
		{"on a line of its own, in any case", []string{`Basic realm="a"`, `bEaReR ERROR=invalid_token`}, "bEaReR", "", "invalid_token", nil},
		{"an escaped quote", []string{`Bearer realm="a\"b", error="x"`}, "Bearer", "", "x", nil},
		{"DPoP alone", []string{`DPoP error="use_dpop_nonce", resource_metadata="https://a"`}, "DPoP", "https://a", "use_dpop_nonce", nil},
		{"DPoP and Bearer", []string{`DPoP algs="ES256", Bearer error="y"`}, "Bearer", "", "y", nil},
		{"another scheme alone", []string{`Basic realm="x"`}, "", "", "", nil},
		{"no header", nil, "", "", "", nil},
		{"an unfinished quote", []string{`Bearer error="x`}, "Bearer", "", "x", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, found := oauth.TokenChallenge(http.Header{"Www-Authenticate": test.lines})
			if found != (test.scheme != "") || c.Scheme != test.scheme || c.ResourceMetadata != test.meta || c.Error != test.error ||
				!slices.Equal(c.Scopes, test.scopes) {
				t.Errorf("TokenChallenge = %+v, %t", c, found)
			}
		})
	}
}
