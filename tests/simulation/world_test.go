package simulation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// world is one run: servers, network, disk, the proxy's present life, users.
type world struct {
	*testing.T
	seed    uint64
	dir     string
	began   time.Time
	weather weather
	graph   *transitions.Graph
	network *network
	disk    *disk
	sites   map[string]*site
	configs []upstream.Config
	faults  tally
	ledger  *ledger
	logs    bool

	now     atomic.Pointer[process] // the present life; users read it while it changes
	lives   int
	died    chan *process
	closed  bool
	users   sync.WaitGroup // and what is left of dead processes
	browser *http.Transport

	mu      sync.Mutex
	calm    bool
	buried  map[string]bool // the hosts of dead processes
	lines   []line
	called  int // calls so far
	answers map[string]int
}

type line struct {
	at   time.Duration
	text string
}

func newWorld(t *testing.T, seed uint64, dir string) *world {
	w := &world{T: t, seed: seed, dir: dir, began: time.Now(), weather: weatherOf(seed), graph: graph(), network: newNetwork(),
		sites: map[string]*site{}, ledger: newLedger(), died: make(chan *process, 16), answers: map[string]int{}, buried: map[string]bool{}}
	t.Cleanup(w.close) // a run that ends before its time says why, and leaves nothing in the bubble
	w.disk = &disk{world: w, kept: map[string]bool{}}
	w.browser = &http.Transport{DialContext: w.network.dialer("browser"), DisableKeepAlives: true}
	random, clients, natures := draw(seed, time.Unix(0, 0), "servers"), draw(seed, time.Unix(0, 0), "clients"), draw(seed, time.Unix(0, 0),
		"natures")
	for _, name := range []string{"a", "b"} {
		options := oauthserver.Options{AutoApprove: true, Sessions: random.IntN(2) == 0, KeepRefreshTokens: random.IntN(6) == 0,
			NoRefreshTokens:  random.IntN(10) == 0,
			AccessTokenTTL:   []time.Duration{time.Minute, 5 * time.Minute, 20 * time.Minute, time.Hour}[random.IntN(4)],
			Clients:          map[string]string{"machine": "secret"},
			ConfidentialOnly: clients.IntN(4) == 0, ScopeBound: clients.IntN(4) == 0, PushRequired: clients.IntN(4) == 0}
		c := upstream.Config{Name: name, Transport: upstream.HTTP, Settings: states.DefaultSettings()}
		c.Settings.AutomaticLogin = random.IntN(3) == 0
		switch random.IntN(16) {
		case 0, 1:
			c.OAuth.Grant = upstream.DeviceCode
		case 2, 3:
			c.OAuth.Grant, c.OAuth.ClientID, c.OAuth.AuthMethod = upstream.ClientCredentials, "machine", "client_secret_post"
			c.OAuth.ClientSecret = secret("secret")
		}
		nature := natureOf(natures, &options, &c)
		w.sites[name] = newSite(w, name, options)
		w.sites[name].nature, c.URL = nature, w.sites[name].server.MCPURL()
		w.configs = append(w.configs, c)
	}
	w.sites[spoilt] = newSite(w, spoilt, oauthserver.Options{NoAuth: true})
	w.configs = append(w.configs, w.entries()[natures.IntN(3)])
	return w
}

func (w *world) stormy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.calm
}

func (w *world) excuse(why string) {
	for _, s := range w.sites {
		s.excuse(why)
	}
}

// gone reports whether a host's process has died.
func (w *world) gone(host string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buried[host]
}

func (w *world) siteOf(upstream string) *site { return w.sites[upstream] }

func (w *world) nameOf(host string) string {
	for name, s := range w.sites {
		if u, err := url.Parse(s.server.URL()); err == nil && u.Host == host {
			return name
		}
	}
	return host
}

// trace notes what happened, for the hash that a seed always has.
func (w *world) trace(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, line{time.Since(w.began), fmt.Sprintf(format, args...)})
}

// story is the trace, with what happened at one moment in a fixed order.
func (w *world) story() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.lines, func(a, b line) int {
		if a.at != b.at {
			return int(min(max(a.at-b.at, -1), 1))
		}
		return strings.Compare(a.text, b.text)
	})
	var all []string
	for _, l := range w.lines {
		all = append(all, fmt.Sprintf("%s %s", l.at, l.text))
	}
	return all
}

// result is what a run came to.
type result struct {
	hash       string
	story      []string
	violations []string
	faults     map[string]int
	taken      map[string]int
	simulated  time.Duration
	lives      int
	calls      map[string]int
}

// run is the whole of a seed's run, within a bubble.
func (w *world) run(storm time.Duration) result {
	w.begin(filepath.Join(w.dir, "store-0.db"))
	w.storm(w.began.Add(storm))
	w.heal()
	w.close()
	w.auditJournals()
	story := w.story()
	sum := sha256.Sum256([]byte(strings.Join(story, "\n")))
	return result{hash: hex.EncodeToString(sum[:8]), story: story, violations: w.ledger.violations, faults: w.faults.n, taken: w.ledger.taken,
		simulated: time.Since(w.began), lives: w.lives, calls: w.answers}
}

// begin starts lives until one can start.
func (w *world) begin(path string) {
	for attempt := 0; ; attempt++ {
		p := w.newProcess(path)
		err := p.start()
		if err == nil {
			w.now.Store(p)
			w.trace("%s lives", p.host)
			return
		}
		dead := !p.retire()
		if dead {
			<-w.died
		}
		p.bury()
		switch {
		case dead:
			path = w.disk.lay(p, fmt.Sprintf("store-%d.db", w.lives))
		case attempt > 100:
			w.Fatalf("the proxy does not start: %v", err)
		case attempt > 50 || !w.stormy():
			w.violated("store", "the proxy does not start: %v", err)
		}
		sleep(context.Background(), time.Second+time.Duration(attempt)*7_919)
	}
}

// storm lets everything happen until the given moment.
func (w *world) storm(until time.Time) {
	for time.Now().Before(until) {
		random := draw(w.seed, time.Now(), "next")
		w.elapse(time.Duration(random.ExpFloat64()*float64(4*time.Minute)) + time.Millisecond)
		synctest.Wait() // what began at this moment goes as far as it can
		w.act(draw(w.seed, time.Now(), "act"))
	}
}

// elapse lets time pass, and buries who dies meanwhile.
func (w *world) elapse(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case p := <-w.died:
			w.reborn(p)
		case <-timer.C:
			return
		}
	}
}

// reborn starts the proxy again on what a crash left.
func (w *world) reborn(dead *process) {
	path := w.disk.lay(dead, fmt.Sprintf("store-%d.db", w.lives))
	w.users.Go(dead.bury)
	random := draw(w.seed, time.Now(), "reborn")
	sleep(context.Background(), time.Duration(random.Int64N(int64(20*time.Second)))+time.Millisecond)
	w.begin(path)
}

// act is one thing that users, machines or the sky do.
func (w *world) act(random *rand.Rand) {
	name := []string{"a", "b"}[random.IntN(2)]
	s := w.sites[name]
	count := func(kind string) {
		w.faults.add(kind)
		w.trace("%s: %s", name, kind)
	}
	switch n := random.IntN(100); {
	case n < 49:
		for range 1 + random.IntN(4) {
			w.call(name, time.Duration(1+random.IntN(60))*time.Second)
		}
	case n < 51:
		w.call(spoilt, time.Minute)
	case n < 53:
		count(partBroken)
		w.breakParts(s, random)
	case n < 54:
		count(listsChanged)
		s.server.TellToolsChanged(1) // how many reads a storm comes to is up to the scheduler
	case n < 55:
		count(entryBroken)
		w.spoil(w.entries()[random.IntN(3)])
	case n < 68:
		w.login(name, 7*time.Minute)
	case n < 71:
		w.person(name, "logs out", func(ctx context.Context, u *upstream.Upstream) error { return u.Logout(ctx) })
	case n < 73:
		w.person(name, "disconnects", func(_ context.Context, u *upstream.Upstream) error { _, err := u.Disconnect(fsm.Person); return err })
	case n < 77:
		w.person(name, "connects", func(_ context.Context, u *upstream.Upstream) error { _, err := u.Connect(fsm.Person); return err })
	case n < 78:
		w.person(name, "cancels the login", func(_ context.Context, u *upstream.Upstream) error { _, err := u.CancelLogin(); return err })
	case w.weather == weather{}:
		// A fair sky: everything behaves.
	case n < 80:
		count(tokensRevoked)
		s.server.RevokeAccess()
	case n < 81:
		count(grantsRevoked)
		s.server.RevokeGrants()
	case n < 82 && w.configs[0].OAuth.ClientID == "" && w.configs[1].OAuth.ClientID == "":
		count(clientsLost)
		s.server.ForgetClients()
	case n < 84:
		count(sessionsLost)
		s.server.ForgetSessions()
	case n < 86:
		count(outage)
		s.leave(time.Now().Add(time.Duration(random.Int64N(int64(20 * time.Minute)))))
	case n < 88:
		count(clockAhead)
		s.leap(time.Duration(random.Int64N(int64(3 * time.Hour))))
	case n < 90:
		count(clockBack)
		s.leap(-time.Duration(random.Int64N(int64(3 * time.Hour))))
	case n < 92:
		count(slept)
		w.network.freeze()
		long := time.Duration(random.Int64N(int64(8 * time.Hour)))
		for _, s := range w.sites {
			s.leap(long)
		}
	case n < 94:
		count(configReloaded)
		w.reload(name)
	case n < 96:
		count(orderlyRestart)
		w.restart()
	case w.weather.crash > 0:
		_ = w.now.Load().crash(crashElsewhere, w.disk.image(w.now.Load()))
	}
}

// reload changes what the configuration says of an upstream.
func (w *world) reload(name string) {
	i := slices.IndexFunc(w.configs, func(c upstream.Config) bool { return c.Name == name })
	w.configs = slices.Clone(w.configs)
	w.configs[i].Settings.AutomaticLogin = !w.configs[i].Settings.AutomaticLogin
	w.apply()
}

// apply has the proxy read the configuration again.
func (w *world) apply() {
	p, configs := w.now.Load(), w.configs
	w.users.Go(func() {
		p.inTurn(func() {
			if err := p.manager.Apply(context.Background(), configs, true); err != nil {
				w.trace("the configuration was not taken up")
			}
		})
	})
}

// restart ends the proxy as a user does, and starts it again.
func (w *world) restart() {
	p := w.now.Load()
	stopped := make(chan struct{})
	w.users.Go(func() {
		defer close(stopped)
		p.hangUp()
		p.inTurn(p.manager.Close)
	})
	select {
	case <-stopped:
	case dead := <-w.died:
		w.reborn(dead)
		return
	}
	if !p.retire() {
		w.reborn(<-w.died)
		return
	}
	p.bury()
	w.network.cut(p.host)
	w.begin(p.path)
}

// close ends everything, once.
func (w *world) close() {
	if w.closed {
		return
	}
	w.closed = true
	if p := w.now.Load(); p != nil {
		p.retire()
		p.bury()
		w.network.cut(p.host)
	}
	w.users.Wait()
	w.browser.CloseIdleConnections()
	for _, s := range w.sites {
		if err := s.server.Close(); err != nil {
			w.Error(err)
		}
	}
	sleep(context.Background(), time.Minute) // what net/http has under way ends with its timers
}
