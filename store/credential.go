package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"mcpproxy/credential"

	"go.etcd.io/bbolt"
)

// Records of one upstream.
const (
	recordToken      = "token"
	recordFlow       = "flow"
	recordIntent     = "intent"
	recordLogout     = "logout"
	recordVerdict    = "verdict"
	recordGeneration = "generation" // the highest ever stored; survives a logout
)

// Credential is what is stored for one upstream; absent parts are nil.
type Credential struct {
	Token  *credential.Token
	Flow   *credential.Flow
	Intent *credential.Intent
	Logout *credential.LogoutMark
	// Verdict is why there is no token, or none that can be renewed.
	Verdict *credential.Verdict
	// Generation is the highest that was ever stored, so that none repeats.
	Generation uint64
}

// Load reads the upstream's credential in one transaction. A damaged record is a
// [*RecordError].
func (s *Store) Load(upstream string) (Credential, error) {
	var c Credential
	err := s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketUpstreams).Bucket([]byte(upstream))
		if b == nil {
			return nil
		}
		var token tokenRecord
		var flow flowRecord
		var intent credential.Intent
		var logout credential.LogoutMark
		var verdict credential.Verdict
		for _, part := range []struct {
			record string
			into   any
			take   func()
		}{
			{recordToken, &token, func() { c.Token = token.token() }},
			{recordFlow, &flow, func() { c.Flow = flow.flow() }},
			{recordIntent, &intent, func() { c.Intent = &intent }},
			{recordLogout, &logout, func() { c.Logout = &logout }},
		} {
			found, err := s.read(b, upstream, part.record, part.into)
			if err != nil {
				return err
			}
			if found {
				part.take()
			}
		}
		// A verdict that is damaged keeps nobody from the token.
		if found, err := s.read(b, upstream, recordVerdict, &verdict); found && err == nil {
			c.Verdict = &verdict
		}
		c.Generation = generation(b)
		return nil
	})
	return c, err
}

// read opens one record of an owner's bucket.
func (s *Store) read(b *bbolt.Bucket, owner, record string, into any) (bool, error) {
	sealed := b.Get([]byte(record))
	if sealed == nil {
		return false, nil
	}
	plain, err := s.seal.open(sealed, owner+"\x00"+record)
	if err == nil {
		err = json.Unmarshal(plain, into)
	}
	if err != nil {
		return false, &RecordError{Path: s.path, Owner: owner, Record: record, Err: err}
	}
	return true, nil
}

func (s *Store) write(b *bbolt.Bucket, owner, record string, value any) error {
	plain, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put([]byte(record), s.seal.seal(plain, owner+"\x00"+record))
}

func generation(b *bbolt.Bucket) uint64 {
	if text := b.Get([]byte(recordGeneration)); len(text) == 8 {
		return binary.BigEndian.Uint64(text)
	}
	return 0
}

// update changes one upstream's bucket, as a whole and durably.
func (s *Store) update(write, upstream string, change func(*bbolt.Bucket) error) error {
	return s.commit(write, upstream, func(tx *bbolt.Tx) error {
		b, err := tx.Bucket(bucketUpstreams).CreateBucketIfNotExists([]byte(upstream))
		if err != nil {
			return fmt.Errorf("the upstream name %q: %w", upstream, err)
		}
		return change(b)
	})
}

func erase(b *bbolt.Bucket, records ...string) error {
	var all []error
	for _, record := range records {
		all = append(all, b.Delete([]byte(record)))
	}
	return errors.Join(all...)
}

// expect is the compare of every compare-and-swap.
func expect(b *bbolt.Bucket, upstream string, want uint64) error {
	if have := generation(b); have != want {
		return &GenerationError{Upstream: upstream, Have: have, Want: want}
	}
	return nil
}

// RenewToken replaces the token of generation after by t, which a refresh brought,
// as SaveToken does. It fails with [ErrUnwanted] where the token was erased
// meanwhile: a logout is final.
func (s *Store) RenewToken(upstream string, t credential.Token, after uint64) error {
	return s.saveToken("RenewToken", upstream, t, after, func(b *bbolt.Bucket) bool { return b.Get([]byte(recordToken)) != nil })
}

// SaveToken replaces the token of generation after (0 for none) by t, whose
// generation must be the next one, and settles the intent, the open flow and the
// logout mark in the same transaction. wanted is asked within it; where it says no,
// nothing is written and the error is [ErrUnwanted]. It must be quick.
func (s *Store) SaveToken(upstream string, t credential.Token, after uint64, wanted func() bool) error {
	return s.saveToken("SaveToken", upstream, t, after, func(*bbolt.Bucket) bool { return wanted() })
}

func (s *Store) saveToken(write, upstream string, t credential.Token, after uint64, wanted func(*bbolt.Bucket) bool) error {
	if t.Generation != after+1 {
		return &GenerationError{Upstream: upstream, Have: t.Generation, Want: after + 1}
	}
	return s.update(write, upstream, func(b *bbolt.Bucket) error {
		if err := expect(b, upstream, after); err != nil {
			return err
		}
		if !wanted(b) {
			return ErrUnwanted
		}
		return errors.Join(
			s.write(b, upstream, recordToken, recordOfToken(t)),
			b.Put([]byte(recordGeneration), binary.BigEndian.AppendUint64(nil, t.Generation)),
			erase(b, recordIntent, recordFlow, recordLogout, recordVerdict))
	})
}

// BeginRefresh notes that the refresh token of the intent's generation is about
// to be sent. Another intent that is noted is a [*IntentExistsError]; a refresh token that
// an attempt before has erased is [ErrNoRefreshToken].
func (s *Store) BeginRefresh(upstream string, i credential.Intent) error {
	return s.update("BeginRefresh", upstream, func(b *bbolt.Bucket) error {
		if err := expect(b, upstream, i.Generation); err != nil {
			return err
		}
		var token tokenRecord
		found, err := s.read(b, upstream, recordToken, &token)
		if err != nil {
			return err
		}
		if found && token.Refresh == "" {
			return ErrNoRefreshToken
		}
		var noted credential.Intent
		found, err = s.read(b, upstream, recordIntent, &noted)
		if err != nil {
			return err
		}
		if found && noted.ID != i.ID {
			return &IntentExistsError{Upstream: upstream, Intent: noted}
		}
		return s.write(b, upstream, recordIntent, i)
	})
}

// EndRefresh settles an intent whose refresh token is known not to be consumed.
func (s *Store) EndRefresh(upstream, intentID string) error {
	return s.update("EndRefresh", upstream, func(b *bbolt.Bucket) error {
		var noted credential.Intent
		found, err := s.read(b, upstream, recordIntent, &noted)
		if err != nil || !found || noted.ID != intentID {
			return err
		}
		return erase(b, recordIntent)
	})
}

// DropRefresh erases the refresh token and the intent, and keeps the access token and
// why the refresh token is of no more use.
func (s *Store) DropRefresh(upstream string, generation uint64, why credential.Verdict) error {
	return s.update("DropRefresh", upstream, func(b *bbolt.Bucket) error {
		if err := expect(b, upstream, generation); err != nil {
			return err
		}
		var token tokenRecord
		found, err := s.read(b, upstream, recordToken, &token)
		if err != nil {
			return err
		}
		if !found {
			return erase(b, recordIntent)
		}
		token.Refresh = ""
		return errors.Join(s.write(b, upstream, recordToken, token), s.write(b, upstream, recordVerdict, why), erase(b, recordIntent))
	})
}

// KeepVerdict keeps why the last login came to nothing, or the credential failed, until
// there is a token again.
func (s *Store) KeepVerdict(upstream string, why credential.Verdict) error {
	return s.update("KeepVerdict", upstream, func(b *bbolt.Bucket) error { return s.write(b, upstream, recordVerdict, why) })
}

// SaveFlow keeps the open authorization flow, and the registration that it began with
// where another one's has pushed that out meanwhile. wanted is asked within the
// transaction, as for SaveToken.
func (s *Store) SaveFlow(upstream string, f credential.Flow, wanted func() bool) error {
	return s.update("SaveFlow", upstream, func(b *bbolt.Bucket) error {
		if !wanted() {
			return ErrUnwanted
		}
		return errors.Join(s.write(b, upstream, recordFlow, recordOfFlow(f)), s.keepRegistration(b.Tx(), f.Registration))
	})
}

// DeleteFlow erases the flow if it is the one with the id.
func (s *Store) DeleteFlow(upstream, id string) error {
	return s.update("DeleteFlow", upstream, func(b *bbolt.Bucket) error {
		var flow flowRecord
		found, err := s.read(b, upstream, recordFlow, &flow)
		if err != nil || !found || flow.ID != id {
			return err
		}
		return erase(b, recordFlow)
	})
}

// Logout erases token, flow and intent, damaged ones too, and sets the mark. A client's
// own key goes with its last token, and the client with it. wanted
// is asked within the transaction, as for SaveToken.
func (s *Store) Logout(upstream string, m credential.LogoutMark, wanted func() bool) error {
	return s.update("Logout", upstream, func(b *bbolt.Bucket) error {
		if !wanted() {
			return ErrUnwanted
		}
		var token tokenRecord
		_, damaged := s.read(b, upstream, recordToken, &token)
		err := errors.Join(erase(b, recordToken, recordFlow, recordIntent, recordVerdict), s.write(b, upstream, recordLogout, m))
		if damaged != nil || token.ClientID == "" {
			return err
		}
		return errors.Join(err, s.eraseKey(b.Tx(), token.Issuer, token.ClientID))
	})
}

// EndLogout erases the mark of a logout, where a login is what was asked for since.
func (s *Store) EndLogout(upstream string) error {
	return s.update("EndLogout", upstream, func(b *bbolt.Bucket) error { return erase(b, recordLogout) })
}

// Upstreams returns the names that something is stored about, sorted.
func (s *Store) Upstreams() ([]string, error) {
	var names []string
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketUpstreams).ForEachBucket(func(name []byte) error {
			names = append(names, string(name))
			return nil
		})
	})
	return names, err
}
