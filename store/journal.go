package store

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"
)

var bucketJournal = []byte("journal")

// Entry is one line of an upstream's journal.
type Entry struct {
	Upstream string
	Line     []byte
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
	sequence, err := j.NextSequence()
	if err != nil {
		return err
	}
	if err := j.Put(binary.BigEndian.AppendUint64(nil, sequence), entry.Line); err != nil {
		return err
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

// Journal returns the last limit entries (0 for all), the newest last.
func (s *Store) Journal(upstream string, limit int) ([][]byte, error) {
	var entries [][]byte
	err := s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketUpstreams).Bucket([]byte(upstream))
		if b == nil || b.Bucket(bucketJournal) == nil {
			return nil
		}
		return b.Bucket(bucketJournal).ForEach(func(_, entry []byte) error {
			entries = append(entries, bytes.Clone(entry))
			return nil
		})
	})
	if limit > 0 && len(entries) > limit {
		entries = entries[len(entries)-limit:]
	}
	return entries, err
}
