package fsm

// states checks each state against what its kind demands.
func (c *compiler[S, E, D, P]) states(r *region[S, E, D, P]) {
	for i := range r.spec.States {
		state := &r.spec.States[i]
		where := r.spec.Name + ": state " + string(state.Name)
		if state.Doc == "" {
			c.problem("%s has no doc line", where)
		}
		c.signals(r, string(state.Name), state.Signals)
		c.timers(r, state, where)
		c.job(r, state, where)
		c.proposals(r, state, where)
		c.offers(state, where)
		switch state.Kind {
		case Parked, Final:
			if len(state.Timers) > 0 || state.Job.Name != "" {
				c.problem("%s is %s and must cost nothing: no job, no timers", where, state.Kind)
			}
		case Waiting:
			if len(state.Timers) == 0 {
				c.problem("%s is waiting and has no timer", where)
			}
		case Working:
			if state.Job.Name == "" {
				c.problem("%s is working and has no job", where)
			}
			if !c.hasDeadline(r, state) {
				c.problem("%s is working and has no deadline (a timer whose event leaves it)", where)
			}
		case Serving:
		default:
			c.problem("%s has the unknown kind %q", where, state.Kind)
		}
	}
}

func (c *compiler[S, E, D, P]) timers(r *region[S, E, D, P], state *State[S, E, D, P], where string) {
	for _, timer := range state.Timers {
		if timer.At == nil || timer.Doc == "" {
			c.problem("%s: its timer %s lacks a time or a doc line", where, timer.Event)
		}
		if row := r.rules[pair[S, E]{state.Name, timer.Event}]; row.transition == nil {
			c.problem("%s: its timer %s is no transition there", where, timer.Event)
		}
		if event := r.events[timer.Event]; event != nil && !event.Bound {
			c.problem("%s: its timer's event %s is not bound to an epoch", where, timer.Event)
		}
	}
}

func (c *compiler[S, E, D, P]) job(r *region[S, E, D, P], state *State[S, E, D, P], where string) {
	if state.Job.Name == "" {
		return
	}
	if row := r.rules[pair[S, E]{state.Name, state.Job.Crashed}]; row.transition == nil {
		c.problem("%s: the event for a crash of its job, %q, is no transition there", where, state.Job.Crashed)
	}
}

func (c *compiler[S, E, D, P]) proposals(r *region[S, E, D, P], state *State[S, E, D, P], where string) {
	for _, proposal := range state.Proposals {
		if proposal.Doc == "" {
			c.problem("%s: its proposal %s does not say when", where, proposal.Event)
		}
		if row := r.rules[pair[S, E]{state.Name, proposal.Event}]; row.transition == nil {
			c.problem("%s: it proposes %s, which is no transition there", where, proposal.Event)
		}
	}
}

func (c *compiler[S, E, D, P]) offers(state *State[S, E, D, P], where string) {
	for _, offer := range state.Offers {
		if offer.Doc == "" {
			c.problem("%s: its offer %s does not say what it does", where, offer.Event)
		}
		if _, known := c.definition.home[offer.Event]; !known {
			c.problem("%s: it offers %s, which is not declared", where, offer.Event)
		}
	}
}

func (c *compiler[S, E, D, P]) hasDeadline(r *region[S, E, D, P], state *State[S, E, D, P]) bool {
	for _, timer := range state.Timers {
		if row := r.rules[pair[S, E]{state.Name, timer.Event}]; row.transition != nil && row.transition.To != state.Name {
			return true
		}
	}
	return false
}

// ways checks that every state can be reached and, unless final, left.
func (c *compiler[S, E, D, P]) ways(r *region[S, E, D, P]) {
	reached := map[S]bool{r.spec.Initial: true}
	for grown := true; grown; {
		grown = false
		for _, t := range r.spec.Transitions {
			for _, from := range t.From {
				if reached[from] && !reached[t.To] {
					reached[t.To], grown = true, true
				}
			}
		}
	}
	for i := range r.spec.States {
		state := &r.spec.States[i]
		leaves := false
		for _, t := range r.spec.Transitions {
			for _, from := range t.From {
				leaves = leaves || from == state.Name && t.To != state.Name
			}
		}
		switch {
		case !reached[state.Name]:
			c.problem("%s: state %s cannot be reached from %s", r.spec.Name, state.Name, r.spec.Initial)
		case state.Kind == Final && leaves:
			c.problem("%s: state %s is final and has a way out", r.spec.Name, state.Name)
		case state.Kind != Final && !leaves:
			c.problem("%s: state %s is a dead end: it is not final and nothing leaves it", r.spec.Name, state.Name)
		}
	}
}

// agreement proves, pair by pair, that the total table and looplab's transition
// map say the same, so that there is one authority on what is legal.
func (c *compiler[S, E, D, P]) agreement() {
	for _, r := range c.definition.regions {
		carrier := r.newCarrier()
		for at, row := range r.rules {
			carrier.fsm.SetState(string(at.state))
			if carrier.fsm.Can(string(at.event)) != (row.transition != nil) {
				c.problem("%s: (%s, %s): the table of refusals and the transition map disagree", r.spec.Name, at.state, at.event)
			}
		}
	}
}
