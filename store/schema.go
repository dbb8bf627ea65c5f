package store

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// Buckets of the file. Each upstream has a bucket of its own in bucketUpstreams,
// so that no name is a prefix of another's records.
var (
	bucketMeta          = []byte("mcpproxy")
	bucketUpstreams     = []byte("upstreams")
	bucketRegistrations = []byte("registrations")

	keySchema = []byte("schema")
	keyCheck  = []byte("key-check")
)

// migration takes the file from one schema version to the next, in the
// transaction that records the new version.
type migration func(s *Store, tx *bbolt.Tx) error

// migrations are in order; the first one makes an empty file a store. A file's
// schema version is the number of migrations that it has seen.
func migrations() []migration {
	return []migration{
		func(_ *Store, tx *bbolt.Tx) error {
			for _, name := range [][]byte{bucketUpstreams, bucketRegistrations} {
				if _, err := tx.CreateBucketIfNotExists(name); err != nil {
					return err
				}
			}
			return nil
		},
		(*Store).sealJournals,
	}
}

func (s *Store) migrate() error { return s.migrateBy(migrations()) }

// known returns the file's version, where it is one that can be gone on from.
func (s *Store) known(all []migration) (int, error) {
	version, err := s.schema()
	switch {
	case err != nil:
		return 0, err
	case version > len(all):
		return 0, &SchemaError{Path: s.path, Have: version, Known: len(all)}
	case version < len(all) && s.options.ReadOnly:
		return 0, fmt.Errorf("the store %s has the older schema version %d; start the proxy once to bring it to version %d", s.path, version,
			len(all))
	}
	return version, nil
}

func (s *Store) migrateBy(all []migration) error {
	version, err := s.known(all)
	if err != nil || version == len(all) {
		return err
	}
	return s.commit("Create", "", func(tx *bbolt.Tx) error {
		for i, step := range all[version:] {
			if err := step(s, tx); err != nil {
				return fmt.Errorf("bringing the store to schema version %d: %w", version+i+1, err)
			}
		}
		bucket, err := tx.CreateBucketIfNotExists(bucketMeta)
		if err != nil {
			return err
		}
		return bucket.Put(keySchema, binary.BigEndian.AppendUint32(nil, uint32(len(all))))
	})
}

// schema returns the file's version; 0 for an empty file.
func (s *Store) schema() (version int, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketMeta)
		if bucket == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return fmt.Errorf("%w: %s is a bbolt file of another program; use another path (--store)", ErrForeign, s.path)
			}
			return nil
		}
		text := bucket.Get(keySchema)
		if len(text) != 4 {
			return corrupt(s.path, "it has no schema version")
		}
		version = int(binary.BigEndian.Uint32(text))
		return nil
	})
	return version, err
}
