package fsm

import (
	"errors"
	"fmt"
	"strings"
)

// Sentinels to match with errors.Is; the typed errors below match one each.
var (
	// ErrIllegal matches [*IllegalTransitionError].
	ErrIllegal = errors.New("illegal transition")
	// ErrStale matches [*StaleError].
	ErrStale = errors.New("stale event")
	// ErrGuarded matches [*GuardError].
	ErrGuarded = errors.New("refused by a guard")
	// ErrVetoed matches [*VetoError].
	ErrVetoed = errors.New("vetoed before commit")
	// ErrPanic matches [*PanicError].
	ErrPanic = errors.New("panic in a callback")
	// ErrReentrant is returned by Fire when it is called from inside a guard,
	// update, timer or commit hook of a machine. Return an outcome instead.
	ErrReentrant = errors.New("event fired from inside a callback of the machine")
	// ErrUnknownEvent is returned for an event that the definition does not declare.
	ErrUnknownEvent = errors.New("unknown event")
)

// Refusal is what every refused event says about itself.
type Refusal struct {
	Machine, Region, State, Event string
	// Epoch of the region when it refused.
	Epoch uint64
	// Flow that the event spoke of, if any.
	Flow string
	// Accepted lists the events that the state accepts now.
	Accepted []string
	// Reason in words.
	Reason string
}

func (r Refusal) where() string {
	text := fmt.Sprintf("%s: %s in state %s (%s, epoch %d)", r.Machine, r.Event, r.State, r.Region, r.Epoch)
	if r.Flow != "" {
		text += ", flow " + r.Flow
	}
	return text
}

func (r Refusal) hint() string {
	if len(r.Accepted) == 0 {
		return "; nothing is accepted in this state"
	}
	return "; accepted now: " + strings.Join(r.Accepted, ", ")
}

// Brief is what an error says but for the list of what is accepted instead: for
// users, who are told in other words what they can do.
func Brief(err error) string {
	var brief interface{ brief() string }
	if errors.As(err, &brief) {
		return brief.brief()
	}
	return err.Error()
}

// IllegalTransitionError says that the graph has no transition for the event in
// the current state. The machine is exactly as before.
type IllegalTransitionError struct{ Refusal }

func (e *IllegalTransitionError) Error() string { return e.brief() + e.hint() }

func (e *IllegalTransitionError) brief() string {
	return "illegal transition refused: " + e.where() + ": " + e.Reason
}

// Is makes errors.Is(err, ErrIllegal) hold.
func (e *IllegalTransitionError) Is(target error) bool { return target == ErrIllegal }

// StaleError says that the event is the outcome of something whose state was
// left since. The machine is exactly as before.
type StaleError struct {
	Refusal
	// Started is the epoch that the event carried.
	Started uint64
}

func (e *StaleError) Error() string { return e.brief() + e.hint() }

func (e *StaleError) brief() string {
	return fmt.Sprintf("stale event refused: %s: it belongs to epoch %d: %s", e.where(), e.Started, e.Reason)
}

// Is makes errors.Is(err, ErrStale) hold.
func (e *StaleError) Is(target error) bool { return target == ErrStale }

// GuardError says that a guard refused the transition. It unwraps to the guard's
// own error. The machine is exactly as before.
type GuardError struct {
	Refusal
	Guard string
	Err   error
}

func (e *GuardError) Error() string {
	return fmt.Sprintf("refused by guard %s: %s: %v", e.Guard, e.where(), e.Err)
}

// Is makes errors.Is(err, ErrGuarded) hold.
func (e *GuardError) Is(target error) bool { return target == ErrGuarded }

// Unwrap returns the guard's error.
func (e *GuardError) Unwrap() error { return e.Err }

// VetoError says that the commit hook failed, so that the move was not made.
type VetoError struct {
	Refusal
	Err error
}

func (e *VetoError) Error() string {
	return fmt.Sprintf("vetoed before commit: %s: %v", e.where(), e.Err)
}

// Is makes errors.Is(err, ErrVetoed) hold.
func (e *VetoError) Is(target error) bool { return target == ErrVetoed }

// Unwrap returns the cause.
func (e *VetoError) Unwrap() error { return e.Err }

// PanicError is a panic that was caught in user code.
type PanicError struct {
	// Callback names what panicked: "guard NAME", "update", "commit hook", "job NAME".
	Callback string
	Value    any
	Stack    []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic in %s: %v", e.Callback, e.Value) }

// Is makes errors.Is(err, ErrPanic) hold.
func (e *PanicError) Is(target error) bool { return target == ErrPanic }

// DefinitionError lists every problem that [Compile] found.
type DefinitionError struct {
	Name     string
	Problems []string
}

func (e *DefinitionError) Error() string {
	return fmt.Sprintf("definition %q has %d problems:\n  - %s", e.Name, len(e.Problems), strings.Join(e.Problems, "\n  - "))
}
