package upstream_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
)

// beside are upstreams that work while a login of a user is under way: with a token, and
// without one.
func beside() map[string]struct {
	options oauthserver.Options
	works   states.State
} {
	return map[string]struct {
		options oauthserver.Options
		works   states.State
	}{
		"with a token":    {oauthserver.Options{AutoApprove: true}, states.Fresh},
		"without a login": {oauthserver.Options{AutoApprove: true, OptionalAuth: true}, states.Anonymous},
	}
}

// A login that ends by a crash of its job is the end of the login, and takes nothing from
// what works beside it (fault D7); on an upstream that does not work without it, it is a
// failure that is named.
func TestALoginThatCrashesTakesNothing(t *testing.T) {
	for name, test := range beside() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, test.options, nil)
			if test.works == states.Fresh {
				r.login()
			}
			r.awaitCredential(test.works)
			r.awaitConnected()
			connected := r.up.Snapshot().Region(states.Connection).Epoch
			r.person = func(string) { panic("the opener broke") }
			if err := r.up.Login(r.context(), nil); err == nil || !strings.Contains(err.Error(), "the opener broke") {
				t.Errorf("the login ended with %v", err)
			}
			s := r.up.Snapshot()
			if at := s.Region(states.Credential).State; at != test.works {
				t.Errorf("after the crash it is %s", at)
			}
			if at := s.Region(states.Connection); at.State != states.Connected || at.Epoch != connected {
				t.Errorf("the connection is %s of the epoch %d, and was of %d", at.State, at.Epoch, connected)
			}
		})
	}
	t.Run("a first login", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, oauthserver.Options{}, nil)
		r.awaitCredential(states.LoginRequired)
		r.person = func(string) { panic("the opener broke") }
		if err := r.up.Login(r.context(), nil); err == nil || !strings.Contains(err.Error(), "the opener broke") {
			t.Errorf("the login ended with %v", err)
		}
		if s := r.up.Snapshot(); s.Region(states.Credential).State != states.Failed || s.Data.Reason != states.Crashed {
			t.Errorf("after the crash it is %s, %s", s.Region(states.Credential).State, s.Data.Reason)
		}
	})
}

// A disk that does not take the token of a login, or the note of a refresh, takes nothing
// from the token that works (fault D7).
func TestADiskThatIsFullTakesNoTokenThatWorks(t *testing.T) {
	t.Run("the token of a login", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
		r.login()
		page, ended := r.openLogin()
		r.full.Store(true)
		r.visit(page)
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "could not be written to the store") {
			t.Errorf("the login ended with %v", err)
		}
		r.awaitCredential(states.Fresh)
		r.mustCall()
	})
	t.Run("the note of a refresh", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, oauthserver.Options{AutoApprove: true, AccessTokenTTL: 10 * time.Second, Leeway: time.Minute}, nil)
		r.login()
		r.full.Store(true)
		r.awaitCredential(states.RefreshBackoff)
		r.mustCall()
		if s := r.up.Snapshot(); !strings.Contains(s.Data.CredentialError.Text, "could not be noted on disk") {
			t.Errorf("the reason is %q", s.Data.CredentialError.Text)
		}
		r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
	})
}

// A grant that is refused while its token works is asked for again later, and the token is
// used; where no token works, the refusal is the answer (fault D7).
func TestAGrantThatIsRefusedTakesNoTokenThatWorks(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{Clients: machines, AccessTokenTTL: 4 * time.Second, Leeway: 2 * time.Second},
		machineClient("its secret"))
	r.awaitConnected()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "answer", Status: http.StatusUnauthorized, Body: `{"error":"invalid_client"}`})
	r.awaitCredential(states.GrantBackoff)
	if d := r.up.Snapshot().Data; !d.TokenUsable(time.Now()) {
		t.Fatal("the token was over before it could be renewed")
	}
	r.mustCall()
	r.await("the refusal, once the token is over", func(s *transitions.Snapshot) bool {
		return s.Region(states.Credential).State == states.Failed && s.Data.Reason == states.GrantRejected
	})
}
