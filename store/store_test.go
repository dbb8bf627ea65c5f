package store_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/store"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// wanted is what asks for a write and goes on.
func wanted() bool { return true }

func open(t *testing.T, path string, o store.Options) *store.Store {
	t.Helper()
	o.Keys = store.FileKeys(path + ".key")
	s, err := store.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func token(generation uint64) credential.Token {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return credential.Token{Generation: generation, Access: credential.NewSecret("canary-access"),
		Refresh: credential.NewSecret("canary-refresh"), Type: "Bearer", StatedType: "user",
		Scopes: []string{"a"}, RequestedScopes: []string{"a", "b"}, ObtainedAt: at, ExpiresAt: at.Add(time.Hour), Issuer: "https://as.example",
		TokenEndpoint:      "https://as.example/token",
		RevocationEndpoint: "https://as.example/revoke", Resource: "https://mcp.example/mcp", Grant: "authorization_code",
		ClientSource: credential.SourceDynamic, ClientID: "c",
		AuthMethod: "client_secret_basic", Key: credential.NewSecret("canary-key")}
}

// wantFull holds the value of a test to have every field set, so that one that is added
// and not written to the file is noticed.
func wantFull(t *testing.T, value any) {
	t.Helper()
	for v, i := reflect.ValueOf(value), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("%T has no %s here", value, v.Type().Field(i).Name)
		}
	}
}

var compare = cmp.Comparer(func(a, b credential.Secret) bool { return a == b })

func TestTokenSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "store.db")
	s := open(t, path, store.Options{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	flow := credential.Flow{ID: "f", StartedAt: at, Deadline: at.Add(time.Minute), State: credential.NewSecret("canary-state"),
		Verifier:         credential.NewSecret("canary-verifier"),
		AuthorizationURL: credential.NewSecret("https://as.example/authorize?state=canary-state"), RedirectURI: "http://127.0.0.1:1/callback",
		Issuer: "https://as.example", IssuerInResponse: true,
		TokenEndpoint: "https://as.example/token", RevocationEndpoint: "https://as.example/revoke", Resource: "https://mcp.example/mcp",
		Scopes: []string{"a"}, Optional: true,
		Registration: credential.Registration{Issuer: "https://as.example", Source: credential.SourceDynamic, ClientID: "c",
			Secret: credential.NewSecret("canary-secret"), SecretExpiresAt: at,
			AuthMethod: "private_key_jwt", Key: credential.NewSecret("canary-key"), KeyID: "k", Algorithm: "PS256",
			RedirectURIs: []string{"http://127.0.0.1:1/callback"}, ObtainedAt: at,
			Scopes: []string{"a"}, GrantTypes: []string{"authorization_code"}, Offered: []string{"none"}, Doubtful: true, PushRequired: true,
			Audience: "aud", TokenParameters: map[string]string{"audience": "x"}},
		Key: credential.NewSecret("canary-key"), DeviceCode: credential.NewSecret("canary-device"), UserCode: "ABCD",
		PollInterval: 5 * time.Second,
		Request:      credential.NewSecret("https://as.example/authorize?state=canary-state"), PushEndpoint: "https://as.example/par",
		PushedUntil: at}
	wantFull(t, flow)
	wantFull(t, flow.Registration)
	if err := errors.Join(s.SaveFlow("git", flow, wanted), s.SaveToken("git", token(1), 0, wanted),
		s.SaveFlow("git_hub", flow, wanted)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, store.Options{})
	defer s.Close()
	got, err := s.Load("git")
	want := token(1)
	wantFull(t, want)
	if err != nil || !cmp.Equal(got, store.Credential{Token: &want, Generation: 1}, compare) {
		t.Fatalf("Load = %v, %v", cmp.Diff(store.Credential{Token: &want, Generation: 1}, got, compare), err)
	}
	if err := s.Logout("git", credential.LogoutMark{At: time.Now()}, wanted); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load("git_hub"); err != nil || got.Flow == nil || !cmp.Equal(*got.Flow, flow, compare) {
		t.Fatalf("the logout of git touched git_hub: %v, %v", got, err)
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	for file, mode := range map[string]os.FileMode{path: 0o600, path + ".key": 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v, want %v", file, info.Mode().Perm(), err, mode)
		}
	}
	if content, _ := os.ReadFile(path); bytes.Contains(content, []byte("canary")) {
		t.Error("a secret lies in the file in the clear")
	}
}

func TestCompareAndSwap(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), store.Options{})
	defer s.Close()
	intent := credential.Intent{ID: "i", Generation: 1, StartedAt: time.Now().UTC()}
	if err := errors.Join(s.SaveToken("u", token(1), 0, wanted), s.BeginRefresh("u", intent)); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveToken("u", token(1), 0, wanted); !errors.Is(err, store.ErrGeneration) {
		t.Errorf("the same generation twice: %v", err)
	}
	if err := s.BeginRefresh("u", credential.Intent{ID: "other", Generation: 1}); !errors.Is(err, store.ErrIntentExists) {
		t.Errorf("a second intent: %v", err)
	}
	if err := s.BeginRefresh("u", intent); err != nil {
		t.Errorf("the same intent again: %v", err)
	}
	if err := s.DropRefresh("u", 1, credential.Verdict{Reason: "RefreshRejected", Text: "expired"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Load("u"); got.Intent != nil || got.Token.HasRefresh() || got.Token.Access.IsZero() {
		t.Errorf("after DropRefresh: %+v", got)
	}
	if err := s.BeginRefresh("u", intent); !errors.Is(err, store.ErrNoRefreshToken) {
		t.Errorf("a refresh with a refresh token that was erased: %v", err)
	}
	if err := s.Logout("u", credential.LogoutMark{At: time.Now()}, wanted); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveToken("u", token(2), 1, wanted); err != nil {
		t.Errorf("generations go on after a logout: %v", err)
	}
	if got, _ := s.Load("u"); got.Logout != nil || got.Generation != 2 {
		t.Errorf("after the next login: %+v", got)
	}
}

func TestSecondProcessIsToldWho(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, store.Options{Socket: "/run/x.sock"})
	defer s.Close()
	_, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key"), LockTimeout: 50 * time.Millisecond})
	var locked *store.LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || locked.Socket != "/run/x.sock" {
		t.Fatalf("got %v", err)
	}
}

// Many processes may meet at the first start: one has the store, and each other is told
// who, and never that a store is damaged which is being made (fault J11).
func TestManyAtTheFirstStart(t *testing.T) {
	for range 60 {
		path := filepath.Join(t.TempDir(), "store.db")
		const processes = 8
		var work sync.WaitGroup
		opened, failed := make(chan *store.Store, processes), make(chan error, processes)
		for range processes {
			work.Go(func() {
				s, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key"), LockTimeout: time.Millisecond})
				if err == nil {
					opened <- s
				} else {
					failed <- err
				}
			})
		}
		work.Wait()
		close(failed)
		for err := range failed {
			var locked *store.LockedError
			if !errors.As(err, &locked) || locked.PID != os.Getpid() {
				t.Fatalf("one of those that were late was told: %v", err)
			}
		}
		if len(opened) != 1 {
			t.Fatalf("%d have the store", len(opened))
		}
		if err := (<-opened).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedAndForeignFilesAreLeftAlone(t *testing.T) {
	good := filepath.Join(t.TempDir(), "store.db")
	s := open(t, good, store.Options{})
	for i := range uint64(50) {
		if err := errors.Join(s.SaveToken("u", token(i+1), i, wanted),
			s.Append(store.Entry{Upstream: "u", Line: bytes.Repeat([]byte("x"), 500)})); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.db")
	db, err := bbolt.Open(other, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }),
		db.Close()); err != nil {
		t.Fatal(err)
	}
	theirs, _ := os.ReadFile(other)
	for name, test := range map[string]struct {
		content []byte
		want    error
	}{
		"empty":       {nil, store.ErrForeign},
		"text":        {[]byte("hello"), store.ErrForeign},
		"random":      {bytes.Repeat([]byte{7, 99, 200}, 9000), store.ErrForeign},
		"another's":   {theirs, store.ErrForeign},
		"half":        {whole[:len(whole)/2], store.ErrCorrupt},
		"one page":    {whole[:os.Getpagesize()], store.ErrCorrupt},
		"no metas":    {append(append([]byte{}, whole[:40]...), make([]byte, len(whole)-40)...), store.ErrCorrupt},
		"zeroed tail": {append(append([]byte{}, whole[:2*os.Getpagesize()]...), make([]byte, len(whole)-2*os.Getpagesize())...), store.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(good + ".key")})
			if !errors.Is(err, test.want) {
				t.Fatalf("Open = %v, want %v", err, test.want)
			}
			if after, _ := os.ReadFile(path); sha256.Sum256(after) != sha256.Sum256(test.content) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestMissingKeyIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	if err := open(t, path, store.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".key"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key")}); !errors.Is(err, store.ErrKeyMissing) ||
		!strings.Contains(err.Error(), "its key is not in "+path+".key") {
		t.Fatalf("got %v", err)
	}
}

func TestJournalIsBounded(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), store.Options{JournalLimit: 3})
	defer s.Close()
	for _, entry := range []string{"1", "2", "3", "4", "5"} {
		if err := s.Append(store.Entry{Upstream: "u", Line: []byte(entry)}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Journal("u", 2)
	if err != nil || string(bytes.Join(got, nil)) != "45" {
		t.Fatalf("Journal = %q, %v", got, err)
	}
	if all, _ := s.Journal("u", 0); string(bytes.Join(all, nil)) != "345" {
		t.Errorf("kept %q", all)
	}
}

func TestRegistrationIsPerIssuer(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), store.Options{})
	defer s.Close()
	r := credential.Registration{Issuer: "https://a", ClientID: "c", Secret: credential.NewSecret("s"), Source: credential.SourceDynamic}
	if err := errors.Join(s.SaveRegistration(r), s.DeleteRegistration("https://a", "other")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Registration("https://a", "c"); err != nil || got == nil || got.Secret != r.Secret {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, other := range []string{"https://b", "https://a/", "https://", ""} {
		if got, _ := s.Registrations(other); got != nil {
			t.Errorf("at %q: %v", other, got)
		}
	}
}

// A journal has so many bytes at most, give or take what is written before they are counted
// again, however long its lines are; the newest one is there (fault J12).
func TestAJournalIsBoundedInBytes(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), store.Options{JournalBytes: 20_000})
	defer s.Close()
	for n := range 200 {
		line := fmt.Appendf(nil, "%03d%s", n, strings.Repeat("x", 1000))
		if err := s.Append(store.Entry{Upstream: "u", Line: line}); err != nil {
			t.Fatal(err)
		}
		all, err := s.Journal("u", 0)
		if err != nil || !bytes.Equal(all[len(all)-1], line) {
			t.Fatalf("the last line is not the newest, %v", err)
		}
		if kept := len(bytes.Join(all, nil)); kept > 20_000+32*1003 {
			t.Fatalf("%d bytes are kept after %d entries", kept, n+1)
		}
	}
	long := store.Entry{Upstream: "u", Line: bytes.Repeat([]byte("y"), 1<<20)}
	for range 40 {
		if err := s.Append(long); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.Journal("u", 0); err != nil || len(all) == 0 || len(all) > 32 {
		t.Errorf("%d of forty long lines are kept, %v", len(all), err)
	}
}

// An entry in the place of the last one leaves the others, and their number, as they were.
func TestTheLastEntryIsReplaced(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), store.Options{JournalLimit: 3})
	defer s.Close()
	line := func(text string, inPlace bool) store.Entry {
		return store.Entry{Upstream: "u", Line: []byte(text), InPlace: inPlace}
	}
	if err := s.Append(line("a", true), line("b", false), line("c", true), line("d", false), line("e", false), line("f", true),
		line("g", false)); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Journal("u", 0); err != nil || string(bytes.Join(all, nil)) != "dfg" {
		t.Errorf("kept %q, %v; want d, f and g", all, err)
	}
}

// A file whose journals are full grows no more: what they drop makes room for what comes
// (fault J12).
func TestAFullStoreGrowsNoMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, store.Options{JournalLimit: 20})
	defer s.Close()
	write := func(rounds int) int64 {
		for n := range rounds {
			var batch []store.Entry
			for u := range 50 {
				batch = append(batch, store.Entry{Upstream: fmt.Sprint("u", u), Line: fmt.Appendf(nil, "%d %s", n, strings.Repeat("x", 200))})
			}
			if err := s.Append(batch...); err != nil {
				t.Fatal(err)
			}
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	full := write(40)
	if later := write(200); later > full+full/4 {
		t.Errorf("the file has grown from %d to %d bytes", full, later)
	}
}
