package store

import (
	"errors"
	"fmt"
	"time"

	"mcpproxy/credential"
)

// Sentinels to match with errors.Is.
var (
	// ErrLocked matches [*LockedError].
	ErrLocked = errors.New("the store is in use by another process")
	// ErrCorrupt says that the file or a record in it is damaged. Nothing was changed.
	ErrCorrupt = errors.New("the store is damaged")
	// ErrUnwanted says that what asked for the write is over. Nothing was changed.
	ErrUnwanted = errors.New("what this was written for is over")
	// ErrForeign says that the file is not a store of this program. Nothing was changed.
	ErrForeign = errors.New("the file is not a store of mcpproxy")
	// ErrKeyMissing says that there are encrypted records and no key for them.
	ErrKeyMissing = errors.New("the key of the store is missing")
	// ErrGeneration matches [*GenerationError].
	ErrGeneration = errors.New("the stored token is of another generation")
	// ErrNoRefreshToken says that the stored token has no refresh token, or none any more.
	ErrNoRefreshToken = errors.New("the store holds no refresh token")
	// ErrIntentExists matches [*IntentExistsError].
	ErrIntentExists = errors.New("a refresh without a known outcome is noted already")
	// ErrAbsent says that there is no store yet (only when it is opened read-only).
	ErrAbsent = errors.New("there is no store yet")
)

// LockedError says who has the store open.
type LockedError struct {
	Path string
	// PID is 0, and the rest empty, where the holder did not say who it is.
	PID    int
	Since  time.Time
	Socket string
}

func (e *LockedError) Error() string {
	holder := "another process that did not say which"
	if e.PID != 0 {
		holder = fmt.Sprintf("process %d since %s", e.PID, e.Since.Local().Format(time.DateTime))
	}
	text := fmt.Sprintf("the store %s is held by %s", e.Path, holder)
	if e.Socket != "" {
		text += fmt.Sprintf(", which can be spoken to at %s", e.Socket)
	}
	return text + "; end that process, or use another store (--store)"
}

// Is makes errors.Is(err, ErrLocked) hold.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// SchemaError says that a newer version of this program wrote the file.
type SchemaError struct {
	Path        string
	Have, Known int
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("the store %s has the schema version %d, and this program knows versions up to %d; use the newer mcpproxy that "+
		"wrote it", e.Path, e.Have, e.Known)
}

// RecordError says which record is damaged. It matches [ErrCorrupt].
type RecordError struct {
	Path, Owner, Record string
	Err                 error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("the record %q of %q in the store %s is damaged (%v) and was left as it is; `mcpproxy auth logout %s` erases it",
		e.Record, e.Owner, e.Path, e.Err, e.Owner)
}

// Is makes errors.Is(err, ErrCorrupt) hold.
func (e *RecordError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// GenerationError says that the store moved on since the caller read it.
type GenerationError struct {
	Upstream   string
	Have, Want uint64
}

func (e *GenerationError) Error() string {
	return fmt.Sprintf("%s: the store has the token generation %d and not %d; nothing was written", e.Upstream, e.Have, e.Want)
}

// Is makes errors.Is(err, ErrGeneration) hold.
func (e *GenerationError) Is(target error) bool { return target == ErrGeneration }

// IntentExistsError carries the intent that is noted.
type IntentExistsError struct {
	Upstream string
	Intent   credential.Intent
}

func (e *IntentExistsError) Error() string {
	return fmt.Sprintf("%s: a refresh that began at %s has no known outcome", e.Upstream, e.Intent.StartedAt.UTC().Format(time.RFC3339))
}

// Is makes errors.Is(err, ErrIntentExists) hold.
func (e *IntentExistsError) Is(target error) bool { return target == ErrIntentExists }
