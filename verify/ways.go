package verify

import (
	"slices"

	"mcpproxy/states"
	"mcpproxy/transitions"
)

// checkWays looks for worlds from which there is no way to Connected.
func (s *search) checkWays() {
	s.checkWay(wayToConnected, true, func(*node) bool { return true })
	if s.report.Counterexample == nil {
		s.checkWay(wayWithoutPerson, false, func(n *node) bool { return n.needs })
	}
}

func (s *search) checkWay(invariant string, withPerson bool, needed func(*node) bool) {
	back, begin := s.backwards(func(e edge) bool { return withPerson || !e.person })
	reached := make([]bool, len(s.nodes))
	var queue []int32
	for i := range s.nodes {
		// What was not expanded may lead anywhere.
		if s.nodes[i].goal || i >= s.expanded {
			reached[i] = true
			queue = append(queue, int32(i))
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, from := range back[begin[at]:begin[at+1]] {
			if !reached[from] {
				reached[from] = true
				queue = append(queue, from)
			}
		}
	}
	for i := range s.nodes {
		if !reached[i] && needed(&s.nodes[i]) {
			s.report.Counterexample = &Counterexample{Invariant: invariant, Why: "nothing that behaves leads on from here", Trace: s.trace(int32(i))}
			return
		}
	}
}

// backwards are the edges that count the other way round: those that lead to a node come
// from back[begin[node]:begin[node+1]].
func (s *search) backwards(counts func(edge) bool) (back, begin []int32) {
	begin = make([]int32, len(s.nodes)+1)
	for _, e := range s.edges {
		if counts(e) {
			begin[e.to+1]++
		}
	}
	for i := range s.nodes {
		begin[i+1] += begin[i]
	}
	back, next := make([]int32, begin[len(s.nodes)]), slices.Clone(begin)
	for from := range s.expanded {
		for _, e := range s.edgesOf(from) {
			if counts(e) {
				back[next[e.to]] = int32(from)
				next[e.to]++
			}
		}
	}
	return back, begin
}

// edgesOf are those of an expanded node.
func (s *search) edgesOf(n int) []edge {
	if n+1 < s.expanded {
		return s.edges[s.nodes[n].edges:s.nodes[n+1].edges]
	}
	return s.edges[s.nodes[n].edges:]
}

// trace takes the way to a world once more, so as to say what the machine did.
func (s *search) trace(at int32) []Step {
	var way []int16
	i := at
	for ; s.nodes[i].parent >= 0; i = s.nodes[i].parent {
		way = append(way, s.nodes[i].action)
	}
	slices.Reverse(way)
	x := s.explorers[0]
	found := x.violation
	defer func() { x.violation = found }()
	begin := x.roots()[s.nodes[i].action]
	w := begin.world
	all := []Step{w.after(begin.label)}
	for _, n := range way {
		if n == probing {
			continue // it shows at the world itself
		}
		a := x.actions(w)[n]
		w = x.take(w, a)
		all = append(all, w.after(a.label()))
	}
	return all
}

func (w *world) after(action string) Step {
	return Step{Action: action, Connection: string(w.state(states.Connection)), Credential: string(w.state(states.Credential))}
}

func (w *world) serves() bool {
	d := &w.machine.Data
	return transitions.OutlookOf(w.machine) == transitions.Serves && (d.Token == nil || d.TokenUsable(w.now()))
}
