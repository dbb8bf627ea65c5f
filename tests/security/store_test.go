package security

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"mcpproxy/credential"
	"mcpproxy/instance"
	"mcpproxy/states"
)

// tableRow is one of docs/architecture.md's table of what is in the store's file.
var tableRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .+ \\| (sealed|plain) \\|$")

// opens opens a value as the document says that it is sealed.
func opens(key, value []byte, authenticated string) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	size := aead.NonceSize()
	if len(value) < size {
		return fmt.Errorf("it has %d bytes", len(value))
	}
	_, err = aead.Open(nil, value[:size], value[size:], []byte(authenticated))
	return err
}

// copied is the path of a copy of the store's file, which its proxy has open and may be
// writing: it was read twice and was the same.
func (r *running) copied() (string, error) {
	var before []byte
	for range 1000 {
		file, err := os.ReadFile(filepath.Join(r.dir, "store.db"))
		if err != nil {
			return "", err
		}
		if bytes.Equal(file, before) {
			path := filepath.Join(r.TempDir(), "copy.db")
			return path, os.WriteFile(path, file, 0o600)
		}
		before = file
	}
	return "", errors.New("the file does not come to rest")
}

// values are those of the file, by their paths.
func (r *running) values() (map[string][]byte, error) {
	path, err := r.copied()
	if err != nil {
		return nil, err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	all := map[string][]byte{}
	var walk func(path string, b *bbolt.Bucket) error
	walk = func(path string, b *bbolt.Bucket) error {
		return b.ForEach(func(key, value []byte) error {
			if value == nil {
				return walk(path+string(key)+"/", b.Bucket(key))
			}
			all[path+string(key)] = bytes.Clone(value)
			return nil
		})
	}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error { return walk(string(name)+"/", b) })
	})
	return all, err
}

// place is how the document calls a path in the file, and what is authenticated with its
// value.
func place(path string) (name, authenticated string) {
	switch parts := strings.SplitN(path, "/", 4); {
	case parts[0] == "upstreams" && len(parts) == 4 && parts[2] == "journal" && len(parts[3]) == 8:
		return "upstreams/NAME/journal/NUMBER", parts[1] + "\x00journal\x00" + parts[3]
	case parts[0] == "upstreams" && len(parts) == 3:
		return "upstreams/NAME/" + parts[2], parts[1] + "\x00" + parts[2]
	case parts[0] == "registrations":
		key := strings.TrimPrefix(path, "registrations/")
		return "registrations/ISSUER CLIENT", "\x00" + key
	case path == "mcpproxy/key-check":
		return path, "check"
	}
	return path, ""
}

// The file is what docs/architecture.md says, at each step of a login, a renewal, a refusal and
// a logout: it has these places and no others, and what is called sealed opens with the key
// that is beside it, in its place (fault J15).
func TestTheFileIsAsTheDocumentSays(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
		said[row[1]] = row[2]
	}
	r := start(t, func(o *instance.Options) { // a client that is registered
		o.Configs[0].OAuth.ClientID, o.Configs[0].OAuth.ClientSecret = "", credential.Secret{}
	})
	text, err = os.ReadFile(filepath.Join(r.dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	ofJournals, err := hkdf.Key(sha256.New, key, nil, "mcpproxy journal", len(key))
	if err != nil {
		t.Fatal(err)
	}
	met := map[string]bool{} // only one look at a time: each step is waited for
	look := func() {
		values, err := r.values()
		if err != nil {
			t.Error(err)
		}
		for path, value := range values {
			name, authenticated := place(path)
			with := key
			if strings.HasPrefix(name, "upstreams/NAME/journal") {
				with = ofJournals
			}
			met[name] = true
			err := opens(with, value, authenticated)
			if is := said[name]; is == "" || (is == "sealed") != (err == nil) {
				t.Errorf("%q in the file: %q (%v), and the document says of %s that it is %q", path, value, err, name, is)
			}
		}
	}
	r.login(func(string) { look() })
	if _, text := r.call(); !strings.Contains(text, "hi") {
		t.Fatalf("a call answers %s", text)
	}
	r.mu.Lock()
	r.look = func(request *http.Request) { // while a refresh is on its way
		if request.URL.Path == "/token" {
			look()
		}
	}
	r.mu.Unlock()
	r.server.RevokeAccess()
	r.call()
	r.server.RevokeGrants()
	r.server.RevokeAccess()
	r.call()
	r.mu.Lock()
	r.look = nil
	r.mu.Unlock()
	if got := r.up.Snapshot().Data.Reason; got != states.RefreshRejected {
		t.Errorf("the reason is %v", got)
	}
	look()
	if err := r.up.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	look()
	for name := range said {
		if !met[name] {
			t.Errorf("the document has %s, and the file never had", name)
		}
	}
}
