package feed_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"mcpproxy/feed"
	"mcpproxy/fsm"

	"github.com/google/go-cmp/cmp"
)

func publish(f *feed.Feed, events ...string) {
	for _, event := range events {
		f.Publish(fsm.Entry{Event: event})
	}
}

// next returns the events that a reader is given, with "gap" before them where
// some are missing.
func next(t *testing.T, r *feed.Reader) []string {
	t.Helper()
	items, gap, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	if gap {
		events = append(events, "gap")
	}
	for _, item := range items {
		events = append(events, item.Entry.Event)
	}
	return events
}

func TestAReaderGoesOnWhereItWas(t *testing.T) {
	f := feed.New(3)
	publish(f, "before")
	r := f.Follow("")
	begin := r.Place()
	publish(f, "a", "b")
	for _, test := range []struct {
		name   string
		reader *feed.Reader
		want   []string
	}{
		{"what came since", r, []string{"a", "b"}},
		{"from the place where a reader began", f.Follow(begin), []string{"a", "b"}},
		{"from the place where a reader is", f.Follow(f.Follow(begin).Place()), []string{"a", "b"}},
		{"from another process", f.Follow(feed.New(3).Follow("").Place()), []string{"gap", "before", "a", "b"}},
		{"from what is no id", f.Follow("x"), []string{"gap", "before", "a", "b"}},
	} {
		if diff := cmp.Diff(test.want, next(t, test.reader)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
	publish(f, "c", "d", "e", "f")
	if diff := cmp.Diff([]string{"gap", "d", "e", "f"}, next(t, r)); diff != "" {
		t.Errorf("a reader that was away for too long: %s", diff)
	}
	publish(f, "g")
	if diff := cmp.Diff([]string{"g"}, next(t, r)); diff != "" {
		t.Errorf("a gap is told once: %s", diff)
	}
}

func TestAReaderWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := feed.New(0)
		r := f.Follow("")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, _, err := r.Next(ctx)
			done <- err
		}()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("Next came back with nothing: %v", err)
		default:
		}
		publish(f, "a")
		if err := <-done; err != nil {
			t.Error(err)
		}
		cancel()
		if _, _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Next ended with %v", err)
		}
	})
}

// Ids are given once, in order, and a publisher waits for nobody.
func TestManyPublishersAndAReaderThatDoesNotRead(t *testing.T) {
	f := feed.New(8)
	r, idle := f.Follow(""), f.Follow("")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { publish(f, "a", "b", "c") })
	}
	all.Wait()
	items, gap, err := r.Next(t.Context())
	if err != nil || !gap || len(items) != 8 {
		t.Fatalf("%d items, gap %v, %v", len(items), gap, err)
	}
	run := items[0].ID[:len(items[0].ID)-1]
	for i, item := range items {
		if want := fmt.Sprint(run, 5+i); item.ID != want {
			t.Errorf("the id is %s, want %s", item.ID, want)
		}
	}
	if got := next(t, idle); len(got) != 9 {
		t.Errorf("the other reader was given %v", got)
	}
}
