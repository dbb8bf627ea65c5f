package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcpproxy/admin/client"
	"mcpproxy/fsm"
	"mcpproxy/spelling"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/terminal"
	"mcpproxy/transitions"

	"github.com/spf13/cobra"
)

// What waiting comes to; wait --json prints it.
const (
	reached     = "reached"
	timedOut    = "timed-out"
	needsPerson = "needs-person"
)

// waited is what wait --json prints.
type waited struct {
	Upstream string `json:"upstream"`
	// Outcome is reached, timed-out or needs-person.
	Outcome string `json:"outcome"`
	// Phase, Connection and Credential are where the upstream is in the end.
	Phase      states.Phase `json:"phase"`
	Connection states.State `json:"connection"`
	Credential states.State `json:"credential"`
	// Actions are what a user can do; empty where it was reached.
	Actions []status.Action `json:"actions"`
}

// Waiting without success.
var (
	errTimedOut    = errors.New("it did not get there in time")
	errNeedsPerson = errors.New("it does not get there without a user")
)

// settle is for how long an upstream that only a user moves on is looked at before
// that is believed: what the machine says to itself next may be on its way.
const settle = time.Second

// lastLook bounds the question where the upstream is when the time is over.
const lastLook = 5 * time.Second

type waitOptions struct {
	*options
	goals   []string
	timeout time.Duration
	patient bool
}

func waitCommand(o *options) *cobra.Command {
	w := &waitOptions{options: o}
	c := &cobra.Command{Use: "wait UPSTREAM --for STATE_OR_PHASE", Short: "Wait until an upstream is in a state; for scripts",
		Args: usage(cobra.ExactArgs(1)), ValidArgsFunction: o.completeUpstream,
		Long: `Waits until the phase of an upstream, or the state of either of its regions, is the
one asked for, or has been it for however short a time. It gives up at once where
the graph has no way there but by something that a user does: a login, a
connect. A proxy that goes away meanwhile is waited for.

Exit codes: 0 it got there, 2 there is no such state or upstream, 3 it did not get
there in time, 4 it does not get there without a user, 6 no proxy runs.`,
		Example: `  statectl wait github --for Connected --timeout 30s
  statectl wait github --for Connected,LoginRequired --json
  mcpproxy serve & statectl wait github --for Connected --patient`,
		RunE: func(c *cobra.Command, args []string) error { return w.run(c, args[0]) }}
	c.Flags().StringSliceVar(&w.goals, "for", nil, "phase or state to wait for; several, with commas, for any of them")
	c.Flags().DurationVar(&w.timeout, "timeout", 30*time.Second, "how long to wait; 0 for as long as it takes")
	c.Flags().BoolVar(&w.patient, "patient", false, "wait on also where only a user, or the start of a proxy, gets it there")
	for flag, complete := range map[string]cobra.CompletionFunc{"for": completeStates, "timeout": cobra.NoFileCompletions} {
		_ = c.RegisterFlagCompletionFunc(flag, complete) // the flag is there
	}
	return c
}

func (w *waitOptions) run(c *cobra.Command, name string) error {
	if len(w.goals) == 0 {
		return fmt.Errorf("%w: say what to wait for, as in: statectl wait %s --for Connected", errUsage, name)
	}
	for _, goal := range w.goals {
		if !slices.Contains(stateNames(), goal) {
			return fmt.Errorf("%w: %q is no state%s; there are: %s", errUsage, goal, spelling.Meant(goal, stateNames()),
				strings.Join(stateNames(), ", "))
		}
	}
	ctx := c.Context()
	if w.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.timeout)
		defer cancel()
	}
	at := &whereabouts{name: name, goals: w.goals, graph: transitions.Definition().Graph()}
	err := w.wait(ctx, at)
	if err == nil || errors.Is(err, errTimedOut) || errors.Is(err, errNeedsPerson) {
		if w.json {
			err = errors.Join(terminal.JSON(c.OutOrStdout(), at.waited(err)), err)
		} else if err == nil {
			newPaper(c.OutOrStdout()).say("%s: %s", name, at.got)
		}
	}
	return err
}

// news is what a follower tells the waiting.
type news struct {
	status *status.Upstream
	entry  *fsm.Entry
}

// wait follows the upstream until it gets there or cannot.
func (w *waitOptions) wait(ctx context.Context, at *whereabouts) error {
	following, stop := context.WithCancel(ctx)
	told, ended := make(chan news), make(chan error, 1)
	go func() { ended <- w.follow(following, at.name, told) }()
	defer func() { stop(); <-ended }()
	verdict := time.NewTimer(settle)
	verdict.Stop()
	for {
		select {
		case n := <-told:
			if at.take(n); at.got != "" {
				return nil
			}
			verdict.Stop()
			if !w.patient && !at.mayArrive() {
				verdict.Reset(settle)
			}
		case <-verdict.C:
			return fmt.Errorf("%w: %s", errNeedsPerson, at.plight(w.goals))
		case err := <-ended:
			ended <- nil
			if ctx.Err() == nil {
				return pastOnly(err, "with --patient its start is waited for")
			}
			return w.late(ctx, at)
		}
	}
}

// late is what there is to say when the time is over: the upstream is asked once more,
// as nothing may have been heard of it yet.
func (w *waitOptions) late(ended context.Context, at *whereabouts) error {
	if !errors.Is(ended.Err(), context.DeadlineExceeded) {
		return ended.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ended), lastLook)
	defer cancel()
	status, err := w.status(ctx, at.name)
	if err != nil {
		return fmt.Errorf("after %s: %w", w.timeout, err)
	}
	if at.take(news{status: status}); at.got != "" {
		return nil
	}
	return fmt.Errorf("%w (%s): %s", errTimedOut, w.timeout, at.plight(w.goals))
}

// follow tells where the upstream is, and what happens to it.
func (w *waitOptions) follow(ctx context.Context, name string, told chan<- news) error {
	tell := func(n news) error {
		select {
		case told <- n:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	now := func() error {
		status, err := w.status(ctx, name)
		if errors.Is(err, client.ErrNotRunning) {
			return nil // it went away once more; Stay waits for it
		}
		if err != nil {
			return err
		}
		return tell(news{status: status})
	}
	follower := client.Follower{Only: name, Opened: now, See: func(e client.Event) error {
		if e.Gap != nil {
			return now()
		}
		if err := tell(news{entry: e.Entry}); err != nil || settles(e.Entry) {
			return err
		}
		return now() // whether the token still works is not in the entry
	}}
	for {
		_, err := w.status(ctx, name)
		if err == nil {
			err = w.client().Stay(ctx, follower)
		}
		if !w.patient || !errors.Is(err, client.ErrNotRunning) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// whereabouts is where an upstream is, and whether that is where it is waited for.
type whereabouts struct {
	name  string
	goals []string
	graph fsm.Graph
	last  *status.Upstream
	// connection and credential are the states, and works whether requests can be carried,
	// as far as is known; epochs are those of the states' entries.
	connection, credential states.State
	works                  bool
	epochs                 map[string]uint64
	// got is the goal that was reached.
	got string
}

func (at *whereabouts) take(n news) {
	switch {
	case n.status != nil:
		at.last, at.epochs = n.status, map[string]uint64{}
		for _, r := range n.status.Regions {
			at.epochs[r.Region] = r.Epoch
			at.enter(r.Region, states.State(r.State))
		}
		at.works = n.status.Outlook == transitions.Serves
	case n.entry.Disposition == fsm.Moved && n.entry.Epoch > at.epochs[n.entry.Region]:
		at.epochs[n.entry.Region] = n.entry.Epoch
		at.enter(n.entry.Region, states.State(n.entry.To))
		at.works = transitions.Is(states.Credential, at.credential, transitions.Resting)
	default:
		return
	}
	at.got = at.goal(at.connection, at.credential, at.works)
}

// settles reports whether an entry says all that the phase depends on.
func settles(e *fsm.Entry) bool {
	return e.Disposition.Refused() || e.Region == states.Credential && e.Disposition == fsm.Moved &&
		transitions.Is(states.Credential, states.State(e.To), transitions.Resting)
}

func (at *whereabouts) enter(region string, state states.State) {
	if region == states.Connection {
		at.connection = state
	} else {
		at.credential = state
	}
}

// goal is the goal that the states meet, or "".
//
// Connected, which both are, means the phase: the connection's state alone does not say
// that requests get through.
func (at *whereabouts) goal(connection, credential states.State, works bool) string {
	phase := string(transitions.PhaseOfStates(connection, credential, works))
	for _, goal := range at.goals {
		switch {
		case goal == phase, goal == string(connection) && connection != states.Connected, goal == string(credential):
			return goal
		}
	}
	return ""
}

// mayArrive reports whether the graph has a way there without a user.
func (at *whereabouts) mayArrive() bool {
	return transitions.ReachableAlone(at.graph, at.connection, at.credential, func(connection, credential states.State) bool {
		return at.goal(connection, credential, transitions.Is(states.Credential, credential, transitions.Resting)) != ""
	})
}

// plight says where the upstream is instead, and what a user can do.
func (at *whereabouts) plight(goals []string) string {
	text := fmt.Sprintf("%s is %s, not %s", at.name, at.phase(), strings.Join(goals, " or "))
	if at.last == nil {
		return text
	}
	for _, a := range at.last.Actions {
		text += fmt.Sprintf("; %s %s", a.Command, a.Why)
		break
	}
	return text
}

func (at *whereabouts) phase() states.Phase {
	return transitions.PhaseOfStates(at.connection, at.credential, at.works)
}

func (at *whereabouts) waited(err error) waited {
	out := waited{
		Upstream:   at.name,
		Outcome:    reached,
		Phase:      at.phase(),
		Connection: at.connection,
		Credential: at.credential,
		Actions:    []status.Action{},
	}
	switch {
	case errors.Is(err, errTimedOut):
		out.Outcome = timedOut
	case errors.Is(err, errNeedsPerson):
		out.Outcome = needsPerson
	}
	if err != nil && at.last != nil {
		out.Actions = append(out.Actions, at.last.Actions...)
	}
	return out
}
