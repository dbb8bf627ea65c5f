package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

var bucketJournal = []byte("journal")

// Entry is one line of an upstream's journal.
type Entry struct {
	Upstream string
	Line     []byte
	// InPlace says that it stands in the place of the journal's last entry.
	InPlace bool
}

// Append adds entries to the journals of their upstreams, in order, all or none, and
// drops the oldest beyond the limit.
func (s *Store) Append(entries ...Entry) error {
	return s.commit("Append", ownerOf(entries), func(tx *bbolt.Tx) error {
		for _, entry := range entries {
			if err := s.appendTo(tx, entry); err != nil {
				return err
			}
		}
		return nil
	})
}

// ownerOf is whose journal it is, or "" where there are several.
func ownerOf(entries []Entry) string {
	for i := range entries {
		if entries[i].Upstream != entries[0].Upstream {
			return ""
		}
	}
	if len(entries) == 0 {
		return ""
	}
	return entries[0].Upstream
}

func (s *Store) appendTo(tx *bbolt.Tx, entry Entry) error {
	b, err := tx.Bucket(bucketUpstreams).CreateBucketIfNotExists([]byte(entry.Upstream))
	if err != nil {
		return err
	}
	j, err := b.CreateBucketIfNotExists(bucketJournal)
	if err != nil {
		return err
	}
	sequence := j.Sequence()
	if !entry.InPlace || sequence == 0 {
		if sequence, err = j.NextSequence(); err != nil {
			return err
		}
	}
	if err := s.putLine(j, entry.Upstream, binary.BigEndian.AppendUint64(nil, sequence), entry.Line); err != nil {
		return err
	}
	if sequence%weighed == 0 {
		return s.lighten(j)
	}
	return s.trim(j)
}

// weighed is after how many entries the bytes of a journal are counted again.
const weighed = 32

// lighten drops the oldest entries beyond the bytes that a journal may have; the newest one
// stays, whatever it weighs.
func (s *Store) lighten(j *bbolt.Bucket) error {
	left, c := s.options.JournalBytes, j.Cursor()
	var kept []byte
	for key, line := c.Last(); key != nil && (kept == nil || left >= len(line)); key, line = c.Prev() {
		kept, left = bytes.Clone(key), left-len(line)
	}
	for key, _ := c.First(); key != nil && bytes.Compare(key, kept) < 0; key, _ = c.First() {
		if err := j.Delete(key); err != nil {
			return err
		}
	}
	return s.trim(j)
}

// trim drops the oldest entries beyond the limit. Sequence numbers have no gaps.
func (s *Store) trim(j *bbolt.Bucket) error {
	limit := uint64(s.options.JournalLimit)
	last := j.Sequence()
	for {
		key, _ := j.Cursor().First()
		if key == nil || last-binary.BigEndian.Uint64(key) < limit {
			return nil
		}
		if err := j.Delete(key); err != nil {
			return err
		}
	}
}

// placeOf is authenticated with a line, so that none can be put in another's place.
func placeOf(upstream string, key []byte) string { return upstream + "\x00journal\x00" + string(key) }

func (s *Store) putLine(j *bbolt.Bucket, upstream string, key, line []byte) error {
	return j.Put(key, s.sealJournal.seal(line, placeOf(upstream, key)))
}

// Journal returns the last limit entries (0 for all), the newest last. One that is
// damaged is an error that matches [ErrCorrupt].
func (s *Store) Journal(upstream string, limit int) (lines [][]byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketUpstreams).Bucket([]byte(upstream))
		if b == nil || b.Bucket(bucketJournal) == nil {
			return nil
		}
		c := b.Bucket(bucketJournal).Cursor()
		for key, sealed := c.Last(); key != nil && (limit <= 0 || len(lines) < limit); key, sealed = c.Prev() {
			line, err := s.sealJournal.open(sealed, placeOf(upstream, key))
			if err != nil {
				return corrupt(s.path, fmt.Sprintf("entry %d of the journal of %q: %v", binary.BigEndian.Uint64(key), upstream, err))
			}
			lines = append(lines, line)
		}
		return nil
	})
	slices.Reverse(lines)
	return lines, err
}

// sealJournals is the migration of files whose journals are plain.
func (s *Store) sealJournals(tx *bbolt.Tx) error {
	upstreams := tx.Bucket(bucketUpstreams)
	return upstreams.ForEachBucket(func(name []byte) error {
		j := upstreams.Bucket(name).Bucket(bucketJournal)
		if j == nil {
			return nil
		}
		plain := map[string][]byte{} // a bucket is not to be changed while it is walked
		err := j.ForEach(func(key, line []byte) error {
			plain[string(key)] = bytes.Clone(line)
			return nil
		})
		for key, line := range plain {
			err = errors.Join(err, s.putLine(j, string(name), []byte(key), line))
		}
		return err
	})
}
