package main

import (
	"slices"

	"mcpproxy/transitions"

	"github.com/spf13/cobra"
)

// completeUpstream completes the first argument with the upstreams' names.
func (o *options) completeUpstream(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return o.completions(c, nil), cobra.ShellCompDirectiveNoFileComp
}

// completeUpstreams completes every argument with the names that are not there yet.
func (o *options) completeUpstreams(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return o.completions(c, args), cobra.ShellCompDirectiveNoFileComp
}

// completeFire completes an upstream's name, and then an event.
func (o *options) completeFire(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return o.completions(c, nil), cobra.ShellCompDirectiveNoFileComp
	case 1:
		var all []string
		for _, w := range userEvents {
			all = append(all, cobra.CompletionWithDesc(w.name, w.doc))
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completions are the upstreams' names: of the running proxy, else of the store. They
// stay silent where neither can be read, as a shell has no place for errors.
func (o *options) completions(c *cobra.Command, but []string) []string {
	var names []string
	if all, err := o.statuses(c.Context()); err == nil {
		for _, s := range all {
			if !slices.Contains(but, s.Name) {
				names = append(names, cobra.CompletionWithDesc(s.Name, string(s.Phase)))
			}
		}
		return names
	}
	names, _ = o.names(c.Context()) // an unreadable store completes nothing
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(but, name) })
}

// completeStates completes the states of both regions.
func completeStates(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var all []string
	seen := map[string]bool{}
	for _, region := range transitions.Definition().Graph().Regions {
		for _, state := range region.States {
			if !seen[state.Name] {
				seen[state.Name] = true
				all = append(all, cobra.CompletionWithDesc(state.Name, state.Doc))
			}
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// stateNames are the names of all states; phases have no others.
func stateNames() []string {
	var names []string
	for _, region := range transitions.Definition().Graph().Regions {
		for _, state := range region.States {
			if !slices.Contains(names, state.Name) {
				names = append(names, state.Name)
			}
		}
	}
	return names
}

// choices complete a flag with a few words.
func choices(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}
