package verify

import (
	"bytes"
	"hash/maphash"
)

// known numbers worlds by their keys, in the order in which they are added. It keeps whole
// keys and compares them byte for byte: two worlds are never taken for one because their
// hashes are equal. Keys lie in pages, one after the other, so that a million of them is
// little for the collector to look at. Many may find at a time while nobody adds.
type known struct {
	seed maphash.Seed
	// slots are half of a key's hash and, beside it, its number from 1 on; 0 is free.
	slots []slot
	pages [][]byte
	// ends are where keys end, as if the pages were one.
	ends []uint32
}

type slot struct{ tag, number uint32 }

// pageSize is that of a page of keys, which lie within one each and are much shorter.
const pageSize = 1 << 20

func newKnown() *known { return &known{seed: maphash.MakeSeed(), slots: make([]slot, 1<<10)} }

// find returns the number of a key, -1 of one that was not added.
func (k *known) find(key []byte) int32 {
	return int32(k.slots[k.place(key, maphash.Bytes(k.seed, key))].number) - 1
}

// place returns the slot of a key, or the free one where it belongs.
func (k *known) place(key []byte, hash uint64) uint64 {
	mask, tag := uint64(len(k.slots)-1), uint32(hash>>32)
	for at := hash & mask; ; at = (at + 1) & mask {
		s := k.slots[at]
		if s.number == 0 || s.tag == tag && bytes.Equal(k.key(s.number-1), key) {
			return at
		}
	}
}

func (k *known) key(number uint32) []byte {
	begin, end := uint32(0), k.ends[number]
	if number > 0 {
		begin = k.ends[number-1]
	}
	page := (end - 1) / pageSize
	begin = max(begin, page*pageSize) // the page before had no room for it
	return k.pages[page][begin%pageSize:][:end-begin]
}

// add numbers a key that is not there.
func (k *known) add(key []byte) int32 {
	if 4*len(k.ends) >= 3*len(k.slots) {
		k.grow()
	}
	if last := len(k.pages) - 1; last < 0 || len(k.pages[last])+len(key) > pageSize {
		k.pages = append(k.pages, make([]byte, 0, pageSize))
	}
	last := len(k.pages) - 1
	at := k.place(key, maphash.Bytes(k.seed, key))
	k.pages[last] = append(k.pages[last], key...)
	k.ends = append(k.ends, uint32(last*pageSize+len(k.pages[last])))
	k.note(at, maphash.Bytes(k.seed, key), len(k.ends))
	return int32(len(k.ends) - 1)
}

func (k *known) note(at, hash uint64, number int) {
	k.slots[at] = slot{uint32(hash >> 32), uint32(number)}
}

func (k *known) grow() {
	k.slots = make([]slot, 2*len(k.slots))
	mask := uint64(len(k.slots) - 1)
	for n := range k.ends {
		hash := maphash.Bytes(k.seed, k.key(uint32(n)))
		at := hash & mask
		for k.slots[at].number != 0 {
			at = (at + 1) & mask
		}
		k.note(at, hash, n+1)
	}
}
