package wire

import "sync"

// workers are the goroutines of a connection, which waits for them at its end. What
// comes after that, when nobody is left to be told anything, is not begun.
type workers struct {
	mu    sync.Mutex
	over  bool
	group sync.WaitGroup
}

func (w *workers) Go(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.group.Go(f)
	}
}

func (w *workers) Wait() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.group.Wait()
}
