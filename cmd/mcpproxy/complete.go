package main

import (
	"mcpproxy/upstream"

	"github.com/spf13/cobra"
)

// completeUpstream completes the first argument with the upstreams' names: of
// the running proxy, else of the configuration. It stays silent where neither
// can be read, as a shell has no place for errors.
func (o *options) completeUpstream(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	var all []upstream.Status
	if o.client().Get(c.Context(), "/v1/upstreams", &all) == nil {
		for _, s := range all {
			names = append(names, cobra.CompletionWithDesc(s.Name, string(s.Phase)))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	configs, err := o.load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, known := range configs {
		names = append(names, known.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
