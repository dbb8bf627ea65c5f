package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/proxy"
	"mcpproxy/store"
	"mcpproxy/upstream"
	"mcpproxy/upstream/callback"
	"mcpproxy/upstream/oauth"
)

// process is one life of the proxy.
type process struct {
	world *world
	host  string
	path  string

	store    *store.Store
	manager  *upstream.Manager
	callback *callback.Server
	proxy    *proxy.Server
	face     http.Handler
	ways     []interface{ CloseIdleConnections() }
	end      context.CancelFunc

	// turn is for who changes or ends the upstreams: waiting for a lock stops the
	// bubble's time, waiting here does not.
	turn chan struct{}

	mu    sync.Mutex
	torn  []byte // the file before a commit that does not end
	shut  bool   // no client is served any more
	once  sync.Once
	gone  chan struct{} // closed with shut
	calls sync.WaitGroup
	dead  chan struct{}
	image []byte // what the crash left
}

func (w *world) newProcess(path string) *process {
	w.lives++
	return &process{world: w, host: fmt.Sprintf("proxy-%d", w.lives), path: path, dead: make(chan struct{}), gone: make(chan struct{}),
		turn: make(chan struct{}, 1)}
}

// start is the start of the program. It fails where the disk does.
func (p *process) start() error {
	w := p.world
	var err error
	p.store, err = store.Open(context.Background(), p.path,
		store.Options{Keys: store.FileKeys(filepath.Join(w.dir, "key")), Staged: w.disk.staged(p)})
	if err != nil {
		return err
	}
	for _, c := range w.configs {
		w.disk.note(p.store, c.Name)
		w.auditStored(p.store, c.Name)
	}
	ctx, end := context.WithCancel(context.Background())
	p.end = end
	logger := slog.New(slog.DiscardHandler)
	if w.logs {
		logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	p.callback = callback.NewServer(logger)
	p.callback.Listen = func(_ context.Context, address string) (net.Listener, error) {
		if p.isDead() {
			return nil, errDead
		}
		return w.network.listen(p.host, address)
	}
	client := oauth.NewHTTPClient(oauth.HTTPOptions{Reach: oauth.Loopback, Dial: p.dial})
	network := upstream.NewNetwork()
	network.DialContext = p.dial
	direct := *client
	p.ways = []interface{ CloseIdleConnections() }{&direct, network}
	client.Transport = &checked{p, direct.Transport}
	p.manager = upstream.NewManager(ctx, &upstream.Environment{Store: p.store, Callback: p.callback,
		Authorization: func(oauth.Reach) *http.Client { return client }, Network: &checked{p, network},
		Logger: logger, Version: "simulation", Open: func(_ context.Context, page string) error { return w.browse(p, page) },
		Observe: func(e fsm.Entry) { w.observe(p, e) }})
	p.proxy = proxy.New(proxy.Options{Upstreams: p.manager, Logger: logger, Version: "simulation"})
	p.face = p.proxy.Handler()
	return p.manager.Apply(ctx, w.configs, true)
}

func (p *process) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	if p.isDead() {
		return nil, errDead
	}
	return p.world.network.dialer(p.host)(ctx, kind, address)
}

// tear notes that the commit that begins does not end.
func (p *process) tear(before []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.torn = before
}

func (p *process) tornAt() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.torn
}

func (p *process) isDead() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// crash is the death of the process with the disk as it is in the image.
func (p *process) crash(kind string, image []byte) error {
	p.once.Do(func() {
		p.world.faults.add(kind)
		p.world.trace("%s: %s", p.host, kind)
		p.world.excuse(kind)
		p.image = image
		close(p.dead)
		p.world.mu.Lock()
		p.world.buried[p.host] = true
		p.world.mu.Unlock()
		p.world.network.cut(p.host)
		if p.end != nil {
			p.end()
		}
		p.world.died <- p
	})
	return errDead
}

// retire is for a process that ends in good order: what is still said to it kills it no
// more. It reports whether it was alive.
func (p *process) retire() (alive bool) {
	p.once.Do(func() { alive = true })
	return alive
}

// enter lets a client in, unless the HTTP server has ended.
func (p *process) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.shut {
		p.calls.Add(1)
	}
	return !p.shut
}

// hangUp is the end of the HTTP server around the proxy.
func (p *process) hangUp() {
	p.mu.Lock()
	if !p.shut {
		p.shut = true
		close(p.gone)
	}
	p.mu.Unlock()
	p.calls.Wait()
	p.proxy.Close()
}

// bury ends what is left of a process.
func (p *process) bury() {
	if p.manager != nil {
		p.hangUp()
		p.inTurn(p.manager.Close)
		p.callback.Close()
		p.end()
	}
	for _, way := range p.ways {
		way.CloseIdleConnections()
	}
	if p.store != nil {
		if err := errors.Join(p.store.Check(), p.store.Close()); err != nil {
			p.world.violated("store", "%v", err)
		}
	}
}

func (p *process) inTurn(do func()) {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	do()
}

// checked looks at every request on its way out, and lets no two leave at once:
// which of them finds an open connection is not to depend on goroutines.
type checked struct {
	process *process
	next    http.RoundTripper
}

func (c *checked) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.GetBody != nil {
		reader, err := r.GetBody()
		if err == nil {
			body, err = io.ReadAll(reader)
		}
		if err != nil {
			return nil, err
		}
	}
	w := c.process.world
	random := draw(w.seed, time.Now(), "leaves "+r.URL.Host+identify(r, body).identity)
	if !sleep(r.Context(), time.Duration(random.IntN(1_000_000))) {
		return nil, r.Context().Err()
	}
	if c.process.isDead() {
		return nil, errDead
	}
	w.auditRequest(r)
	response, err := c.next.RoundTrip(r)
	// The pause before another attempt has jitter from the global source: what was
	// drawn from it before, by a process that is dying perhaps, is not to matter.
	mathrand.Seed(random.Int64()) //nolint:staticcheck // nothing else reaches the global source
	return response, err
}
