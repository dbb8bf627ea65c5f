package simulation

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mcpproxy/store"
)

// pageSize is the unit in which a disk keeps or loses what was on its way to it.
const pageSize = 4096

var errDisk = errors.New("the disk fails on purpose")

// disk is where stores are, and what is known to have got there.
type disk struct {
	world *world

	mu   sync.Mutex
	kept map[string]bool // every token that was ever on disk
}

func (d *disk) keeps(token string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kept[token]
}

// note remembers the tokens of an upstream that are on disk now.
func (d *disk) note(s *store.Store, upstream string) {
	if s == nil {
		return
	}
	stored, err := s.Load(upstream)
	if err != nil || stored.Token == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept[stored.Token.Access.Reveal()] = true
	if stored.Token.HasRefresh() {
		d.kept[stored.Token.Refresh.Reveal()] = true
	}
}

// staged is the disk under one process.
func (d *disk) staged(p *process) store.Staged {
	return func(write, owner string, stage store.Stage) error {
		w := d.world
		if p.isDead() {
			return errDead
		}
		random := draw(w.seed, time.Now(), "disk "+write+" "+owner+" "+string(stage))
		bad := w.stormy() && random.Float64() < w.weather.disk/2
		last := w.stormy() && random.Float64() < w.weather.crash
		switch stage {
		case store.Planned:
			return d.plan(p, write, owner, random.IntN(4_000_000), bad, last, random.IntN(100))
		case store.Written:
			switch {
			case last && random.IntN(2) == 0:
				return p.crash(crashWritten, d.image(p))
			case last:
				p.tear(d.image(p))
			case bad:
				return d.fails(diskFailed, write, owner)
			}
		case store.Committed:
			torn := p.tornAt()
			if torn == nil && (write == "SaveToken" || write == "RenewToken") {
				d.note(p.store, owner)
			}
			switch {
			case torn != nil:
				return p.crash(crashTorn, d.tear(torn, d.image(p), random.Uint64))
			case last:
				return p.crash(crashCommitted, d.image(p))
			case bad && write != "Append" && write != "Create":
				return d.fails(diskLied, write, owner)
			}
		}
		return nil
	}
}

func (d *disk) plan(p *process, write, owner string, pause int, bad, last bool, sort int) error {
	wait := time.Duration(pause)
	slow := bad && sort < 60
	if slow {
		d.world.faults.add(diskSlow)
		wait += time.Duration(pause) * 2000 // up to eight seconds
		if sort < 3 {
			wait += 2 * time.Minute
		}
	}
	if write != "Append" {
		d.world.trace("%s writes %s %s", p.host, write, owner)
	}
	sleep(context.Background(), wait)
	switch {
	case p.isDead():
		return errDead
	case last:
		return p.crash(crashPlanned, d.image(p))
	case bad && !slow:
		return d.fails(diskFull, write, owner)
	}
	return nil
}

func (d *disk) fails(kind, write, owner string) error {
	d.world.faults.add(kind)
	if write != "Append" {
		d.world.trace("disk: %s: %s %s", kind, write, owner)
	}
	d.world.excuse(kind)
	return errDisk
}

// image is the file as it stands.
func (d *disk) image(p *process) []byte {
	content, err := os.ReadFile(p.path)
	if err != nil {
		d.world.violated("store", "%v", err)
	}
	return content
}

// tear is the file after a crash within a commit: of the pages that were on their
// way any may have arrived, but the meta pages, which are written after an fsync of
// the others, only with all of them.
func (d *disk) tear(before, after []byte, random func() uint64) []byte {
	if random()%8 == 0 {
		return after
	}
	torn := make([]byte, max(len(before), len(after)))
	copy(torn, before)
	for at := 2 * pageSize; at < len(after); at += pageSize {
		end := min(at+pageSize, len(after))
		if !bytes.Equal(torn[at:end], after[at:end]) && random()%2 == 0 {
			copy(torn[at:end], after[at:end])
		}
	}
	return torn
}

// lay puts what a dead process has left where the next one finds it.
func (d *disk) lay(dead *process, name string) string {
	path := filepath.Join(d.world.dir, name)
	if err := os.WriteFile(path, dead.image, 0o600); err != nil {
		d.world.Fatal(err)
	}
	dead.image = nil
	return path
}
