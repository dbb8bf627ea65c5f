package upstream_test

import (
	"errors"
	"testing"

	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/tests/oauthserver"

	"go.etcd.io/bbolt"
)

// What an upstream leaves in the store that was removed from the configuration is listed, and a
// logout erases and revokes it; should it be configured again, it is logged out.
func TestLogoutOfAnInactiveUpstream(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.wantInactive()
	r.remove()
	left := r.wantInactive("u")
	if left[0].Phase != status.PhaseInactive || left[0].Token == nil || left[0].URL != r.server.MCPURL() {
		t.Errorf("what is inactive: %+v", left)
	}
	for range 2 { // once more is no error
		r.logout()
	}
	if c := r.server.Counters(); c.Revoke != 2 {
		t.Errorf("%d revocations, want 2", c.Revoke)
	}
	r.wantInactive()
	if _, err := r.manager.Logout(r.context(), "nobody"); !errors.Is(err, status.ErrUnknown) {
		t.Errorf("a name that nothing is stored under: %v", err)
	}
	r.restart()
	r.awaitCredential(states.LoggedOut)
	r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// A damaged record of an upstream that was removed is erased in the same way.
func TestLogoutOfAnInactiveUpstreamThatIsDamaged(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.remove()
	r.damage("token")
	left := r.wantInactive("u")
	if left[0].Reason != states.StoreCorrupt || left[0].CredentialError == nil {
		t.Errorf("what is inactive: %+v", left)
	}
	r.logout()
	r.wantInactive()
}

// remove takes the upstream out of the configuration.
func (r *rig) remove() {
	r.Helper()
	if err := r.manager.Apply(r.context(), nil, true); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) logout() {
	r.Helper()
	if _, err := r.manager.Logout(r.context(), "u"); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) wantInactive(names ...string) []status.Upstream {
	r.Helper()
	all, err := r.manager.Inactive()
	if err != nil {
		r.Fatal(err)
	}
	if len(all) != len(names) {
		r.Fatalf("inactive are %+v, want %q", all, names)
	}
	for i, s := range all {
		if s.Name != names[i] {
			r.Errorf("inactive are %+v, want %q", all, names)
		}
	}
	return all
}

// damage breaks a record of the upstream between two starts of the proxy, and leaves
// it out of the configuration.
func (r *rig) damage(record string) {
	r.Helper()
	r.stopped()
	db, err := bbolt.Open(r.path, 0o600, nil)
	if err != nil {
		r.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("upstreams")).Bucket([]byte("u")).Put([]byte(record), []byte("damaged"))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		r.Fatal(err)
	}
	r.start()
	r.remove()
}
