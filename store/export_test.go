package store

import "go.etcd.io/bbolt"

// Commits counts the transactions that have changed the file since it was made.
func (s *Store) Commits() (n int) {
	_ = s.db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil })
	return n
}
