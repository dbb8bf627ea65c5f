package store

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func openAt(t *testing.T, path string, o Options) (*Store, error) {
	t.Helper()
	o.Keys = FileKeys(path + ".key")
	return Open(t.Context(), path, o)
}

// second is a migration as a later version would have one.
func second(_ *Store, tx *bbolt.Tx) error {
	_, err := tx.CreateBucket([]byte("second"))
	return err
}

// A store goes through the migrations that it has not seen, each once, and keeps
// what is in it.
func TestMigrationsGoForward(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := openAt(t, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Append(Entry{Upstream: "u", Line: []byte(`{"event":"x"}`)}); err != nil {
		t.Fatal(err)
	}
	newer := append(migrations(), second)
	for range 2 { // the second time there is nothing to do: the bucket cannot be made twice
		if err := s.migrateBy(newer); err != nil {
			t.Fatal(err)
		}
	}
	if version, err := s.schema(); err != nil || version != len(newer) {
		t.Errorf("schema %d, %v", version, err)
	}
	if entries, err := s.Journal("u", 0); err != nil || len(entries) != 1 {
		t.Errorf("the journal has %d entries, %v", len(entries), err)
	}
}

// A migration that fails leaves the store as it was.
func TestFailedMigrationChangesNothing(t *testing.T) {
	s, err := openAt(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	failure := errors.New("no")
	err = s.migrateBy(append(migrations(), second, func(*Store, *bbolt.Tx) error { return failure }))
	if !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	if version, err := s.schema(); err != nil || version != len(migrations()) {
		t.Errorf("schema %d, %v", version, err)
	}
	_ = s.db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte("second")) != nil {
			t.Error("half of the failed migration is there")
		}
		return nil
	})
}

// A store of a later version is refused and left as it is; one of an earlier
// version is not migrated by someone who only reads.
func TestOtherSchemas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := openAt(t, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.migrateBy(append(migrations(), second)), s.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = openAt(t, path, Options{})
	var newer *SchemaError
	if !errors.As(err, &newer) || newer.Have != newer.Known+1 {
		t.Errorf("a store of a later version: %v", err)
	}

	path = filepath.Join(t.TempDir(), "store.db")
	if s, err = openAt(t, path, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = openAt(t, path, Options{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.migrateBy(append(migrations(), second))
	if err == nil || !strings.Contains(err.Error(), "start the proxy once") {
		t.Errorf("someone who only reads: %v", err)
	}
}
