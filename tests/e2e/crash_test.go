package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/store"
)

var (
	kills   = flag.Int("kills", 48, "how often TestKilledAnywhere kills the proxy")
	seed    = flag.Uint64("seed", 1, "the seed of TestKilledAnywhere; with the number of a kill it names deed and moment")
	workers = flag.Int("workers", 2, "how many machines TestKilledAnywhere has")
)

// deeds are what users and servers do while the proxy is killed, by the writes
// that they lead to.
var deeds = map[string]struct {
	run func(*crash)
	// fresh deeds begin without a store, those that are logged in with a token.
	fresh, loggedIn bool
	writes          []string
}{
	"first start":       {run: func(*crash) {}, fresh: true, writes: []string{"Create"}},
	"first login":       {run: (*crash).logIn, fresh: true, writes: []string{"SaveRegistration", "SaveFlow", "SaveToken"}},
	"login":             {run: (*crash).logIn, writes: []string{"SaveFlow", "SaveToken"}},
	"login declined":    {run: (*crash).decline, writes: []string{"DeleteFlow"}},
	"page left open":    {run: (*crash).openPage, writes: []string{"SaveFlow"}},
	"call":              {run: (*crash).call, loggedIn: true, writes: []string{"Append"}},
	"token expires":     {run: (*crash).refresh, loggedIn: true, writes: []string{"BeginRefresh", "RenewToken", "Append"}},
	"refresh fails":     {run: (*crash).refreshFails, loggedIn: true, writes: []string{"EndRefresh"}},
	"refresh refused":   {run: (*crash).refreshRefused, loggedIn: true, writes: []string{"DropRefresh"}},
	"client unknown":    {run: (*crash).clientUnknown, loggedIn: true, writes: []string{"DeleteRegistration"}},
	"logout":            {run: (*crash).logOut, loggedIn: true, writes: []string{"Logout"}},
	"many at one token": {run: (*crash).manyCalls, loggedIn: true, writes: []string{"BeginRefresh", "RenewToken"}},
}

// plan is one kill: what is done meanwhile, and the moment.
type plan struct {
	number int
	deed   string
	// failpoint is write:stage:n, or empty for a moment after which the kill comes.
	failpoint string
	after     time.Duration
	// starts says that the moment is counted from the proxy's start.
	starts bool
}

func (p plan) String() string {
	moment := p.failpoint
	if moment == "" {
		moment = p.after.String()
		if p.starts {
			moment += " from the start"
		}
	}
	return fmt.Sprintf("kill %d (-seed=%d), %s, at %s", p.number, *seed, p.deed, moment)
}

// points are the failpoints: each stage of each write that a program makes.
func points() (all []string) {
	for _, write := range store.Writes() {
		for _, stage := range store.Stages() {
			all = append(all, write+":"+string(stage))
		}
	}
	return all
}

// planOf is a kill by its number: each failpoint first, then two random moments for
// each random failpoint.
func planOf(number int) plan {
	random := rand.New(rand.NewPCG(*seed, uint64(number)))
	p, all := plan{number: number}, points()
	var names []string
	for name := range deeds {
		names = append(names, name)
	}
	slices.Sort(names)
	if number >= len(all) && random.IntN(3) > 0 {
		p.deed = names[random.IntN(len(names))]
		p.starts = random.IntN(3) == 0
		p.after = time.Duration(random.ExpFloat64() * float64(60*time.Millisecond))
		return p
	}
	point, nth := all[number%len(all)], 1
	if number >= len(all) {
		point, nth = all[random.IntN(len(all))], 1+random.IntN(2)
	}
	write, _, _ := strings.Cut(point, ":")
	names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(deeds[name].writes, write) })
	p.deed, p.failpoint = names[random.IntN(len(names))], fmt.Sprintf("%s:%d", point, nth)
	return p
}

// The real program is killed with SIGKILL at each stage of each write and at any
// moment in between. Whatever the moment, the next start finds a store that can be
// read and a journal that the graph explains; a token that was there works without a
// login, no refresh token is used twice, a login that was open is completed. What
// cannot be had is known and said: where the kill falls between the authorization
// server's answer and our write, one login is needed.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	var figures crashFigures
	next := make(chan plan)
	var all sync.WaitGroup
	for range *workers {
		all.Go(func() {
			t.Run("machine", func(t *testing.T) { // its own cleanup
				c := newCrash(t, &figures)
				for p := range next {
					c.round(p)
				}
			})
			for range next { // what is left where a violation ended the test
			}
		})
	}
	for number := range *kills {
		next <- planOf(number)
	}
	close(next)
	all.Wait()
	fmt.Println(figures.text())
	if *kills < len(points()) || t.Failed() {
		return
	}
	for _, point := range points() {
		if figures.reached[point] == 0 {
			t.Errorf("no kill fell at %s", point)
		}
	}
}

// round is one kill, and what is looked at afterwards.
func (c *crash) round(p plan) {
	c.plan = p
	deed := deeds[p.deed]
	c.ready(deed.fresh, deed.loggedIn)
	had := c.disk.Token
	c.acknowledged, c.browser = acknowledged{}, ""
	if deed.fresh || p.failpoint != "" || p.starts {
		c.die()
	}
	if deed.fresh {
		c.forgetEverything()
		had = nil
	}
	begun := time.Now()
	if c.proxy == nil {
		c.launch(p.failpoint)
	}
	if p.failpoint == "" {
		victim := c.proxy
		if !p.starts {
			c.awaitServing()
			begun = time.Now()
		}
		timer := time.AfterFunc(time.Until(begun.Add(p.after)), func() { _ = victim.command.Process.Kill() })
		defer timer.Stop()
	}
	if c.awaitServing() {
		deed.run(c)
	}
	c.fall()
	c.judgeDisk(had)
	c.recover()
}

// crashFigures are what many kills came to.
type crashFigures struct {
	mu                                                       sync.Mutex
	killed, random, lateKills, restarts, lost, logins, opens int
	reached, byDeed                                          map[string]int
}

func (f *crashFigures) note(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reached == nil {
		f.reached, f.byDeed = map[string]int{}, map[string]int{}
	}
	change()
}

func (f *crashFigures) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "kills %d: at a failpoint %d (%d of %d points), at a random moment %d, after the deed %d\n",
		f.killed, f.killed-f.random-f.lateKills, len(f.reached), len(points()), f.random, f.lateKills)
	fmt.Fprintf(&b, "restarts %d; open logins completed after one %d; answers lost between server and disk %d; restarts on which a "+
		"person had to log in, as there was no token that works, %d\n", f.restarts, f.opens, f.lost, f.logins)
	for _, deed := range slices.Sorted(func(yield func(string) bool) {
		for name := range f.byDeed {
			if !yield(name) {
				return
			}
		}
	}) {
		fmt.Fprintf(&b, "  during: %-20s %d\n", deed, f.byDeed[deed])
	}
	return b.String()
}
