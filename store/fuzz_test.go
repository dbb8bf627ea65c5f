package store

import (
	"bytes"
	"testing"
)

// A sealed record that was changed in any way, or belongs elsewhere, does not open.
func FuzzRecord(f *testing.F) {
	s, err := newSealer(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	plain := []byte(`{"generation":3,"access":"a"}`)
	sealed := s.seal(plain, "token u")
	f.Add(sealed, "token u")
	f.Add(sealed[:11], "token u")
	f.Add(append(bytes.Clone(sealed), 0), "token u")
	f.Fuzz(func(t *testing.T, record []byte, what string) {
		opened, err := s.open(record, what)
		// What opens was sealed here, or by another process of the same fuzzing.
		if err == nil && (what != "token u" || !bytes.Equal(opened, plain)) {
			t.Errorf("%x as %q opens to %q, %v", record, what, opened, err)
		}
	})
}
