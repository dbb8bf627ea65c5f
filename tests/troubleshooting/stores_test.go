package troubleshooting

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/oauthserver"
)

// stores are those that cannot be opened.
func stores(t *testing.T) []message {
	var all []message
	open := func(name, path string) {
		t.Helper()
		kept, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key"), LockTimeout: 50 * time.Millisecond})
		if err == nil {
			_ = kept.Close()
			t.Fatalf("%s: it opens", name)
		}
		text := strings.ReplaceAll(err.Error(), path, "~/.local/share/mcpproxy/store.db")
		for _, c := range chance {
			text = c.pattern.ReplaceAllString(text, c.instead)
		}
		all = append(all, message{name, "", text})
	}
	fresh := func() string {
		path := filepath.Join(t.TempDir(), "store.db")
		kept, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key")})
		if err != nil {
			t.Fatal(err)
		}
		if err := kept.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write := func(path string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	path := filepath.Join(t.TempDir(), "store.db")
	holder, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key"),
		Socket: "~/.local/share/mcpproxy/mcpproxy.sock"})
	if err != nil {
		t.Fatal(err)
	}
	open("a store that another process holds", path)
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}

	path = fresh()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(path, whole[:len(whole)/2])
	open("a torn store", path)

	path = filepath.Join(t.TempDir(), "store.db")
	write(path, bytes.Repeat([]byte("hello"), 9000))
	open("a file that is no store", path)
	path = filepath.Join(t.TempDir(), "store.db")
	write(path, nil)
	open("an empty file", path)

	path = fresh()
	if err := os.Remove(path + ".key"); err != nil {
		t.Fatal(err)
	}
	open("a store without its key", path)
	write(path+".key", []byte("half a k"))
	open("a key file that holds no key", path)
	write(path+".key", bytes.Repeat([]byte("00"), store.KeySize))
	open("the key of another store", path)

	path = fresh()
	newer(t, path)
	open("the store of a newer version", path)
	return all
}

// A damaged record can be erased, as its message says, and then a login begins again.
func TestADamagedRecordCanBeErased(t *testing.T) {
	t.Parallel()
	s := newScene(t, oauthserver.Options{AutoApprove: true})
	s.start()
	s.login()
	s.stop()
	s.damage()
	s.start()
	s.awaitReason(states.StoreCorrupt)
	if err := s.up.Logout(s.context()); err != nil {
		t.Fatal(err)
	}
	s.login()
}

// newer makes the schema's version one that is not known.
func newer(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("mcpproxy")).Put([]byte("schema"), binary.BigEndian.AppendUint32(nil, 99))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
