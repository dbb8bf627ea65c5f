package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"mcpproxy/credential"

	"go.etcd.io/bbolt"
)

// journals has a look at the buckets of journals, as they are in the file.
func journals(t *testing.T, s *Store, look func(upstreams *bbolt.Bucket) error) {
	t.Helper()
	if err := s.db.Update(func(tx *bbolt.Tx) error { return look(tx.Bucket(bucketUpstreams)) }); err != nil {
		t.Fatal(err)
	}
}

// A journal names servers and has their words; it is sealed like all else (fault J15), and
// an entry serves in no place but its own.
func TestJournalsAreSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := openAt(t, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	line := func(n int) []byte {
		return fmt.Appendf(nil, `{"event":"Unreachable","error":"no route to intranet.example, %d"}`, n)
	}
	for n := range 3 {
		if err := s.Append(Entry{Upstream: "u", Line: line(n)}, Entry{Upstream: "other", Line: line(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil || bytes.Contains(file, []byte("intranet")) || bytes.Contains(file, []byte("Unreachable")) {
		t.Errorf("the file has the journal's words in it, %v", err)
	}
	if s, err = openAt(t, path, Options{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Journal("u", 0); err != nil || len(all) != 3 || !bytes.Equal(all[2], line(2)) {
		t.Errorf("the journal is %q, %v", all, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = openAt(t, path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	for name, of := range map[string]func(u, other *bbolt.Bucket) []byte{
		"another number's":   func(u, _ *bbolt.Bucket) []byte { return u.Get(at(1)) },
		"another upstream's": func(_, other *bbolt.Bucket) []byte { return other.Get(at(3)) },
		"a plain one":        func(_, _ *bbolt.Bucket) []byte { return line(2) },
		"an empty one":       func(_, _ *bbolt.Bucket) []byte { return nil },
	} {
		journals(t, s, func(upstreams *bbolt.Bucket) error {
			u, other := upstreams.Bucket([]byte("u")).Bucket(bucketJournal), upstreams.Bucket([]byte("other")).Bucket(bucketJournal)
			return u.Put(at(3), bytes.Clone(of(u, other)))
		})
		if all, err := s.Journal("u", 0); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s in place of the third: %q, %v", name, all, err)
		}
		if all, err := s.Journal("other", 0); err != nil || len(all) != 3 {
			t.Errorf("the other's journal is %q, %v", all, err)
		}
	}
}

// A store of before, whose journals are plain, has them sealed at the next start, once
// (fault J15); who only reads is told.
func TestAPlainJournalIsSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := openAt(t, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, upstream := range []string{"u", "v"} {
		for n := range 300 { // more than a page
			if err := s.Append(Entry{Upstream: upstream, Line: fmt.Appendf(nil, `{"of":%q,"n":%d}`, upstream, n)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.BeginRefresh("without", credential.Intent{}); err != nil { // an upstream without a journal
		t.Fatal(err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error { // back to how it was
		for _, upstream := range []string{"u", "v"} {
			lines, err := s.Journal(upstream, 0)
			j := tx.Bucket(bucketUpstreams).Bucket([]byte(upstream)).Bucket(bucketJournal)
			for i, line := range lines {
				err = errors.Join(err, j.Put(binary.BigEndian.AppendUint64(nil, uint64(i+1)), line))
			}
			if err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(keySchema, binary.BigEndian.AppendUint32(nil, 1))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, path, Options{ReadOnly: true}); err == nil {
		t.Error("who only reads opens it")
	}
	for range 2 {
		if s, err = openAt(t, path, Options{}); err != nil {
			t.Fatal(err)
		}
		for _, upstream := range []string{"u", "v"} {
			all, err := s.Journal(upstream, 0)
			if err != nil || len(all) != 300 || string(all[299]) != fmt.Sprintf(`{"of":%q,"n":299}`, upstream) {
				t.Errorf("%s: %d entries, %v", upstream, len(all), err)
			}
			journals(t, s, func(upstreams *bbolt.Bucket) error {
				return upstreams.Bucket([]byte(upstream)).Bucket(bucketJournal).ForEach(func(key, line []byte) error {
					if bytes.Contains(line, []byte(`"of"`)) {
						t.Errorf("entry %x of %s is plain", key, upstream)
					}
					return nil
				})
			})
		}
		if err := errors.Join(s.Check(), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// What a batch of sixteen journal entries costs, which is one transaction.
func BenchmarkAppend(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store.db")
	s, err := Open(b.Context(), path, Options{Keys: FileKeys(path + ".key")})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	batch := make([]Entry, 16)
	for i := range batch {
		batch[i] = Entry{Upstream: "u", Line: bytes.Repeat([]byte("x"), 400)}
	}
	for b.Loop() {
		if err := s.Append(batch...); err != nil {
			b.Fatal(err)
		}
	}
}

// What sealing one entry costs, which is all that it costs more.
func BenchmarkSealEntry(b *testing.B) {
	sealer, err := newJournalSealer(make([]byte, KeySize))
	if err != nil {
		b.Fatal(err)
	}
	line, key := bytes.Repeat([]byte("x"), 400), []byte("12345678")
	for b.Loop() {
		sealer.seal(line, placeOf("github", key))
	}
}
