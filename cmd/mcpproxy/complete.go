package main

import (
	"context"

	"mcpproxy/status"

	"github.com/spf13/cobra"
)

// completeUpstream completes the first argument with the upstreams' names: of
// the running proxy, else of the configuration. It stays silent where neither
// can be read, as a shell has no place for errors.
func (o *options) completeUpstream(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return o.complete(c.Context(), args, func(ctx context.Context) (all []status.Upstream, err error) {
		err = o.client().Get(ctx, "/v1/upstreams", &all)
		return all, err
	})
}

// completeStored is completeUpstream with those that are inactive, where a proxy runs.
func (o *options) completeStored(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return o.complete(c.Context(), args, o.stored)
}

func (o *options) complete(ctx context.Context, args []string,
	running func(context.Context) ([]status.Upstream, error)) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	if all, err := running(ctx); err == nil {
		for _, s := range all {
			names = append(names, cobra.CompletionWithDesc(s.Name, string(s.Phase)))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	file, err := o.load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, known := range file.Upstreams {
		names = append(names, known.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
