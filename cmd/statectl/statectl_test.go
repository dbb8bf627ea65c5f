package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"mcpproxy/states"
	"mcpproxy/tests/output"
)

// Every --json output of a running and of a stopped proxy is as its schema says.
func TestJSONIsAsTheSchemasSay(t *testing.T) {
	w := newWorld(t)
	w.awaitPhase("LoginRequired")
	schema := schemas(t)
	check := func(name string, code int, args ...string) {
		t.Helper()
		got, out, errs := w.run(append(args, "--json")...)
		if got != code {
			t.Errorf("%v: exit code %d, want %d: %s", args, got, code, errs)
		}
		conforms(t, schema[name], []byte(out))
	}
	check("dump", 0, "dump")
	check("wait", exitNeedsPerson, "wait", "github", "--for", "Connected")
	check("fire", 0, "fire", "github", "login")
	w.visit()
	check("wait", 0, "wait", "github", "--for", "Connected")
	check("wait", exitNotInState, "wait", "github", "--for", "BackingOff", "--timeout", "50ms")
	check("dump", 0, "dump", "github")
	if code, out, _ := w.run("fire", "github", "retry", "--json"); code != exitIllegal || out != "" {
		t.Errorf("a refused event: %d, %s", code, out)
	}
	w.written()
	for range 2 { // of a running proxy, and then of a stopped one
		check("history", 0, "history", "github", "--limit", "5")
		check("history", 0, "history", "github", "--since", "2000-01-01")
		check("stats", 0, "stats")
		check("graph", 0, "graph", "github")
		check("graph", 0, "graph", "--region", "connection")
		w.stop()
	}
	check("dump-stopped", 0, "dump")
}

// follow runs a command in the background until stop is called.
func (w *world) follow(args ...string) (out, errs *output.Buffer, stop func() error) {
	ctx, cancel := context.WithCancel(w.Context())
	out, errs = &output.Buffer{}, &output.Buffer{}
	ended := make(chan error, 1)
	go func() { ended <- w.execute(ctx, nil, out, errs, args...) }()
	return out, errs, func() error { cancel(); return <-ended }
}

// eventually waits for what goes over real sockets and a real disk, on which no fake
// clock has an effect; it looks often and ends as soon as it is so.
func (w *world) eventually(what string, so func() bool) {
	w.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("not seen: %s", what)
		}
	}
}

// fireUntil fires an event until a follower has seen one: it may not follow yet.
func (w *world) fireUntil(out *output.Buffer, seen string) {
	w.Helper()
	w.eventually(seen, func() bool {
		w.run("fire", "github", "retry")
		return strings.Contains(out.String(), seen)
	})
}

func TestWatchGoesOnWhenTheProxyIsStartedAnew(t *testing.T) {
	w := newWorld(t)
	w.awaitPhase("LoginRequired")
	out, errs, stop := w.follow("watch", "github")
	lines, _, stopLines := w.follow("watch", "--json")
	for _, follower := range []*output.Buffer{out, lines} {
		w.fireUntil(follower, "RetryRequested")
	}
	w.stop()
	w.eventually("that the proxy went away", func() bool { return strings.Contains(errs.String(), "went away") })
	w.start()
	w.awaitPhase("LoginRequired")
	w.eventually("what happened since", func() bool {
		return strings.Contains(out.String(), "TokenMissing") && strings.Contains(lines.String(), "TokenMissing") &&
			strings.Contains(errs.String(), "is back")
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := stopLines(); err != nil {
		t.Error(err)
	}
	if text := out.String(); !strings.Contains(text, "refused (illegal): no refresh is scheduled") || strings.Contains(text, "\x1b") {
		t.Error(text)
	}
	gaps, schema := 0, schemas(t)["watch"]
	for line := range bytes.Lines([]byte(lines.String())) {
		conforms(t, schema, line)
		var gap gapLine
		if err := json.Unmarshal(line, &gap); err == nil && gap.Gap != "" {
			gaps++
		}
	}
	if gaps != 1 {
		t.Errorf("%d gaps in %s", gaps, lines)
	}
}

// Waiting outlives a restart, in whatever question the proxy's end meets it, and may
// begin before there is a proxy.
func TestWaitOutlivesARestart(t *testing.T) {
	for name, dies := range map[string]int64{"in the first question": 1, "in the question after the stream is open": 2} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.awaitPhase("LoginRequired")
			w.dies.Store(dies)
			ended := make(chan string, 1)
			go func() {
				_, out, errs := w.run("wait", "github", "--for", "AwaitingBrowser,Connected", "--patient", "--timeout", "0")
				ended <- out + errs
			}()
			<-w.served
			w.stop()
			if code, _, errs := w.run("wait", "github", "--for", "Connected"); code != exitNoProxy || !strings.Contains(errs, "--patient") {
				t.Errorf("without a proxy: %d %s", code, errs)
			}
			if code, _, errs := w.run("wait", "github", "--for", "Connected", "--patient", "--timeout", "20ms"); code != exitNoProxy ||
				!strings.Contains(errs, "mcpproxy serve") {
				t.Errorf("without a proxy, patiently: %d %s", code, errs)
			}
			w.start()
			w.awaitPhase("LoginRequired")
			if code, _, errs := w.run("fire", "github", "login"); code != 0 {
				t.Fatal(errs)
			}
			if said := <-ended; said != "github: AwaitingBrowser\n" {
				t.Error(said)
			}
		})
	}
}

func TestMoments(t *testing.T) {
	now := time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"": "0001-01-01T00:00:00Z", "10m": "2026-03-04T14:50:00Z", "-2h": "2026-03-04T13:00:00Z", "14:30": "2026-03-04T14:30:00Z", "14:30:05": "2026-03-04T14:30:05Z",
		"2026-03-01": "2026-03-01T00:00:00Z", "2026-03-01 08:00": "2026-03-01T08:00:00Z", "2026-03-01T08:00:00+01:00": "2026-03-01T07:00:00Z",
	} {
		if at, err := moment(text, now); err != nil || at.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q is %s, %v; want %s", text, at, err, want)
		}
	}
	if _, err := moment("yesterday", now); exitCode(err) != exitUsage {
		t.Error(err)
	}
}

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 ms", 12 * time.Millisecond: "12 ms", 4200 * time.Millisecond: "4.2 s", 42 * time.Second: "42 s",
		90 * time.Second: "1 min 30 s", 2*time.Hour + 5*time.Minute: "2 h 5 min", 49 * time.Hour: "2 d 1 h",
	} {
		if got := span(d); got != want {
			t.Errorf("%d ns is %q, want %q", d, got, want)
		}
	}
}

// Colour is for terminals, and a buffer is none.
func TestPaperHasNoColourWhereNobodySees(t *testing.T) {
	var b bytes.Buffer
	p := newPaper(&b)
	p.table([][]cell{head("A", "B"), {{"long text", red}, {"x", bold}}})
	if got, want := b.String(), "A          B\nlong text  x\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	b.Reset()
	p.colour = true
	p.table([][]cell{{{"é", red}, {"x", plain}}})
	if got, want := b.String(), "\x1b[31mé\x1b[0m  x\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Every state can be waited for by the name that users see.
func TestEveryPhaseHasAName(t *testing.T) {
	for _, phase := range []states.Phase{"Connected", "LoginRequired", "AwaitingBrowser", "Failed"} {
		if !slices.Contains(stateNames(), string(phase)) {
			t.Errorf("%s cannot be waited for", phase)
		}
	}
}
