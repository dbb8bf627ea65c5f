package main

import (
	"context"
	"errors"
	"io"
	"net/url"
	"time"

	"mcpproxy/admin/client"
	"mcpproxy/explain"
	"mcpproxy/store"
	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

func explainCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "explain UPSTREAM",
		Short: "Say in plain words what an upstream is doing, why, what comes next and what you can do",
		Long: `Says in plain words what an upstream is doing, why and since when, what will happen
next and when, what becomes of a call that is made now, what the last failure was,
and what you can do. Of a stopped proxy it says what the next start makes of the
store.`,
		Example: "  statectl explain github\n  statectl explain github --json",
		Args:    usage(cobra.ExactArgs(1)), ValidArgsFunction: o.completeUpstream,
		RunE: func(c *cobra.Command, args []string) error { return o.explain(c.Context(), c.OutOrStdout(), args[0]) }}
}

func (o *options) explain(ctx context.Context, out io.Writer, name string) error {
	e, err := o.explanation(ctx, name)
	if err != nil {
		return err
	}
	if o.json {
		return terminal.JSON(out, e)
	}
	return explain.Fprint(out, e, time.Now())
}

// explanation is the running proxy's, or made from the store of a stopped one.
func (o *options) explanation(ctx context.Context, name string) (explain.Explanation, error) {
	return again(func() (explain.Explanation, error) { return o.explanationNow(ctx, name) })
}

func (o *options) explanationNow(ctx context.Context, name string) (e explain.Explanation, err error) {
	_, err = o.status(ctx, name)
	if err == nil {
		err = o.client().Get(ctx, "/v1/upstreams/"+url.PathEscape(name)+"/explain", &e)
		return e, err
	}
	if !errors.Is(err, client.ErrNotRunning) {
		return e, err
	}
	entries, err := o.stored(ctx, name)
	if err != nil {
		return e, err
	}
	err = o.inStore(ctx, func(s *store.Store) error {
		kept, err := s.Load(name)
		if errors.Is(err, store.ErrCorrupt) {
			e = explain.Damaged(name, err)
			return nil
		}
		e = explain.Stopped(name, kept, entries, time.Now())
		return err
	})
	return e, err
}
