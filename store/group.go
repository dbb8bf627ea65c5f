package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.etcd.io/bbolt"
)

// Stats count the durable changes since the store was opened.
type Stats struct {
	// Changes is how many were made.
	Changes uint64
	// Commits is how many transactions they took. Each costs two fsyncs: one for the
	// pages, one for the page that makes them current.
	Commits uint64
}

// Stats returns what was counted so far.
func (s *Store) Stats() Stats {
	s.writes.mu.Lock()
	defer s.writes.mu.Unlock()
	return s.writes.stats
}

// group makes changes durable. Those that come while the disk is busy are made
// together by the next transaction, and share its fsyncs; one that comes alone does
// not wait for others. The goroutine of one of them does the work for all (it leads),
// and none is left over where there is nothing to write.
type group struct {
	mu      sync.Mutex
	waiting []*change
	led     bool // somebody writes, and will hand over to who waits then
	stats   Stats
}

// change is one caller's part of a transaction.
type change struct {
	apply func(*bbolt.Tx) error
	// alone says that it failed in company and is made again by its own goroutine, so
	// that its error or panic is its own.
	alone bool
	told  chan verdict
}

// verdict is what a change's goroutine is told.
type verdict struct {
	err   error
	lead  bool // it is its turn to write
	again bool // it is to be made alone
}

// durably makes one change; it is on disk when it returns without an error.
func (s *Store) durably(apply func(*bbolt.Tx) error) error {
	c := &change{apply: apply, told: make(chan verdict, 1)}
	for {
		told := s.writes.join(c)
		if told.lead {
			s.lead()
			told = <-c.told
		}
		if !told.again {
			return told.err
		}
		c.alone = true
	}
}

// join waits until the change was made by somebody, or is the first in the queue
// and there is nobody who writes.
func (g *group) join(c *change) verdict {
	g.mu.Lock()
	g.waiting = append(g.waiting, c)
	first := !g.led
	g.led = true
	g.mu.Unlock()
	if first {
		return verdict{lead: true}
	}
	return <-c.told
}

// lead writes what waits, and hands over.
func (s *Store) lead() {
	defer s.writes.handOver()
	all := s.writes.take()
	company := len(all) > 1
	for len(all) > 0 {
		failed, err := s.transaction(all, company)
		if failed < 0 {
			s.writes.count(len(all), err)
			for _, c := range all {
				c.told <- verdict{err: err}
			}
			return
		}
		// A transaction is made whole or not at all: the others try again without it.
		all[failed].told <- verdict{again: true}
		all = slices.Delete(all, failed, failed+1)
	}
}

// transaction makes all changes or none. In company failed is the one that was
// refused, or -1, and a panic is a failure like others.
func (s *Store) transaction(all []*change, company bool) (failed int, err error) {
	failed = -1
	err = s.db.Update(func(tx *bbolt.Tx) (err error) {
		at := 0
		defer func() {
			if !company {
				return
			}
			if value := recover(); value != nil {
				err = errors.Join(err, fmt.Errorf("a change of the store panicked: %v", value))
			}
			if err != nil {
				failed = at
			}
		}()
		for ; at < len(all); at++ {
			if err := all[at].apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
	return failed, err
}

// take returns the changes that are made next: the one whose turn it is, where it
// is to be alone, or else all that may be made in company.
func (g *group) take() []*change {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := slices.IndexFunc(g.waiting, func(c *change) bool { return c.alone })
	switch {
	case n < 0:
		n = len(g.waiting)
	case n == 0:
		n = 1
	}
	all := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return all
}

// handOver makes the first of those that wait the next to write.
func (g *group) handOver() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.led = len(g.waiting) > 0; g.led {
		g.waiting[0].told <- verdict{lead: true}
	}
}

func (g *group) count(changes int, err error) {
	if err != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats.Changes += uint64(changes)
	g.stats.Commits++
}
