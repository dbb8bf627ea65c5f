package store

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// sealer encrypts records. What a record is and whose is authenticated with it,
// so that records cannot be exchanged for each other.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (*sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead}, err
}

// newJournalSealer has a key of its own, made from the store's: so many lines are written
// that the nonces of one key, which are random, are not to be used up by them.
func newJournalSealer(key []byte) (*sealer, error) {
	derived, err := hkdf.Key(sha256.New, key, nil, "mcpproxy journal", KeySize)
	if err != nil {
		return nil, err
	}
	return newSealer(derived)
}

func (s *sealer) seal(plain []byte, what string) []byte {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, plain, []byte(what))
}

func (s *sealer) open(sealed []byte, what string) ([]byte, error) {
	size := s.aead.NonceSize()
	if len(sealed) < size {
		return nil, errors.New("it is too short")
	}
	plain, err := s.aead.Open(nil, sealed[:size], sealed[size:], []byte(what))
	if err != nil {
		return nil, errors.New("it was changed, or was encrypted with another key")
	}
	return plain, nil
}

// checkText is sealed into the file to tell a wrong key from damaged records.
var checkText = []byte("mcpproxy store")

// check is what mark has left, or nil.
func (s *Store) check() (check []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketMeta); b != nil {
			check = bytes.Clone(b.Get(keyCheck))
		}
		return nil
	})
	return check, err
}

// unlock finds the key, or makes one for a store that has none yet.
func (s *Store) unlock(ctx context.Context) error {
	check, err := s.check()
	if err != nil {
		return err
	}
	key, origin, err := s.options.Keys.Find(ctx)
	if err != nil {
		return err
	}
	switch {
	case key == nil && check != nil:
		where := "neither in the OS keyring nor in " + s.path + ".key"
		if named, ok := s.options.Keys.(fileKeys); ok {
			where = "not in " + string(named)
		}
		return fmt.Errorf("%w: %s is encrypted, and its key is %s; bring the key back, or move the store away and log in again", ErrKeyMissing,
			s.path, where)
	case key == nil && s.options.ReadOnly:
		return fmt.Errorf("%w: %s", ErrKeyMissing, s.path)
	case key == nil:
		if key, origin, err = s.options.Keys.Make(ctx); err != nil {
			return err
		}
	}
	s.keyOrigin = origin
	if s.seal, err = newSealer(key); err != nil {
		return err
	}
	if s.sealJournal, err = newJournalSealer(key); err != nil {
		return err
	}
	if check != nil {
		if _, err := s.seal.open(check, "check"); err != nil {
			return fmt.Errorf("%w: the key in %s is not the one that %s was encrypted with; bring the right key back, or move the store away "+
				"and log in again", ErrKeyMissing, origin, s.path)
		}
	}
	return nil
}

// mark leaves in the file by what its key is known.
func (s *Store) mark() error {
	if check, err := s.check(); err != nil || check != nil || s.options.ReadOnly {
		return err
	}
	return s.commit("Create", "", func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(keyCheck, s.seal.seal(checkText, "check"))
	})
}
