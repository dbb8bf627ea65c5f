package fsm_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/fsm"
)

func newRunner(t *testing.T, motor fsm.Effect[state, event, data, payload], o options) *fsm.Runner[state, event, data, payload] {
	t.Helper()
	r, err := fsm.NewRunner(t.Context(), compile(doorSpec()), "front", data{Key: "k", OpenFor: time.Minute}, effects{"motor": motor},
		func(err error) payload { return payload{Key: err.Error()} }, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pushDoor(t *testing.T, m *machine) {
	t.Helper()
	if _, err := m.Fire(input{Event: push, At: time.Now(), Payload: payload{"k"}}); err != nil {
		t.Fatal(err)
	}
}

// A job lasts as long as its state, its outcome moves the machine on, and the
// timer of the next state closes the door.
func TestRunnerPerformsJobsAndTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, func(ctx context.Context, _ order) input {
			time.Sleep(3 * time.Second)
			return input{Event: opened}
		}, options{})
		defer r.Close()
		begin := time.Now()
		pushDoor(t, r.Machine())
		s, err := r.Machine().Wait(t.Context(), func(s *snapshot) bool { return s.Data.Opened == 1 && s.Region("door").State == shut })
		if err != nil || time.Since(begin) != 63*time.Second {
			t.Errorf("after %s: %+v, %v", time.Since(begin), s.Regions, err)
		}
	})
}

// What takes too long is cancelled, and what it says afterwards is stale.
func TestRunnerDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan error, 1)
		r := newRunner(t, func(ctx context.Context, o order) input {
			<-ctx.Done()
			_, err := o.Fire(input{Event: opened})
			late <- err
			return input{}
		}, options{})
		defer r.Close()
		begin := time.Now()
		pushDoor(t, r.Machine())
		if err := <-late; !errors.Is(err, fsm.ErrStale) {
			t.Errorf("the late outcome: %v", err)
		}
		if s := r.Machine().Snapshot(); s.Region("door").State != broken || time.Since(begin) != 10*time.Second {
			t.Errorf("after %s: %+v", time.Since(begin), s.Regions)
		}
	})
}

func TestRunnerCrashIsAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var journal []fsm.Entry
		r := newRunner(t, func(context.Context, order) input { panic("smoke") },
			options{Journal: func(e *fsm.Entry) { journal = append(journal, *e) }})
		defer r.Close()
		pushDoor(t, r.Machine())
		synctest.Wait()
		if state := r.Machine().Snapshot().Region("door").State; state != broken {
			t.Errorf("the door is %s; %+v", state, journal)
		}
	})
}

// Close cancels and awaits everything; the machine still answers.
func TestRunnerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		r := newRunner(t, func(ctx context.Context, _ order) input {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended = true
			return input{}
		}, options{})
		pushDoor(t, r.Machine())
		r.Close()
		if !ended {
			t.Error("Close did not wait for the job")
		}
		if _, err := r.Machine().Fire(input{Event: knock, At: time.Now()}); !errors.Is(err, fsm.ErrIllegal) {
			t.Errorf("the machine answers %v", err)
		}
	})
}

func TestRunnerNeedsAnEffectForEachJob(t *testing.T) {
	_, err := fsm.NewRunner(t.Context(), compile(doorSpec()), "front", data{}, effects{}, func(error) payload { return payload{} }, options{})
	if err == nil || err.Error() != `definition door: job "motor" has no effect` {
		t.Errorf("NewRunner = %v", err)
	}
}
