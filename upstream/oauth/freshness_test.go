package oauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mcpproxy/upstream/oauth"
)

// What was found may be used for as long as the servers of both documents say, and for
// the shorter of the two times.
func TestMetadataIsFreshForAsLongAsItsServersSay(t *testing.T) {
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	header := func(lines ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(lines); i += 2 {
			h.Add(lines[i], lines[i+1])
		}
		return h
	}
	const unsaid = -1
	for _, test := range []struct {
		name             string
		resource, server http.Header
		want             time.Duration
	}{
		{"nothing is said", nil, nil, unsaid},
		{"by the authorization server", nil, header("Cache-Control", "public, max-age=600"), 10 * time.Minute},
		{"by the resource", header("Cache-Control", "max-age=60"), nil, time.Minute},
		{"the shorter time", header("Cache-Control", "max-age=60"), header("Cache-Control", "max-age=600"), time.Minute},
		{"the shorter time, the other way round", header("Cache-Control", "max-age=600"), header("Cache-Control", "max-age=60"), time.Minute},
		{"not to be stored", header("Cache-Control", "max-age=600"), header("Cache-Control", "max-age=600", "Cache-Control", "No-Store"), 0},
		{"to be asked for each time", header("Cache-Control", "no-cache, max-age=600"), nil, 0},
		{"it lay in a cache on the way", nil, header("Cache-Control", "max-age=600", "Age", "540"), time.Minute},
		{"for too long", nil, header("Cache-Control", "max-age=600", "Age", "6000"), 0},
		{"in the way of HTTP/1.0", nil, header("Date", date.Format(http.TimeFormat), "Expires", date.Add(time.Minute).Format(http.TimeFormat)), time.Minute},
		{"expired already", nil, header("Expires", "0"), 0},
		{"both ways", nil, header("Expires", "0", "Cache-Control", "max-age=60"), time.Minute},
		{"a time that is none", nil, header("Cache-Control", "max-age=soon"), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				document, headers := resourceDocument, test.resource
				if r.URL.Path != resourcePath {
					document, headers = serverDocument, test.server
				}
				for name, values := range headers {
					w.Header()[name] = values
				}
				_, _ = w.Write([]byte(strings.ReplaceAll(document, "$", "http://"+r.Host)))
			}))
			t.Cleanup(s.Close)
			before := time.Now()
			d, err := oauth.Discover(context.Background(), client(), oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp"})
			after := time.Now()
			switch {
			case err != nil:
				t.Error(err)
			case test.want == unsaid && !d.FreshUntil.IsZero():
				t.Errorf("it is fresh until %s, and nothing was said", d.FreshUntil)
			case test.want != unsaid && (d.FreshUntil.Before(before.Add(test.want)) || d.FreshUntil.After(after.Add(test.want))):
				t.Errorf("it is fresh for %s, want %s", d.FreshUntil.Sub(before), test.want)
			}
		})
	}
}
