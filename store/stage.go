package store

import "go.etcd.io/bbolt"

// Stage is a moment in a write's life.
type Stage string

// The stages. A write that fails reaches no further one.
const (
	// Planned: nothing was done yet.
	Planned Stage = "planned"
	// Written: it stands in the transaction and not on disk.
	Written Stage = "written"
	// Committed: it is on disk, and the caller does not know yet.
	Committed Stage = "committed"
)

// Stages returns all stages in their order.
func Stages() []Stage { return []Stage{Planned, Written, Committed} }

// Staged is told of each stage of each write: the method that writes and whose
// record it is, an upstream's or an issuer's, or "" where it is those of several. It
// may take its time, as a slow disk does. A write that shares a transaction with one
// that fails is Written again without it, and one that fails is tried once more alone.
// An error fails the write: nothing is changed before it is committed, and afterwards
// only the caller is told that it failed, as by a disk that reports an error for what
// it has kept.
type Staged func(write, owner string, stage Stage) error

// Writes returns the names of all writes that [Staged] is told of.
func Writes() []string {
	return []string{"Create", "Append", "SaveToken", "RenewToken", "BeginRefresh", "EndRefresh", "DropRefresh", "SaveFlow", "DeleteFlow",
		"Logout", "SaveRegistration", "DeleteRegistration"}
}

// commit makes one durable change and passes the stages.
func (s *Store) commit(write, owner string, change func(*bbolt.Tx) error) error {
	at := s.options.Staged
	if at == nil {
		return s.db.Batch(change)
	}
	if err := at(write, owner, Planned); err != nil {
		return err
	}
	err := s.db.Batch(func(tx *bbolt.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return at(write, owner, Written)
	})
	if err != nil {
		return err
	}
	return at(write, owner, Committed)
}
