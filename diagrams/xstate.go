package diagrams

import (
	"bytes"
	"encoding/json"

	"mcpproxy/fsm"
)

// XState writes a graph as the configuration of an XState machine (version 5), as Stately's
// tools open it: regions are parallel, composite states nested. Guards, jobs (invoked
// actors), updates and signals (actions) and the times of timers (delays) go by their names;
// what an event that is joined, postponed or ignored means stands in meta.
func XState(g fsm.Graph) ([]byte, error) {
	machine := object{{"id", g.Name}, {"type", "parallel"}}
	var regions object
	for _, r := range g.Regions {
		regions = append(regions, member{r.Name, xstateNode(r.Name, nest(r))})
	}
	text, err := json.MarshalIndent(append(machine, member{"states", regions}), "", "  ")
	return append(text, '\n'), err
}

func xstateNode(region string, n *node) object {
	o := object{{"id", n.id}, {"description", n.doc}}
	if n.initial != nil {
		o = append(o, member{"initial", n.initial.name})
	}
	if s := n.state; s != nil {
		if s.Kind == fsm.Final {
			o = append(o, member{"type", "final"})
		}
		if len(s.Tags) > 0 {
			o = append(o, member{"tags", s.Tags})
		}
		if len(s.Signals) > 0 {
			o = append(o, member{"entry", xstateSignals(s.Signals)})
		}
		if s.Job != "" {
			o = append(o, member{"invoke", object{{"id", n.id + "-" + s.Job}, {"src", s.Job}}})
		}
		o = append(o, member{"meta", xstateMeta(n)})
	}
	var on, after object
	for i := range n.rows {
		row := &n.rows[i]
		on = append(on, member{row.Event, xstateRow(region, row)})
	}
	for i := range n.timed {
		after = append(after, member{n.timed[i].Event, xstateRow(region, &n.timed[i])})
	}
	if on != nil {
		o = append(o, member{"on", on})
	}
	if after != nil {
		o = append(o, member{"after", after})
	}
	var inner object
	for _, n := range n.inner {
		inner = append(inner, member{n.name, xstateNode(region, n)})
	}
	if inner != nil {
		o = append(o, member{"states", inner})
	}
	return o
}

func xstateRow(region string, row *fsm.GraphEdge) object {
	o := object{}
	if !row.Internal {
		o = append(o, member{"target", "#" + nodeID(region, row.To)})
	}
	if name := guardOf(row); name != "" {
		o = append(o, member{"guard", name})
	}
	if len(row.Signals) > 0 {
		o = append(o, member{"actions", xstateSignals(row.Signals)})
	}
	if row.Doc != "" {
		o = append(o, member{"description", row.Doc})
	}
	return o
}

// xstateSignals are the events that are raised in the other region, as actions.
func xstateSignals(signals []string) (actions []object) {
	for _, event := range signals {
		actions = append(actions, object{{"type", "signal"}, {"params", object{{"event", event}}}})
	}
	return actions
}

func xstateMeta(n *node) object {
	o := object{{"kind", n.state.Kind}}
	if n.state.Next != "" {
		o = append(o, member{"next", n.state.Next})
	}
	var timers object
	for _, timer := range n.state.Timers {
		timers = append(timers, member{timer.Event, timer.Doc})
	}
	if timers != nil {
		o = append(o, member{"timers", timers})
	}
	var rules object
	for _, rule := range n.rules {
		rules = append(rules, member{rule.Event, object{{"disposition", rule.Disposition}, {"reason", rule.Reason}}})
	}
	if rules != nil {
		o = append(o, member{"rules", rules})
	}
	return o
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members as they stand.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
