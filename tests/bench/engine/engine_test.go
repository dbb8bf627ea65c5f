package engine

import (
	"testing"
)

// What is compared does the same.
func TestSubjectsAgree(t *testing.T) {
	for _, s := range Subjects() {
		t.Run(s.Name, func(t *testing.T) {
			m := s.start()
			if m.read(1) != locked || m.illegal(1) == nil || m.read(1) != locked {
				t.Error("it opens without a coin")
			}
			if m.guarded != nil && (m.guarded(1) == nil || m.read(1) != locked) {
				t.Error("it opens for too little")
			}
			m.pass(1)
			if got := m.read(1); got != unlocked {
				t.Errorf("after a coin it is %s", got)
			}
			m.pass(4)
			if got := m.counted(); got != (count{coins: 3, passages: 2}) || m.read(1) != unlocked {
				t.Errorf("after five transitions it is %s and counted %+v", m.read(1), got)
			}
		})
	}
}

// Each subject beside each other, for each aspect: go test -bench Engine.
func BenchmarkEngine(b *testing.B) {
	for _, a := range aspects {
		for _, s := range Subjects() {
			do, end := a.prepare(s)
			if do != nil {
				b.Run(a.name+"/"+s.Name, func(b *testing.B) {
					b.ReportAllocs()
					do(b.N)
				})
			}
			end()
		}
	}
}

func BenchmarkInstance(b *testing.B) {
	for name, make := range instances {
		for graph, instance := range map[string]func() any{"turnstile": make.turnstile, "upstream": make.upstream} {
			if instance != nil {
				b.Run(name+"/"+graph, func(b *testing.B) {
					for b.Loop() {
						b.ReportMetric(idle(instance), "B/instance")
					}
				})
			}
		}
	}
}
