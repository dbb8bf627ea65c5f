package store

import (
	"bytes"
	"errors"
	"slices"

	"mcpproxy/credential"

	"go.etcd.io/bbolt"
)

// kept is a client's record and its key: issuer and client id, of which neither has a
// zero byte in it. A store of before has one record an issuer, under the issuer alone;
// it is read where it is, and moved when it is written.
type kept struct {
	key string
	credential.Registration
}

func keyOfRegistration(r *credential.Registration) string { return r.Issuer + "\x00" + r.ClientID }

// Registrations returns the clients that are registered at an issuer, the newest first.
func (s *Store) Registrations(issuer string) ([]credential.Registration, error) {
	var all []credential.Registration
	err := s.db.View(func(tx *bbolt.Tx) error {
		records, err := s.registrations(tx, issuer)
		for _, k := range records {
			all = append(all, k.Registration)
		}
		return err
	})
	return all, err
}

// Registration returns the client of an issuer that has the client id, or nil.
func (s *Store) Registration(issuer, clientID string) (*credential.Registration, error) {
	all, err := s.Registrations(issuer)
	if i := slices.IndexFunc(all, func(r credential.Registration) bool { return r.ClientID == clientID }); err == nil && i >= 0 {
		return &all[i], nil
	}
	return nil, err
}

func (s *Store) registrations(tx *bbolt.Tx, issuer string) ([]kept, error) {
	var all []kept
	b := tx.Bucket(bucketRegistrations)
	cursor := b.Cursor()
	for key, _ := cursor.Seek([]byte(issuer)); key != nil && bytes.HasPrefix(key, []byte(issuer)); key, _ = cursor.Next() {
		if len(key) > len(issuer) && key[len(issuer)] != 0 {
			continue // an issuer of which this one is the beginning
		}
		var record registrationRecord
		if _, err := s.read(b, "", string(key), &record); err != nil {
			return nil, err
		}
		all = append(all, kept{string(key), record.registration()})
	}
	slices.SortStableFunc(all, func(x, y kept) int { return y.ObtainedAt.Compare(x.ObtainedAt) })
	return all, nil
}

// SaveRegistration keeps a client at its issuer, beside the others that a stored token
// or an open login needs; the rest of them are erased.
func (s *Store) SaveRegistration(r credential.Registration) error {
	return s.commit("SaveRegistration", r.Issuer, func(tx *bbolt.Tx) error {
		all, err := s.registrations(tx, r.Issuer)
		if err != nil {
			return err
		}
		b, needed := tx.Bucket(bucketRegistrations), s.neededClients(tx, r.Issuer)
		for _, k := range all {
			if needed != nil && !needed[k.ClientID] {
				err = errors.Join(err, b.Delete([]byte(k.key)))
			}
		}
		return errors.Join(err, s.writeRegistration(tx, r))
	})
}

// neededClients are the client ids at an issuer that a token was issued to, or that a
// login is open with; nil where a damaged record keeps that from being known.
func (s *Store) neededClients(tx *bbolt.Tx, issuer string) map[string]bool {
	needed, upstreams := map[string]bool{}, tx.Bucket(bucketUpstreams)
	err := upstreams.ForEachBucket(func(name []byte) error {
		var token tokenRecord
		var flow flowRecord
		b := upstreams.Bucket(name)
		_, badToken := s.read(b, string(name), recordToken, &token)
		_, badFlow := s.read(b, string(name), recordFlow, &flow)
		if token.Issuer == issuer {
			needed[token.ClientID] = true
		}
		if flow.Registration.Issuer == issuer {
			needed[flow.Registration.ClientID] = true
		}
		return errors.Join(badToken, badFlow)
	})
	if err != nil {
		return nil
	}
	return needed
}

// keepRegistration writes a client that is not there any more. One that the
// configuration gives is not kept.
func (s *Store) keepRegistration(tx *bbolt.Tx, r credential.Registration) error {
	if r.Source != credential.SourceDynamic && r.Source != credential.SourceMetadata {
		return nil
	}
	all, err := s.registrations(tx, r.Issuer)
	if err != nil || slices.ContainsFunc(all, func(k kept) bool { return k.ClientID == r.ClientID }) {
		return err
	}
	return s.writeRegistration(tx, r)
}

// DoubtRegistration notes whether logins are to do without the client (see
// [credential.Registration]). Of one that is not there nothing is noted.
func (s *Store) DoubtRegistration(issuer, clientID string, doubtful bool) error {
	if found, err := s.Registration(issuer, clientID); err != nil || found == nil || found.Doubtful == doubtful {
		return err
	}
	return s.replaceRegistration("DoubtRegistration", issuer, clientID, func(tx *bbolt.Tx, r credential.Registration) error {
		r.Doubtful = doubtful
		return s.writeRegistration(tx, r)
	})
}

// DeleteRegistration erases the client of an issuer that has the client id.
func (s *Store) DeleteRegistration(issuer, clientID string) error {
	return s.replaceRegistration("DeleteRegistration", issuer, clientID, func(*bbolt.Tx, credential.Registration) error { return nil })
}

// eraseKey erases a client that signs with a key which was made here, key and all, unless
// another upstream's token or login needs it. Records that cannot be read stay, and keep
// nobody from logging out.
func (s *Store) eraseKey(tx *bbolt.Tx, issuer, clientID string) error {
	needed := s.neededClients(tx, issuer)
	if needed == nil || needed[clientID] {
		return nil
	}
	all, unreadable := s.registrations(tx, issuer)
	if unreadable != nil {
		return nil
	}
	var err error
	for _, k := range all {
		if k.ClientID == clientID && !k.Key.IsZero() {
			err = errors.Join(err, tx.Bucket(bucketRegistrations).Delete([]byte(k.key)))
		}
	}
	return err
}

// replaceRegistration erases a client's record and has another one put in its place.
func (s *Store) replaceRegistration(write, issuer, clientID string, by func(*bbolt.Tx, credential.Registration) error) error {
	return s.commit(write, issuer, func(tx *bbolt.Tx) error {
		all, err := s.registrations(tx, issuer)
		for _, k := range all {
			if k.ClientID == clientID {
				err = errors.Join(err, tx.Bucket(bucketRegistrations).Delete([]byte(k.key)), by(tx, k.Registration))
			}
		}
		return err
	})
}

func (s *Store) writeRegistration(tx *bbolt.Tx, r credential.Registration) error {
	return s.write(tx.Bucket(bucketRegistrations), "", keyOfRegistration(&r), recordOfRegistration(r))
}
