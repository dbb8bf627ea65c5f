package upstream

// TurnsOpen is how many turns are taken or waited for.
func (m *Manager) TurnsOpen() int {
	open := 0
	for _, q := range []interface{ Count() (int, int) }{m.environment.queues.connecting, m.environment.queues.refreshing} {
		taken, waiting := q.Count()
		open += taken + waiting
	}
	return open
}

// Unspent reports whether a request that failed is known not to have been carried out.
var Unspent = unspent
