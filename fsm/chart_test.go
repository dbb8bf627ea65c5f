package fsm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mcpproxy/fsm"

	"pgregory.net/rapid"
)

type (
	chart     = fsm.Chart[state, event, data, payload]
	node      = fsm.Node[state, event, data, payload]
	row       = fsm.Row[state, event, data, payload]
	meaning   struct{ disposition, to, doc string }
	drawn     struct{ t *rapid.T }
	chartPair struct {
		state state
		event event
	}
)

var chartEvents = []event{"a", "b", "c", "d"}

// naive reads a chart as a user would: what an event means in a state is what the
// state says of it or, where it says nothing, what the nearest one round it says.
func naive(path []*node, e event) (meaning, bool) {
	for i := len(path) - 1; i >= 0; i-- {
		for _, r := range path[i].Rows {
			if slices.Contains(r.On, e) {
				to := r.To
				if to == "" && r.Disposition == "" {
					to = path[len(path)-1].Name
				}
				return meaning{string(r.Disposition), string(to), r.Doc}, r.Disposition != fsm.Illegal
			}
		}
	}
	return meaning{}, false
}

// leaves calls visit for each state with the path of blocks that leads to it.
func leaves(nodes []node, path []*node, visit func([]*node)) {
	for i := range nodes {
		here := append(slices.Clone(path), &nodes[i])
		if len(nodes[i].States) == 0 {
			visit(here)
			continue
		}
		leaves(nodes[i].States, here, visit)
	}
}

// faulty says, without the code under test, whether a chart has a conflict.
func faulty(nodes []node, round []*node) bool {
	has := func(n *node, e event) int {
		count := 0
		for _, r := range n.Rows {
			for _, on := range r.On {
				if on == e {
					count++
				}
			}
		}
		return count
	}
	for i := range nodes {
		n := &nodes[i]
		for _, e := range chartEvents {
			if has(n, e) > 1 {
				return true
			}
		}
		for _, r := range n.Rows {
			for _, e := range r.On {
				outer := slices.ContainsFunc(round, func(o *node) bool { return has(o, e) > 0 })
				if outer != r.Instead {
					return true
				}
				governs := 0
				toInner := false
				leaves([]node{*n}, nil, func(path []*node) {
					if got, _ := naive(path, e); got.doc == r.Doc {
						governs++
						toInner = toInner || path[len(path)-1].Name == r.To
					}
				})
				if governs == 0 || toInner || r.Disposition == fsm.Illegal && !r.Instead {
					return true
				}
			}
		}
		if faulty(n.States, append(slices.Clone(round), n)) {
			return true
		}
	}
	return false
}

func (d *drawn) nodes(prefix string, depth int, names []state) []node {
	var all []node
	for i := range rapid.IntRange(1, 3).Draw(d.t, prefix+" blocks") {
		n := node{Name: state(fmt.Sprintf("%s%d", prefix, i)), Doc: "a block"}
		if depth < 3 && rapid.Bool().Draw(d.t, string(n.Name)+" is composite") {
			n.States = d.nodes(string(n.Name)+".", depth+1, names)
		} else {
			n.Kind = fsm.Parked
		}
		for k := range rapid.IntRange(0, 2).Draw(d.t, string(n.Name)+" rows") {
			where := fmt.Sprintf("%s row %d", n.Name, k)
			r := row{On: []event{rapid.SampledFrom(chartEvents).Draw(d.t, where+" on")}, Doc: where,
				Instead: rapid.IntRange(0, 3).Draw(d.t, where+" instead") == 0}
			switch rapid.IntRange(0, 3).Draw(d.t, where+" is") {
			case 0:
				r.Disposition = rapid.SampledFrom([]fsm.Disposition{fsm.Joined, fsm.Postponed, fsm.Ignored, fsm.Illegal}).Draw(d.t,
					where+" disposition")
			case 1:
				r.To = rapid.SampledFrom(names).Draw(d.t, where+" to")
				if r.To == n.Name {
					r.To = ""
				}
			}
			n.Rows = append(n.Rows, r)
		}
		all = append(all, n)
	}
	return all
}

// The lowered table of any nested chart says what a naive reader of the chart says, and
// every conflict is refused.
func TestLoweringAgreesWithANaiveReader(t *testing.T) {
	refused, lowered := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		nodes := (&drawn{t}).nodes("s", 0, []state{"s0", "s1", "s2", "s0.0", "s1.1", "s0.0.0"})
		c := chart{Name: "drawn", Doc: "a region", Initial: "s0", States: nodes}
		region, err := c.Lower()
		if bad := faulty(nodes, nil); bad != (err != nil) {
			t.Fatalf("the chart has a conflict: %t; lowering says %v", bad, err)
		}
		if err != nil {
			refused++
			var problems *fsm.DefinitionError
			if !errors.As(err, &problems) || len(problems.Problems) == 0 {
				t.Fatalf("an error without problems: %v", err)
			}
			return
		}
		lowered++
		table := map[chartPair]meaning{}
		add := func(s state, e event, m meaning) {
			if _, twice := table[chartPair{s, e}]; twice {
				t.Fatalf("(%s, %s) is lowered twice", s, e)
			}
			table[chartPair{s, e}] = m
		}
		for _, row := range region.Transitions {
			for _, from := range row.From {
				add(from, row.Event, meaning{"", string(row.To), row.Doc})
			}
		}
		for disposition, rules := range map[fsm.Disposition][]fsm.Rule[state, event]{fsm.Joined: region.Joins, fsm.Postponed: region.Postpones,
			fsm.Ignored: region.Ignores} {
			for _, rule := range rules {
				for _, from := range rule.From {
					add(from, rule.Event, meaning{string(disposition), "", rule.Reason})
				}
			}
		}
		leaves(nodes, nil, func(path []*node) {
			for _, e := range chartEvents {
				at := chartPair{path[len(path)-1].Name, e}
				want, ok := naive(path, e)
				if got, there := table[at]; there != ok || there && got != want {
					t.Fatalf("(%s, %s) is %v, %t; a reader says %v, %t", at.state, e, got, there, want, ok)
				}
				delete(table, at)
			}
		})
		if len(table) > 0 {
			t.Fatalf("rows from nowhere: %v", table)
		}
	})
	if refused == 0 || lowered == 0 {
		t.Errorf("%d refused and %d lowered: the test shows nothing", refused, lowered)
	}
}

// What a composite state has is had by each state in it: rows, timers, signals and tags;
// who may fire an event is asked first.
func ExampleChart_Lower() {
	user := fsm.Guard[event, data, payload]{Name: "byUser", Doc: "a user asked", Check: func(data, *input) error { return nil }}
	region, err := chart{
		Name: "door", Doc: "A door.", Initial: "Shut", User: user,
		Events: []fsm.Event[event]{{Name: "Pull", By: fsm.Person}, {Name: "Knock"}, {Name: "Break"}},
		States: []node{
			{Name: "Whole", Doc: "The door can be used.", Tags: []fsm.Tag{"whole"},
				Rows: []row{{On: []event{"Break"}, To: "Broken"}, {On: []event{"Knock"}, Disposition: fsm.Ignored, Doc: "nobody is there"}},
				States: []node{
					{Name: "Shut", Kind: fsm.Parked, Doc: "Nobody gets in.", Rows: []row{{On: []event{"Pull"}, To: "Open"}}},
					{Name: "Open", Kind: fsm.Parked, Doc: "All get in.", Rows: []row{{On: []event{"Knock"}, To: "Shut", Instead: true}}},
				}},
			{Name: "Broken", Kind: fsm.Final, Doc: "For good."},
		},
	}.Lower()
	if err != nil {
		fmt.Println(err)
	}
	for _, row := range region.Transitions {
		fmt.Println(row.From, row.Event, "->", row.To, len(row.Guards))
	}
	fmt.Println(region.Ignores[0].From, region.Ignores[0].Event, region.States[1].Tags, region.States[1].Within)
	// Output:
	// [Shut Open] Break -> Broken 0
	// [Shut] Pull -> Open 1
	// [Open] Knock -> Shut 0
	// [Shut] Knock [whole] Whole
}

func TestConflictsInAChart(t *testing.T) {
	on := func(e ...event) row { return row{On: e, To: "Out"} }
	inner := func(rows ...row) chart {
		return chart{Name: "r", Initial: "In", States: []node{
			{Name: "Round", Doc: "x", Timers: []fsm.Timer[event, data]{{Event: "tick"}}, Rows: []row{on("a")}, States: []node{{Name: "In", Rows: rows}, {Name: "Beside"}}},
			{Name: "Out"},
		}}
	}
	timed := inner()
	timed.States[0].States[0].Timers = []fsm.Timer[event, data]{{Event: "tick"}}
	working := inner()
	working.States[0].Kind = fsm.Working
	called := inner()
	called.States[1].Name = "Round"
	inside := inner()
	inside.States[0].Rows[0].To = "Beside"
	whole := inner(row{On: []event{"a"}, To: "Out", Instead: true})
	whole.States[0].States = whole.States[0].States[:1]
	for want, c := range map[string]chart{
		"(In, a) has a meaning already: that of Round":                inner(on("a")),
		"(In, b) stands instead of a row that nothing round it has":   inner(row{On: []event{"b"}, To: "Out", Instead: true}),
		"(In, b) has two meanings":                                    inner(on("b"), on("b")),
		"(Round, a): every state in it has a row of its own instead":  whole,
		"state In and what is round it have tick twice":               timed,
		"composite state Round has a kind, a job or what comes next":  working,
		"Round is declared twice":                                     called,
		"leads from a composite state to Beside in it":                inside,
		"(In, [b]) leads to itself":                                   inner(row{On: []event{"b"}, To: "In"}),
		"(In, [b]) is ignored and changes nothing, but has more than": inner(row{On: []event{"b"}, Disposition: fsm.Ignored, To: "Out"}),
		"(In, [b]) cannot be declared moved":                          inner(row{On: []event{"b"}, Disposition: fsm.Moved}),
		"(In, [b]) is illegal without a row":                          inner(row{On: []event{"b"}, Disposition: fsm.Illegal}),
		"a row of In has no event":                                    inner(row{To: "Out"}),
	} {
		if _, err := c.Lower(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
}
