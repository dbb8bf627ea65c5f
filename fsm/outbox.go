package fsm

// outbox keeps the steps that were decided until observers have seen them, in the
// order in which they were decided. Observers are called outside the machine's
// lock, so that one who fires an event finds it delivered after what is being
// observed. Whoever puts a step into an idle outbox delivers it, and then what was
// put there meanwhile.
type outbox[S, E ~string, D, P any] struct {
	first, last *run[S, E, D, P]
	delivering  bool // someone delivers and will see what is added
}

// put adds a step. It reports whether the caller is to deliver; the step is then
// not kept.
func (o *outbox[S, E, D, P]) put(r *run[S, E, D, P]) (mine bool) {
	switch {
	case !o.delivering:
		o.delivering = true
		return true
	case o.first == nil:
		o.first = r
	default:
		o.last.next = r
	}
	o.last = r
	return false
}

// next returns the step to deliver after one was delivered, or nil.
func (o *outbox[S, E, D, P]) next() *run[S, E, D, P] {
	r := o.first
	if r == nil {
		o.delivering, o.last = false, nil
		return nil
	}
	o.first = r.next
	return r
}
