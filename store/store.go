package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// Options of a store. All are optional.
type Options struct {
	Logger *slog.Logger
	// Keys says where the encryption key is; nil asks the OS keyring and, where
	// there is none, a file beside the store.
	Keys KeySource
	// LockTimeout is how long a file that another process holds is waited for; 0
	// means one second.
	LockTimeout time.Duration
	// ReadOnly opens an existing store without changing anything about it.
	ReadOnly bool
	// JournalLimit bounds the entries that are kept for each upstream; 0 means 1000.
	JournalLimit int
	// JournalBytes bounds their bytes, counted once in a while; 0 means 1 MiB.
	JournalBytes int
	// Socket is where this process can be spoken to; a second process is told.
	Socket string
	// Staged is told of each stage of each write, for tests that break the disk.
	Staged Staged
}

// Store is an open store. All methods are safe for concurrent use.
type Store struct {
	db        *bbolt.DB
	path      string
	options   Options
	keyOrigin string
	// seal is for credentials and registrations, sealJournal for the journals.
	seal, sealJournal *sealer
}

// company is how long a write waits for others to share its fsyncs with.
const company = time.Millisecond

// Open opens the store at path, and makes it where there is none. ctx bounds the wait for
// the lock (on Unix) and for the keyring. Errors match
// [ErrLocked], [ErrCorrupt], [ErrForeign], [ErrKeyMissing], or are a
// [*SchemaError] or of the file system.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = time.Second
	}
	if o.JournalLimit == 0 {
		o.JournalLimit = 1000
	}
	if o.JournalBytes == 0 {
		o.JournalBytes = 1 << 20
	}
	if o.Keys == nil {
		o.Keys = DefaultKeys(path)
	}
	if o.Staged == nil {
		o.Staged = failpoint()
	}
	s := &Store{path: path, options: o}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.abandon())
	}
	return s, nil
}

// prepare makes the directory. One that is there may be others' too, and is left as it is.
func (s *Store) prepare() error {
	if s.options.ReadOnly {
		if _, err := os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", s.path, ErrAbsent)
		}
		return nil
	}
	directory := filepath.Dir(s.path)
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return fmt.Errorf("the directory of the store could not be made: %w; use another store (--store)", err)
	}
	if info, err := os.Stat(directory); err == nil && info.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows" {
		s.options.Logger.Warn("other users may write to the directory of the store, and it was left so; give the store one that is yours "+
			"alone (--store)",
			"path", directory, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	}
	return nil
}

// narrow takes access to the store, which is locked and known to be one, away from other
// users.
func (s *Store) narrow(file *os.File, mode fs.FileMode) error {
	if mode.Perm()&^0o600 == 0 || runtime.GOOS == "windows" {
		return nil
	}
	if err := file.Chmod(0o600); err != nil {
		return fmt.Errorf("%s can be read by other users (mode %04o), and that could not be changed: %w", s.path, mode.Perm(), err)
	}
	s.options.Logger.Warn("other users could read this; the mode was narrowed", "path", s.path, "from", fmt.Sprintf("%04o", mode.Perm()),
		"to", "0600")
	return nil
}

func (s *Store) open(ctx context.Context) error {
	if !s.options.ReadOnly {
		if err := create(s.path); err != nil {
			return err
		}
	}
	if err := s.openFile(ctx); err != nil {
		return err
	}
	if !s.options.ReadOnly {
		if err := writeOwner(s.path, s.options.Socket); err != nil {
			return err
		}
	}
	if err := s.checkPages(); err != nil {
		return err
	}
	if _, err := s.known(migrations()); err != nil {
		return err
	}
	if err := s.unlock(ctx); err != nil {
		return err
	}
	if err := s.migrate(); err != nil {
		return err
	}
	return s.mark()
}

// openFile takes the lock. A damaged file may make bbolt fault or panic.
func (s *Store) openFile(ctx context.Context) (err error) {
	defer damaged(s.path, &err)()
	s.db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{
		Timeout:      s.options.LockTimeout,
		ReadOnly:     s.options.ReadOnly,
		FreelistType: bbolt.FreelistMapType,
		OpenFile: func(path string, flag int, _ os.FileMode) (*os.File, error) {
			return s.inspected(ctx, path, flag)
		},
	})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return lockedBy(s.path)
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errors.Join(lockedBy(s.path), err)
	}
	if errors.Is(err, ErrForeign) || errors.Is(err, ErrCorrupt) {
		return err
	}
	if err != nil {
		return fmt.Errorf("opening the store %s: %w", s.path, err)
	}
	s.db.MaxBatchDelay = company
	return nil
}

// inspected opens the file for bbolt, which is let near nothing but a store: it is locked
// first, so that what is seen is not what its holder is about to write.
func (s *Store) inspected(ctx context.Context, path string, flag int) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // to open a pipe is to wait for its other end
		return nil, fmt.Errorf("%w: %s is no regular file; use another path (--store)", ErrForeign, path)
	}
	file, err := os.OpenFile(path, flag&^os.O_CREATE, 0)
	if err != nil {
		return nil, err
	}
	err = lock(ctx, file, !s.options.ReadOnly, s.options.LockTimeout)
	if err == nil {
		err = inspect(file)
	}
	if err == nil && !s.options.ReadOnly {
		err = s.narrow(file, info.Mode())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// damaged turns a fault or panic of bbolt into ErrCorrupt.
func damaged(path string, err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if value := recover(); value != nil {
			*err = corrupt(path, fmt.Sprint(value))
		}
	}
}

func corrupt(path, why string) error {
	return fmt.Errorf("%w: %s (%s); it was left as it is: put a backup in its place, or move it away and log in again", ErrCorrupt, path, why)
}

// checkPages has bbolt check the whole file before anything is written to it.
func (s *Store) checkPages() (err error) {
	defer damaged(s.path, &err)()
	return s.db.View(func(tx *bbolt.Tx) error {
		var first error
		for problem := range tx.Check() {
			if first == nil {
				first = corrupt(s.path, problem.Error())
			}
		}
		return first
	})
}

// abandon gives up what a failed Open has taken.
func (s *Store) abandon() error {
	if s.db == nil {
		return nil
	}
	return s.Close()
}

// Close gives the file free.
func (s *Store) Close() error {
	if !s.options.ReadOnly {
		removeOwner(s.path)
	}
	return s.db.Close()
}

// Path is the file's path.
func (s *Store) Path() string { return s.path }

// KeyOrigin says where the encryption key is, for users.
func (s *Store) KeyOrigin() string { return s.keyOrigin }

// Check has bbolt check the file and every record read once.
func (s *Store) Check() error {
	if err := s.checkPages(); err != nil {
		return err
	}
	upstreams, err := s.Upstreams()
	if err != nil {
		return err
	}
	for _, upstream := range upstreams {
		if _, err := s.Load(upstream); err != nil {
			return err
		}
		if _, err := s.Journal(upstream, 0); err != nil {
			return err
		}
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketRegistrations)
		return b.ForEach(func(key, _ []byte) error {
			_, err := s.read(b, "", string(key), &registrationRecord{})
			return err
		})
	})
}

// Commits counts the transactions that have changed the file since it was made. Each
// is two fsyncs.
func (s *Store) Commits() (n int) {
	_ = s.db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }) // none where it is closed
	return n
}
