// Package bench measures what an upstream costs that does nothing. What a call
// costs, beside other proxies, is measured by package calls.
package bench

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"

	"mcpproxy/instance"
	"mcpproxy/store"
	"mcpproxy/upstream"
	"mcpproxy/upstream/browser"
)

func start(b *testing.B, configs []upstream.Config, connect bool) *instance.Instance {
	b.Helper()
	directory := b.TempDir()
	i, err := instance.Start(context.Background(), instance.Options{StorePath: filepath.Join(directory, "store.db"), Keys: store.FileKeys(filepath.Join(directory, "key")),
		Configs: configs, Connect: connect, Open: browser.None, Logger: slog.New(slog.DiscardHandler), Version: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = i.Close() })
	return i
}

// BenchmarkIdleUpstream is the heap of an upstream that nobody has connected yet.
func BenchmarkIdleUpstream(b *testing.B) {
	const upstreams = 10_000
	var configs []upstream.Config
	for n := range upstreams {
		configs = append(configs, upstream.Config{Name: fmt.Sprintf("u%d", n), Transport: upstream.HTTP, URL: "http://127.0.0.1:9/"})
	}
	for b.Loop() {
		before := heap()
		goroutines := runtime.NumGoroutine()
		i := start(b, configs, false)
		b.ReportMetric(float64(heap()-before)/upstreams, "B/upstream")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		if err := i.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
