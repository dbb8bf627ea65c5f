package fsm

// Graph is a definition without its functions: what diagrams, tables, checkers
// and inspectors read. It is deterministic: everything stands in the order of
// its declaration.
type Graph struct {
	Name    string        `json:"name"`
	Regions []GraphRegion `json:"regions"`
}

// GraphRegion is one region of a [Graph].
type GraphRegion struct {
	Name    string       `json:"name"`
	Doc     string       `json:"doc"`
	Initial string       `json:"initial"`
	States  []GraphState `json:"states"`
	// Composites stand before the states and composites in them.
	Composites []GraphComposite `json:"composites,omitempty"`
	Events     []GraphEvent     `json:"events"`
	Edges      []GraphEdge      `json:"edges"`
	// Rules are the joined, postponed and ignored pairs; every pair that neither
	// Edges nor Rules name is illegal, for the reason of its event.
	Rules []GraphRule `json:"rules"`
}

// GraphState is one state.
type GraphState struct {
	Name    string       `json:"name"`
	Kind    Kind         `json:"kind"`
	Doc     string       `json:"doc"`
	Next    string       `json:"next,omitempty"`
	Job     string       `json:"job,omitempty"`
	Crashed string       `json:"crashed,omitempty"`
	Timers  []GraphTimer `json:"timers,omitempty"`
	Signals []string     `json:"signals,omitempty"`
	Tags    []Tag        `json:"tags,omitempty"`
	// Within is the composite state round it, if there is one.
	Within    string          `json:"within,omitempty"`
	Proposals []GraphProposal `json:"proposals,omitempty"`
	Offers    []Offered       `json:"offers,omitempty"`
}

// GraphComposite is a composite state: states that are drawn in one box.
type GraphComposite struct {
	Name   string `json:"name"`
	Doc    string `json:"doc"`
	Within string `json:"within,omitempty"`
}

// GraphProposal is an event that the machine is offered by itself on entering a state.
type GraphProposal struct {
	Event string `json:"event"`
	Doc   string `json:"doc"`
}

// Offered is what a user can do.
type Offered struct {
	Event string `json:"event"`
	Doc   string `json:"doc"`
}

// GraphTimer is one timer of a state.
type GraphTimer struct {
	Event string `json:"event"`
	Doc   string `json:"doc"`
}

// GraphEvent is one event.
type GraphEvent struct {
	Name      string `json:"name"`
	Doc       string `json:"doc"`
	By        Actor  `json:"by,omitempty"`
	Bound     bool   `json:"bound"`
	Otherwise string `json:"otherwise"`
	// Then says what the event does where a timer fires it; Limit, that it ends a wait.
	Then  string `json:"then,omitempty"`
	Limit bool   `json:"limit,omitempty"`
}

// GraphEdge is one transition from one state.
type GraphEdge struct {
	From     string       `json:"from"`
	Event    string       `json:"event"`
	To       string       `json:"to"`
	Guards   []GraphGuard `json:"guards,omitempty"`
	Signals  []string     `json:"signals,omitempty"`
	Doc      string       `json:"doc,omitempty"`
	Main     bool         `json:"main,omitempty"`
	Internal bool         `json:"internal,omitempty"`
}

// GraphGuard is one guard of an edge.
type GraphGuard struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
}

// GraphRule is one pair that is joined, postponed or ignored.
type GraphRule struct {
	From        string      `json:"from"`
	Event       string      `json:"event"`
	Disposition Disposition `json:"disposition"`
	Reason      string      `json:"reason"`
}

// Graph returns the definition as data.
func (d *Definition[S, E, D, P]) Graph() Graph {
	g := Graph{Name: d.name}
	for _, r := range d.regions {
		g.Regions = append(g.Regions, r.graph())
	}
	return g
}

// State finds a state of a region.
func (g *Graph) State(region, state string) (GraphState, bool) {
	for i := range g.Regions {
		for j := range g.Regions[i].States {
			if s := &g.Regions[i].States[j]; g.Regions[i].Name == region && s.Name == state {
				return *s, true
			}
		}
	}
	return GraphState{}, false
}

// Event finds an event, which belongs to one region.
func (g *Graph) Event(name string) (GraphEvent, bool) {
	for i := range g.Regions {
		for _, event := range g.Regions[i].Events {
			if event.Name == name {
				return event, true
			}
		}
	}
	return GraphEvent{}, false
}

func (r *region[S, E, D, P]) graph() GraphRegion {
	g := GraphRegion{Name: r.spec.Name, Doc: r.spec.Doc, Initial: string(r.spec.Initial)}
	for i := range r.spec.States {
		state := &r.spec.States[i]
		node := GraphState{
			Name:    string(state.Name),
			Kind:    state.Kind,
			Doc:     state.Doc,
			Next:    state.Next,
			Job:     state.Job.Name,
			Crashed: string(state.Job.Crashed),
			Signals: texts(state.Signals),
			Tags:    state.Tags,
			Within:  string(state.Within),
		}
		for _, proposal := range state.Proposals {
			node.Proposals = append(node.Proposals, GraphProposal{Event: string(proposal.Event), Doc: proposal.Doc})
		}
		for _, offer := range state.Offers {
			node.Offers = append(node.Offers, Offered{Event: string(offer.Event), Doc: offer.Doc})
		}
		for _, timer := range state.Timers {
			node.Timers = append(node.Timers, GraphTimer{Event: string(timer.Event), Doc: timer.Doc})
		}
		g.States = append(g.States, node)
	}
	for _, c := range r.spec.Composites {
		g.Composites = append(g.Composites, GraphComposite{Name: string(c.Name), Doc: c.Doc, Within: string(c.Within)})
	}
	for _, event := range r.spec.Events {
		g.Events = append(g.Events, GraphEvent{
			Name:      string(event.Name),
			Doc:       event.Doc,
			By:        event.By,
			Bound:     event.Bound,
			Otherwise: event.Otherwise,
			Then:      event.Then,
			Limit:     event.Limit,
		})
	}
	for i := range r.spec.Transitions {
		g.Edges = append(g.Edges, edges(&r.spec.Transitions[i])...)
	}
	for _, rows := range []struct {
		disposition Disposition
		rules       []Rule[S, E]
	}{{Joined, r.spec.Joins}, {Postponed, r.spec.Postpones}, {Ignored, r.spec.Ignores}} {
		for _, row := range rows.rules {
			for _, from := range row.From {
				g.Rules = append(g.Rules, GraphRule{From: string(from), Event: string(row.Event), Disposition: rows.disposition, Reason: row.Reason})
			}
		}
	}
	return g
}

func edges[S, E ~string, D, P any](t *Transition[S, E, D, P]) []GraphEdge {
	var all []GraphEdge
	for _, from := range t.From {
		edge := GraphEdge{From: string(from), Event: string(t.Event), To: string(t.To), Signals: texts(t.Signals),
			Doc: t.Doc, Main: t.Main, Internal: from == t.To}
		for _, guard := range t.Guards {
			edge.Guards = append(edge.Guards, GraphGuard{Name: guard.Name, Doc: guard.Doc})
		}
		all = append(all, edge)
	}
	return all
}

func texts[T ~string](values []T) []string {
	var all []string
	for _, value := range values {
		all = append(all, string(value))
	}
	return all
}
