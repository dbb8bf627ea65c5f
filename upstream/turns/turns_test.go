package turns_test

import (
	"fmt"
	"testing"

	"mcpproxy/upstream/turns"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Two hosts, one turn at each: the second at a host waits for the first, whatever
// the other host does.
func ExampleQueue() {
	q := turns.NewQueue(turns.Limits{Total: 10, PerHost: 1})
	say := func(who string) func() { return func() { fmt.Println("the turn of", who) } }
	first := q.Ask("slow.example", say("the first"))
	q.Ask("slow.example", say("the second"))
	q.Ask("fast.example", say("the third"))
	first.Done()
	// Output:
	// the turn of the first
	// the turn of the third
	// the turn of the second
}

func TestHostsAreServedInTurn(t *testing.T) {
	q := turns.NewQueue(turns.Limits{Total: 1})
	var came []string
	var taken []*turns.Turn
	for _, who := range []string{"a1", "a2", "a3", "b1", "b2"} {
		taken = append(taken, q.Ask(who[:1], func() { came = append(came, who) }))
	}
	for len(came) < 5 {
		for i, who := range []string{"a1", "a2", "a3", "b1", "b2"} {
			if came[len(came)-1] == who {
				taken[i].Done()
				break
			}
		}
	}
	if diff := cmp.Diff([]string{"a1", "a2", "b1", "a3", "b2"}, came); diff != "" {
		t.Error(diff)
	}
}

// Hosts that never answer take what they may and give nothing back; another host is
// still served at once, one turn after the other.
func TestSilentHostsDoNotKeepOthersWaiting(t *testing.T) {
	q := turns.NewQueue(turns.Limits{Total: 64, PerHost: 16})
	for n := range 100 {
		q.Ask(fmt.Sprintf("silent-%d.example", n%10), func() {})
	}
	for range 3 {
		came := false
		turn := q.Ask("well.example", func() { came = true })
		if !came {
			taken, _ := q.Count()
			t.Fatalf("with %d turns taken by others it has to wait", taken)
		}
		turn.Done()
	}
}

func TestHigherLimitsServeWhoWaits(t *testing.T) {
	q := turns.NewQueue(turns.Limits{Total: 1, PerHost: 1})
	for range 5 {
		q.Ask("h", func() {})
	}
	q.Limit(turns.Limits{Total: 3, PerHost: 3})
	if taken, waiting := q.Count(); taken != 3 || waiting != 2 {
		t.Errorf("%d taken and %d waiting, want 3 and 2", taken, waiting)
	}
}

// Whatever is asked for, given back and given up: no limit is exceeded, nobody waits
// while there is room, and who waits at a host is served in the order of coming.
func TestNoLimitIsExceededAndNobodyWaitsInVain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := turns.Limits{Total: rapid.IntRange(1, 9).Draw(t, "total"), PerHost: rapid.IntRange(1, 3).Draw(t, "per host")}
		q := turns.NewQueue(limits)
		type asked struct {
			turn *turns.Turn
			host string
			came bool
		}
		var open []*asked
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				a := &asked{host: rapid.SampledFrom([]string{"a", "b", "c", ""}).Draw(t, "host")}
				open = append(open, a)
				a.turn = q.Ask(a.host, func() { a.came = true })
			},
			"done": func(t *rapid.T) {
				if len(open) == 0 {
					t.Skip("nothing is open")
				}
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				a := open[i]
				open = append(open[:i:i], open[i+1:]...)
				a.turn.Done()
				a.turn.Done()
			},
			"": func(t *rapid.T) {
				taken, waits := 0, map[string]bool{}
				at := map[string]int{}
				for _, a := range open {
					if a.came {
						taken++
						at[a.host]++
						if waits[a.host] {
							t.Fatalf("one at %q was served before another that came first", a.host)
						}
						continue
					}
					waits[a.host] = true
				}
				if n, waiting := q.Count(); n != taken || waiting != len(open)-taken {
					t.Fatalf("it counts %d and %d of %d and %d", n, waiting, taken, len(open)-taken)
				}
				if taken > limits.Total {
					t.Fatalf("%d of %d turns are taken", taken, limits.Total)
				}
				for host := range waits {
					free := limits.Total - taken
					if host != "" && at[host] > 0 {
						free -= limits.Total / 4 // is kept for hosts that have no turn
					}
					if free > 0 && (host == "" || at[host] < limits.PerHost) {
						t.Fatalf("someone waits at %q while there is room", host)
					}
				}
				for host, n := range at {
					if host != "" && n > limits.PerHost {
						t.Fatalf("%d turns are taken at %q", n, host)
					}
				}
			},
		})
	})
}
