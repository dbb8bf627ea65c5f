package verify

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// Each key has its number, over the ends of pages too, and no other one has.
func TestKnownNumbersKeys(t *testing.T) {
	k, random := newKnown(), rand.New(rand.NewPCG(1, 2))
	key := func(n int) []byte {
		all := make([]byte, 4+n%200)
		binary.LittleEndian.PutUint32(all, uint32(n))
		return all
	}
	order := random.Perm(40_000)
	for at, n := range order {
		if was := k.find(key(n)); was >= 0 {
			t.Fatalf("key %d is known as %d before it was added", n, was)
		}
		if got := k.add(key(n)); int(got) != at {
			t.Fatalf("key %d has the number %d, want %d", n, got, at)
		}
	}
	for at, n := range order {
		if got := k.find(key(n)); int(got) != at {
			t.Fatalf("key %d is found as %d, want %d", n, got, at)
		}
	}
	if len(k.pages) < 3 {
		t.Errorf("only %d pages were filled", len(k.pages))
	}
	if got := k.find(key(40_001)); got != -1 {
		t.Errorf("a key that was not added is found as %d", got)
	}
}

// Keys are told apart by what they are where their hashes are one.
func TestKnownComparesKeys(t *testing.T) {
	k := newKnown()
	k.add([]byte("one"))
	const hash = 7
	at := k.place([]byte("one"), hash)
	k.note(at, hash, 1)
	if k.place([]byte("one"), hash) != at || k.place([]byte("two"), hash) == at {
		t.Error("keys of one hash are taken for one")
	}
}
