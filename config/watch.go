package config

import (
	"context"
	"os"
	"time"
)

// How often the file is looked at, how long a new text has to stay the same before it is
// told of, as editors write in several steps, and how long the file has to be away.
const (
	lookEvery = 500 * time.Millisecond
	settles   = 200 * time.Millisecond
	away      = 3 * time.Second
)

// Watch tells of each change of the file since it was loaded, until ctx ends. It looks
// at the file in place of waiting to be told, so that it sees what links, replaced
// directories, mounts and network file systems hide from a notification, and uses up
// nothing that a system has few of. A file that is being written is told of once its
// text stays the same, one that is gone when it does not come back soon.
func (f *File) Watch(ctx context.Context, changed func(context.Context)) {
	last := f.seen
	for pause(ctx, lookEvery) {
		now := last.again(f.path)
		if now.same(last) {
			continue
		}
		for since := time.Now(); pause(ctx, settles); {
			next := now.again(f.path)
			if !next.same(now) {
				now, since = next, time.Now()
			} else if now.there || time.Since(since) >= away {
				break
			}
		}
		if ctx.Err() == nil && !now.same(last) {
			changed(ctx)
		}
		last = now
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// look is what was seen of a file.
type look struct {
	there bool
	text  string
	// info is of the moment at, before the text was read.
	info os.FileInfo
	at   time.Time
}

func (l look) same(other look) bool { return l.there == other.there && l.text == other.text }

// again looks at the file once more. One whose text cannot be read without waiting, a
// pipe for instance, is as it was; one that may not be read is one that is not there.
func (l look) again(path string) look {
	now := look{at: time.Now()}
	var err error
	if now.info, err = os.Stat(path); err != nil {
		return now
	}
	if !now.info.Mode().IsRegular() || l.unchanged(now.info) {
		return l
	}
	text, err := os.ReadFile(path)
	now.there, now.text = err == nil, string(text)
	return now
}

// coarse is how far apart two changes may be that a file system gives the same time.
const coarse = 2 * time.Second

// unchanged reports whether a file that looks like that still has the text.
func (l look) unchanged(now os.FileInfo) bool {
	return l.there && l.info != nil && os.SameFile(l.info, now) && l.info.Size() == now.Size() && l.info.ModTime().Equal(now.ModTime()) &&
		l.at.Sub(now.ModTime()) > coarse
}
