package store

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"
)

var bucketJournal = []byte("journal")

// Append adds entries to the upstream's journal and drops the oldest beyond the
// limit. Calls that come at the same time share one fsync.
func (s *Store) Append(upstream string, entries ...[]byte) error {
	return s.commit("Append", upstream, s.db.Batch, func(tx *bbolt.Tx) error {
		b, err := tx.Bucket(bucketUpstreams).CreateBucketIfNotExists([]byte(upstream))
		if err != nil {
			return err
		}
		j, err := b.CreateBucketIfNotExists(bucketJournal)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			sequence, err := j.NextSequence()
			if err != nil {
				return err
			}
			if err := j.Put(binary.BigEndian.AppendUint64(nil, sequence), entry); err != nil {
				return err
			}
		}
		return s.trim(j)
	})
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
