package fsm_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"mcpproxy/fsm"

	looplab "github.com/looplab/fsm"
)

// BenchmarkAccepted is one accepted transition: the door is opened and shut.
func BenchmarkAccepted(b *testing.B) {
	m := newDoor(options{})
	in := []input{{Event: push, At: noon, Payload: payload{"k"}}, {Event: opened, At: noon}, {Event: pull, At: noon}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		next := in[i%3]
		if next.Event == opened {
			next.Epoch = m.Snapshot().Region("door").Epoch
		}
		if _, err := m.Fire(next); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAcceptedPlain is one accepted transition of a machine of one region that
// does nothing else, to be compared with BenchmarkAcceptedLooplab.
func BenchmarkAcceptedPlain(b *testing.B) {
	m := fsm.New(compile(turnstile()), "t", data{}, noon, options{Commit: func(*fsm.Move[state, event, data, payload]) error { return nil }})
	in := []input{{Event: push, At: noon}, {Event: pull, At: noon}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := m.Fire(in[i%2]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAcceptedLooplab is the same with looplab/fsm alone and the same three callbacks.
func BenchmarkAcceptedLooplab(b *testing.B) {
	nothing := func(context.Context, *looplab.Event) {}
	m := looplab.NewFSM("Shut", looplab.Events{{Name: "Push", Src: []string{"Shut"}, Dst: "Open"},
		{Name: "Pull", Src: []string{"Open"}, Dst: "Shut"}},
		looplab.Callbacks{"before_event": nothing, "leave_state": nothing, "enter_state": nothing})
	events := []string{"Push", "Pull"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := m.Event(context.Background(), events[i%2]); err != nil {
			b.Fatal(err)
		}
	}
}

func turnstile() spec {
	return spec{Name: "turnstile", Regions: []region{{Name: "t", Doc: "t", Initial: shut,
		States:      []fsm.State[state, event, data, payload]{{Name: shut, Kind: fsm.Parked, Doc: "x"}, {Name: open, Kind: fsm.Parked, Doc: "x"}},
		Events:      []fsm.Event[event]{{Name: push, Doc: "x", Otherwise: "x"}, {Name: pull, Doc: "x", Otherwise: "x"}},
		Transitions: []move{{From: []state{shut}, Event: push, To: open}, {From: []state{open}, Event: pull, To: shut}}}}}
}

// BenchmarkRefused is an illegal event.
func BenchmarkRefused(b *testing.B) {
	m := newDoor(options{})
	in := input{Event: knock, At: noon}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Fire(in); err == nil {
			b.Fatal("accepted")
		}
	}
}

// BenchmarkSnapshot reads the state.
func BenchmarkSnapshot(b *testing.B) {
	m := newDoor(options{})
	var seen *snapshot
	b.ReportAllocs()
	for b.Loop() {
		seen = m.Snapshot()
	}
	runtime.KeepAlive(seen)
}

// BenchmarkSnapshotBesideAWriter reads the state while it changes.
func BenchmarkSnapshotBesideAWriter(b *testing.B) {
	m := newDoor(options{})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			openDoor(m)
			_, _ = m.Fire(input{Event: pull, At: time.Now()})
		}
	}()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var seen *snapshot
		for pb.Next() {
			seen = m.Snapshot()
		}
		runtime.KeepAlive(seen)
	})
	stop()
	<-ended
}

// BenchmarkIdle is the heap that a machine takes that does nothing.
func BenchmarkIdle(b *testing.B) {
	const machines = 10_000
	definition := compile(doorSpec())
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		all := make([]*machine, machines)
		for i := range all {
			all[i] = fsm.New(definition, "m", data{}, noon, options{})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/machines, "B/machine")
		runtime.KeepAlive(all)
	}
}
