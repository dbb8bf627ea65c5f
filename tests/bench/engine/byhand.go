package engine

import "sync"

// handmade is what one would write without any engine.
type handmade struct {
	mu    sync.Mutex
	state string
	count count
}

func (h *handmade) fire(event string, worth int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.state == locked && event == coin:
		if worth < price {
			return errTooLittle
		}
		h.state = unlocked
		h.count.coins++
	case h.state == unlocked && event == push:
		h.state = locked
		h.count.passages++
	default:
		return errIllegal
	}
	return nil
}

func (h *handmade) now() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

func byHand() turnstile {
	h := &handmade{state: locked}
	return turnstile{
		pass:    alternately(func(event string) error { return h.fire(event, price) }),
		illegal: repeatedly(func() error { return h.fire(push, 0) }),
		guarded: repeatedly(func() error { return h.fire(coin, 1) }),
		read: func(n int) (state string) {
			for range n {
				state = h.now()
			}
			return state
		},
		counted: func() count { return h.count },
	}
}

// alternately returns a function that fires n events, coin and push in turn, which
// must be accepted.
func alternately(fire func(event string) error) func(n int) {
	next := coin
	return func(n int) {
		for range n {
			if err := fire(next); err != nil {
				panic(err)
			}
			if next == coin {
				next = push
			} else {
				next = coin
			}
		}
	}
}

func repeatedly(fire func() error) func(n int) error {
	return func(n int) (err error) {
		for range n {
			err = fire()
		}
		return err
	}
}
