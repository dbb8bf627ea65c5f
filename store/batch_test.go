package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/credential"
	"mcpproxy/store"
)

// slowWrites makes the first write take until the others wait behind it.
func slowWrites() store.Staged {
	var first atomic.Bool
	return func(write, _ string, stage store.Stage) error {
		if write != "Create" && stage == store.Written && first.CompareAndSwap(false, true) {
			time.Sleep(time.Second) // of the bubble's time: it passes when all others wait
		}
		return nil
	}
}

// A hundred tokens that arrive while the disk is busy share one commit.
func TestWritesThatComeTogetherShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "store.db"), store.Options{Staged: slowWrites()})
		defer s.Close()
		before := s.Commits()
		var all sync.WaitGroup
		for n := range 101 {
			all.Go(func() {
				name := fmt.Sprintf("u%d", n)
				if err := s.SaveToken(name, token(1), 0, wanted); err != nil {
					t.Error(err)
				}
				if got, err := s.Load(name); err != nil || got.Token == nil {
					t.Errorf("%s is not there when SaveToken returns: %v", name, err)
				}
			})
		}
		all.Wait()
		if commits := s.Commits() - before; commits > 2 {
			t.Errorf("101 changes took %d commits, want at most 2", commits)
		}
	})
}

// Each of those that share a commit keeps its own outcome: one that is refused or
// panics leaves nothing behind and takes nobody with it.
func TestARefusedWriteTakesNobodyWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "store.db"), store.Options{Staged: slowWrites()})
		defer s.Close()
		var all sync.WaitGroup
		all.Go(func() { _ = s.SaveToken("first", token(1), 0, wanted) })
		synctest.Wait()
		var panicked atomic.Int64
		for n := range 30 {
			name := fmt.Sprintf("u%d", n)
			all.Go(func() {
				switch n % 3 {
				case 0:
					if err := s.SaveToken(name, token(1), 0, wanted); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				case 1:
					if err := s.SaveToken(name, token(1), 0, func() bool { return false }); !errors.Is(err, store.ErrUnwanted) {
						t.Errorf("%s: %v, want %v", name, err, store.ErrUnwanted)
					}
				default:
					defer func() {
						if recover() != nil {
							panicked.Add(1)
						}
					}()
					_ = s.SaveToken(name, token(1), 0, func() bool { panic("on purpose") })
				}
			})
		}
		all.Wait()
		if panicked.Load() != 10 {
			t.Errorf("%d callers met their panic, want 10", panicked.Load())
		}
		for n := range 30 {
			name := fmt.Sprintf("u%d", n)
			if got, err := s.Load(name); err != nil || (got.Token != nil) != (n%3 == 0) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		if err := s.Logout("u0", credential.LogoutMark{At: time.Now()}, wanted); err != nil {
			t.Errorf("the store goes on: %v", err)
		}
	})
}
