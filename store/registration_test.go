package store

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mcpproxy/credential"

	"go.etcd.io/bbolt"
)

const issuer = "https://as.example"

// dynamic is a client that was registered at a minute of the day.
func dynamic(id string, minute int) credential.Registration {
	return credential.Registration{Issuer: issuer, ClientID: id, Secret: credential.NewSecret("secret of " + id),
		Source:     credential.SourceDynamic,
		AuthMethod: "client_secret_basic", ObtainedAt: time.Date(2026, 3, 1, 9, minute, 0, 0, time.UTC)}
}

func registered(t *testing.T, s *Store) []string {
	t.Helper()
	all, err := s.Registrations(issuer)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range all {
		ids = append(ids, r.ClientID)
	}
	return ids
}

func wantClients(t *testing.T, s *Store, when string, want ...string) {
	t.Helper()
	if got := registered(t, s); !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", when, got, want)
	}
}

func yes() bool { return true }

// A client stays for as long as a token or an open login needs it, whoever registers
// meanwhile (fault E1).
func TestRegistrationsStayWhileTheyAreNeeded(t *testing.T) {
	s, err := openAt(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	save := func(r credential.Registration) {
		if err := s.SaveRegistration(r); err != nil {
			t.Fatal(err)
		}
	}
	save(dynamic("idle", 1))
	save(dynamic("token", 2))
	wantClients(t, s, "one that nothing needs goes with the next", "token")
	if err := s.SaveToken("u", credential.Token{Generation: 1, Issuer: issuer, ClientID: "token"}, 0, yes); err != nil {
		t.Fatal(err)
	}
	save(dynamic("login", 3))
	if err := s.SaveFlow("v", credential.Flow{ID: "f", Registration: dynamic("login", 3)}, yes); err != nil {
		t.Fatal(err)
	}
	save(dynamic("newest", 4))
	wantClients(t, s, "a token and a login need theirs", "newest", "login", "token")
	if r, err := s.Registration(issuer, "token"); err != nil || r == nil || r.Secret != credential.NewSecret("secret of token") {
		t.Errorf("the client of the token is %+v, %v", r, err)
	}

	// Pushed out between its registration and its flow, it comes back with the flow.
	save(dynamic("late", 5))
	save(dynamic("latest", 6))
	if err := s.SaveFlow("w", credential.Flow{ID: "g", Registration: dynamic("late", 5)}, yes); err != nil {
		t.Fatal(err)
	}
	wantClients(t, s, "a login keeps its client", "latest", "late", "login", "token")

	if err := errors.Join(s.Logout("u", credential.LogoutMark{}, yes), s.DeleteFlow("v", "f")); err != nil {
		t.Fatal(err)
	}
	save(dynamic("last", 7))
	wantClients(t, s, "after the logout and the end of the login", "last", "late")
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// A store of before has one client an issuer, under the issuer alone (fault E1). It is
// found, doubted, replaced and erased like the others.
func TestRegistrationOfAnOlderStore(t *testing.T) {
	s, err := openAt(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	older := func() {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			return s.write(tx.Bucket(bucketRegistrations), "", issuer, recordOfRegistration(dynamic("old", 1)))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	older()
	if r, err := s.Registration(issuer, "old"); err != nil || r == nil || r.Secret != credential.NewSecret("secret of old") {
		t.Errorf("it is %+v, %v", r, err)
	}
	if err := errors.Join(s.SaveToken("u", credential.Token{Generation: 1, Issuer: issuer, ClientID: "old"}, 0, yes),
		s.SaveRegistration(dynamic("new", 2)), s.Check()); err != nil {
		t.Fatal(err)
	}
	wantClients(t, s, "its token needs it", "new", "old")
	if err := errors.Join(s.DoubtRegistration(issuer, "old", true), s.DoubtRegistration(issuer, "unknown", true)); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Registration(issuer, "old"); err != nil || r == nil || !r.Doubtful {
		t.Errorf("doubted, it is %+v, %v", r, err)
	}
	wantClients(t, s, "doubted, it is there once", "new", "old")
	if err := s.DeleteRegistration(issuer, "old"); err != nil {
		t.Fatal(err)
	}
	wantClients(t, s, "erased", "new")
	older()
	if err := s.DeleteRegistration(issuer, "old"); err != nil {
		t.Fatal(err)
	}
	wantClients(t, s, "erased where it was", "new")
}

// A damaged token may have been issued to any client: none is erased, and the login of
// another upstream goes on.
func TestDamagedRecordKeepsAllClients(t *testing.T) {
	s, err := openAt(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := errors.Join(s.SaveRegistration(dynamic("first", 1)),
		s.SaveToken("u", credential.Token{Generation: 1, Issuer: issuer, ClientID: "first"}, 0, yes)); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketUpstreams).Bucket([]byte("u")).Put([]byte(recordToken), []byte("damaged"))
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveRegistration(dynamic("second", 2)); err != nil {
		t.Fatal(err)
	}
	wantClients(t, s, "beside a damaged token", "second", "first")
}

// A key that was made for a client is erased with the last token of it; a client without
// one stays for the next login, and one that another upstream needs stays with its key.
func TestLogoutErasesTheClientsKey(t *testing.T) {
	s, err := openAt(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	signs := dynamic("signs", 1)
	signs.AuthMethod, signs.Key = "private_key_jwt", credential.NewSecret("pem")
	for name, r := range map[string]credential.Registration{"a": signs, "b": signs, "c": dynamic("secret", 0)} {
		token := credential.Token{Generation: 1, Access: credential.NewSecret("x"), Issuer: issuer, ClientID: r.ClientID}
		if err := errors.Join(s.SaveToken(name, token, 0, yes), s.SaveRegistration(r)); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		logout string
		stay   []string
	}{{"a", []string{"signs", "secret"}}, {"b", []string{"secret"}}, {"c", []string{"secret"}}} {
		if err := s.Logout(step.logout, credential.LogoutMark{}, yes); err != nil {
			t.Fatal(err)
		}
		wantClients(t, s, "after the logout of "+step.logout, step.stay...)
	}
}
