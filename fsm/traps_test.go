package fsm_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcpproxy/fsm"

	looplab "github.com/looplab/fsm"
)

// Each of these shows what looplab/fsm does when it is used by itself, and then
// that the engine, which is built on it, does not.

func TestTrapCancelledContextWedges(t *testing.T) {
	bare := looplab.NewFSM("a", looplab.Events{{Name: "go", Src: []string{"a"}, Dst: "b"}, {Name: "back", Src: []string{"b"}, Dst: "a"}},
		looplab.Callbacks{
			"leave_a": func(_ context.Context, e *looplab.Event) { e.Async() },
		})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = bare.Event(ctx, "go")
	if err := bare.Event(context.Background(), "go"); err == nil {
		t.Fatal("bare looplab goes on after a cancelled transition; the trap is gone")
	}

	m := newDoor(options{})
	if _, err := m.Wait(ctx, func(*snapshot) bool { return false }); err == nil {
		t.Fatal("a wait without an end")
	}
	openDoor(m) // no caller's context reaches a transition
}

func TestTrapEnterCallbackOfTheWrongState(t *testing.T) {
	// Bare: the enter callback is chosen by the state that is current when it runs.
	var entered [2]atomic.Int32
	var bare *looplab.FSM
	hold, entering := make(chan struct{}), make(chan struct{})
	bare = looplab.NewFSM("a", looplab.Events{{Name: "b", Src: []string{"a"}, Dst: "b"}, {Name: "c", Src: []string{"b"}, Dst: "c"}},
		looplab.Callbacks{
			"enter_state": func(_ context.Context, e *looplab.Event) {
				if e.Event == "b" {
					close(entering)
					<-hold // another goroutine moves on meanwhile
				}
			},
			"enter_b": func(context.Context, *looplab.Event) { entered[0].Add(1) },
			"enter_c": func(context.Context, *looplab.Event) { entered[1].Add(1) },
		})
	var work sync.WaitGroup
	work.Go(func() { _ = bare.Event(context.Background(), "b") })
	<-entering
	raced := make(chan error, 1)
	go func() { raced <- bare.Event(context.Background(), "c") }()
	select {
	case <-raced: // carried out while the first is still being entered
	case <-time.After(100 * time.Millisecond):
		t.Log("this release of looplab serialises enter callbacks")
	}
	close(hold)
	work.Wait()

	// Here: one observer call for each move, with the state that was entered.
	var seen []state
	m := newDoor(options{Perform: func(move *fsm.Move[state, event, data, payload]) { seen = append(seen, move.To) }})
	openDoor(m)
	if len(seen) != 3 || seen[0] != opening || seen[1] != open || seen[2] != lit {
		t.Errorf("observed %v", seen)
	}
}

func TestTrapReentryDeadlocks(t *testing.T) {
	// Bare: an event fired from a before or leave callback waits for itself.
	var bare *looplab.FSM
	done := make(chan struct{})
	bare = looplab.NewFSM("a", looplab.Events{{Name: "go", Src: []string{"a"}, Dst: "b"}}, looplab.Callbacks{
		"before_go": func(ctx context.Context, _ *looplab.Event) { _ = bare.Event(ctx, "go") },
	})
	go func() { _ = bare.Event(context.Background(), "go"); close(done) }()
	select {
	case <-done:
		t.Fatal("bare looplab takes an event inside a callback; the trap is gone")
	case <-time.After(50 * time.Millisecond): // the goroutine is lost for good
	}

	var m *machine
	s := doorSpec()
	var inside error
	s.Regions[0].Transitions[0].Guards[0].Check = func(data, *input) error { _, inside = m.Fire(input{Event: push}); return nil }
	m = fsm.New(compile(s), "front", data{}, noon, options{})
	if _, err := m.Fire(input{Event: push, At: noon}); err != nil || !errors.Is(inside, fsm.ErrReentrant) {
		t.Errorf("Fire = %v, inside %v", err, inside)
	}
}

func TestTrapNothingIsValidated(t *testing.T) {
	bare := looplab.NewFSM("nowhere", looplab.Events{{Name: "go", Src: []string{"a"}, Dst: "a typo"}}, nil)
	bare.SetState("another typo") // bare: any state, past every rule
	if bare.Current() != "another typo" {
		t.Fatal("bare looplab checks its states; the trap is gone")
	}

	s := doorSpec()
	s.Regions[0].Transitions[0].To = "Typo"
	if _, err := fsm.Compile(s); err == nil {
		t.Error("a typo compiles")
	}
}
