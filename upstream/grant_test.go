package upstream_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// machineClient is a client that logs in itself (RFC 6749 section 4.4).
func machineClient(secret string) func(*upstream.Config) {
	return func(c *upstream.Config) {
		c.Settings.Unattended = true
		c.OAuth = upstream.OAuth{Grant: upstream.ClientCredentials, ClientID: "machine", ClientSecret: credential.NewSecret(secret),
			AuthMethod: "client_secret_basic"}
	}
}

var machines = map[string]string{"machine": "its secret"}

func (r *rig) awaitConnected() {
	r.Helper()
	r.await("Connected", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.Connected })
}

// A grant without a user opens no browser, ever, and its token is replaced ahead
// of its expiry by another grant, as it has no refresh token.
func TestClientCredentialsAreRenewedWithoutAPerson(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{Clients: machines, AccessTokenTTL: 2 * time.Second, Leeway: time.Minute}, machineClient("its secret"))
	r.awaitConnected()
	first := r.up.Snapshot().Data.Token
	r.await("a second token", func(s *transitions.Snapshot) bool {
		return s.Data.Token != nil && s.Data.Token.Generation > first.Generation && s.Region(states.Credential).State == states.Fresh
	})
	r.mustCall()
	if c := r.server.Counters(); c.ServerMetadata != 1 || c.ResourceMetadata != 1 {
		t.Errorf("the authorization server was looked up %d times for two tokens", c.ServerMetadata)
	}
	if first.HasRefresh() || r.opened.Load() != 0 {
		t.Errorf("a refresh token: %v, browsers opened: %d", first.HasRefresh(), r.opened.Load())
	}
	if c := r.server.Counters(); c.TokenClient < 2 || c.Authorize+c.Register+c.TokenRefresh+c.Unauthorized > 1 {
		t.Errorf("the authorization server counted %+v", c)
	}
}

// A token of a grant without a user that lacks a scope is not asked for again: the call
// fails and says what is missing, and others go on.
func TestAGrantThatLacksAScopeEndsThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{Clients: machines}, machineClient("its secret"))
	r.awaitConnected()
	if _, err := r.up.Call(r.context(), admin); err == nil || !strings.Contains(err.Error(), "mcp:admin") {
		t.Errorf("call = %v", err)
	}
	r.mustCall()
	if c := r.server.Counters(); c.TokenClient != 1 || c.Authorize != 0 || c.Forbidden != 1 || r.opened.Load() != 0 {
		t.Errorf("counted %+v, browsers opened: %d", c, r.opened.Load())
	}
}

// Where the servers of the metadata say that it is not to be kept, each token is asked
// for where they say by then.
func TestMetadataThatIsNotToBeKeptIsReadAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{Clients: machines, AccessTokenTTL: 2 * time.Second, Leeway: time.Minute,
		MetadataCacheControl: "no-store"}, machineClient("its secret"))
	r.awaitConnected()
	first := r.up.Snapshot().Data.Token
	r.await("a second token", func(s *transitions.Snapshot) bool {
		return s.Data.Token != nil && s.Data.Token.Generation > first.Generation && s.Region(states.Credential).State == states.Fresh
	})
	if c := r.server.Counters(); c.ServerMetadata < 2 || c.ServerMetadata != c.ResourceMetadata {
		t.Errorf("the metadata was read %d and %d times for two tokens", c.ResourceMetadata, c.ServerMetadata)
	}
}

// What the server says with a 503 passes; until then the next attempt is at a
// known time.
func TestClientCredentialsOutlastAnOutage(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{Clients: machines}, machineClient("its secret"))
	r.awaitConnected()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "status", Status: 503, Count: 1})
	r.server.RevokeAccess()
	if err := r.call(); err != nil {
		t.Fatalf("a call during the outage waits for its end: %v", err)
	}
	var backedOff bool
	for _, e := range r.entries() {
		backedOff = backedOff || e.Event == string(transitions.GrantFailed) && e.To == string(states.GrantBackoff)
	}
	if !backedOff {
		t.Error("no attempt went to GrantBackoff")
	}
	if n := r.server.Counters().ServerMetadata; n < 2 {
		t.Errorf("after a grant that came to nothing the authorization server was not looked up again: %d times in all", n)
	}
}

// A wrong secret is not tried again: that would lock the client out.
func TestClientCredentialsThatAreWrong(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{Clients: machines}, machineClient("another secret"))
	r.awaitCredential(states.Failed)
	if s := r.up.Snapshot(); s.Data.Reason != states.GrantRejected {
		t.Errorf("the reason is %q", s.Data.Reason)
	}
	for range 5 {
		if err := r.call(); err == nil {
			t.Fatal("a call succeeded without a token")
		}
	}
	if n := r.server.Counters().TokenClient; n != 1 {
		t.Errorf("%d token requests with a wrong secret", n)
	}
}

// deviceUser is a rig whose login shows a code to enter on another device.
func deviceUser(t *testing.T) *rig {
	r := newRig(t, oauthserver.Options{Clients: map[string]string{"device": ""}}, func(c *upstream.Config) {
		c.OAuth = upstream.OAuth{Grant: upstream.DeviceCode, ClientID: "device"}
	})
	return r
}

// answer is the user who opens the shown page and enters the code.
func (r *rig) answer(page, decision string) {
	r.Helper()
	u, err := url.Parse(page)
	if err != nil {
		r.Fatal(err)
	}
	response, err := http.PostForm(r.server.URL()+"/device", url.Values{"user_code": {u.Query().Get("user_code")}, "decision": {decision}})
	if err != nil {
		r.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		r.Fatalf("the code was answered with %s", response.Status)
	}
}

func TestDeviceLogin(t *testing.T) {
	t.Parallel()
	r := deviceUser(t)
	page, outcome := r.openLogin()
	r.answer(page, "approve")
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	r.mustCall()
	if c := r.server.Counters(); c.Device != 1 || c.Authorize != 0 || r.opened.Load() != 0 {
		t.Errorf("device requests %d, authorize requests %d, browsers %d", c.Device, c.Authorize, r.opened.Load())
	}
}

func TestDeviceLoginThatIsDeclined(t *testing.T) {
	t.Parallel()
	r := deviceUser(t)
	page, outcome := r.openLogin()
	r.answer(page, "deny")
	if err := <-outcome; err == nil || !strings.Contains(err.Error(), states.LoginDenied.Doc()) {
		t.Fatalf("the login ended with %v", err)
	}
	r.awaitCredential(states.LoginRequired)
}

// A server that finds the polls too many is asked five seconds later each time (RFC 8628
// section 3.5), and the login goes on.
func TestDeviceLoginIsSlowedDown(t *testing.T) {
	t.Parallel()
	r := deviceUser(t)
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "refuse", Error: "slow_down",
		Grant: "urn:ietf:params:oauth:grant-type:device_code", Count: 1})
	began := time.Now()
	page, outcome := r.openLogin()
	r.answer(page, "approve")
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 5*time.Second || r.server.Counters().TokenDevice != 2 {
		t.Errorf("%d polls within %s", r.server.Counters().TokenDevice, took)
	}
}

// A code that is over ends the login with the server's words, and another one may begin.
func TestDeviceCodeExpires(t *testing.T) {
	t.Parallel()
	r := deviceUser(t)
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "refuse", Error: "expired_token",
		Grant: "urn:ietf:params:oauth:grant-type:device_code", Count: 1})
	_, outcome := r.openLogin()
	if err := <-outcome; err == nil || !strings.Contains(err.Error(), "expired_token") {
		t.Fatalf("the login ended with %v", err)
	}
	r.awaitCredential(states.LoginRequired)
	page, outcome := r.openLogin()
	r.answer(page, "approve")
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	r.mustCall()
}

// The code goes on being polled for after a restart: the user may be on the way
// to the other device.
func TestDeviceLoginOutlivesARestart(t *testing.T) {
	t.Parallel()
	r := deviceUser(t)
	page, outcome := r.openLogin()
	r.restart()
	if err := <-outcome; err == nil {
		t.Error("the waiting login was told of success at the shutdown")
	}
	r.awaitCredential(states.AwaitingDevice)
	r.answer(page, "approve")
	r.awaitCredential(states.Fresh)
	r.mustCall()
	if c := r.server.Counters(); c.Device != 1 {
		t.Errorf("%d device codes were asked for", c.Device)
	}
}

// A login that was asked for again joins the code that is shown already.
func TestDeviceLoginAskedForTwice(t *testing.T) {
	t.Parallel()
	r := deviceUser(t)
	page, first := r.openLogin()
	second, shown := make(chan error, 1), make(chan string, 8)
	go func() { second <- r.up.Login(r.Context(), func(p upstream.Progress) { shown <- p.URL }) }()
	if again := <-shown; again != page {
		t.Errorf("the second request was shown %s, and the first %s", again, page)
	}
	r.answer(page, "approve")
	for _, outcome := range []<-chan error{first, second} {
		if err := <-outcome; err != nil {
			t.Error(err)
		}
	}
	for _, e := range r.entries() {
		if e.Event == string(transitions.LoginRequested) && e.Disposition == fsm.Illegal {
			t.Errorf("a user's login was refused: %s", e.Reason)
		}
	}
}
