package upstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// A caller that gives up waiting does not end the refresh that it caused: the next
// caller has its token.
func TestACallerThatGivesUpDoesNotEndTheRefresh(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "delay", Delay: 300})
	r.server.RevokeAccess()
	impatient, giveUp := context.WithCancel(r.context())
	gaveUp := make(chan error, 1)
	go func() {
		_, err := r.up.Call(impatient, echo)
		gaveUp <- err
	}()
	r.awaitCredential(states.Refreshing)
	giveUp()
	if err := <-gaveUp; err == nil {
		t.Error("a call that was given up was answered")
	}
	r.mustCall()
	if generation := r.up.Snapshot().Data.Generation; generation != 2 {
		t.Errorf("the token has the generation %d", generation)
	}
	r.wantCounts(want{Refresh: 1})
}

// A login that nobody completes ends at its deadline, and a response that comes
// afterwards redeems nothing.
func TestALoginEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, func(c *upstream.Config) { c.Settings.LoginDeadline = time.Second })
	page, outcome := r.openLogin()
	var failed *upstream.LoginError
	if err := <-outcome; !errors.As(err, &failed) || failed.Reason != states.LoginTimedOut {
		t.Fatalf("the login ended with %v", err)
	}
	r.visit(page)
	r.awaitRefused(transitions.CodeReceived)
	r.wantCounts(want{Authorize: 1, Register: 1})
}

// Each login looks the authorization server up again, so that one that has changed is
// found, and a login that is declined leaves nothing that the next one meets.
func TestEachLoginDiscoversAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.setFaults(oauthserver.Fault{Endpoint: "authorize", Kind: "denied", Count: 1})
	var failed *upstream.LoginError
	if err := r.up.Login(r.context(), nil); !errors.As(err, &failed) || failed.Reason != states.LoginDenied {
		t.Fatalf("the login that was declined ended with %v", err)
	}
	for n := 2; n <= 3; n++ {
		r.login()
		if c := r.server.Counters(); c.ResourceMetadata != n || c.ServerMetadata != n {
			t.Errorf("after %d logins the metadata was read %d and %d times", n, c.ResourceMetadata, c.ServerMetadata)
		}
	}
	r.mustCall()
}
