package oauth_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"
)

// recorder is an authorization server that gives the answers it was given, the last
// of them again and again, and notes each request.
type recorder struct {
	*httptest.Server
	mu      sync.Mutex
	answers []answer
	asked   []asked
}

type answer struct {
	status int
	header http.Header
	body   string
}

type asked struct {
	*http.Request
	form url.Values
}

func record(t *testing.T, answers ...answer) *recorder {
	s := &recorder{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // what is no form has none
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, asked{r, r.PostForm})
		next := s.answers[0]
		if len(s.answers) > 1 {
			s.answers = s.answers[1:]
		}
		w.Header().Set("Content-Type", "application/json")
		maps.Copy(w.Header(), next.header)
		w.WriteHeader(next.status)
		_, _ = w.Write([]byte(next.body))
	}))
	t.Cleanup(s.Close)
	return s
}

const tokenBody = `{"access_token":"new-access","token_type":"bearer","expires_in":3600,"refresh_token":"new-refresh","unknown":[1]}`

var taken = answer{status: http.StatusOK, body: tokenBody}

func client() *http.Client { return oauth.NewHTTPClient(oauth.HTTPOptions{Reach: oauth.Loopback}) }

func secret(text string) credential.Secret { return credential.NewSecret(text) }

// only returns the one request that there was.
func (s *recorder) only(t *testing.T) asked {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) != 1 {
		t.Fatalf("there were %d requests, want one", len(s.asked))
	}
	return s.asked[0]
}

// said is a form as text, in the order of the names.
func said(form url.Values) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(form)) {
		all = append(all, name+"="+strings.Join(form[name], ","))
	}
	return strings.Join(all, " ")
}
