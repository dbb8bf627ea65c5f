package main

import (
	"io"
	"time"

	"mcpproxy/terminal"
	"mcpproxy/upstream/child"

	"github.com/spf13/cobra"
)

func logsCommand(o *options) *cobra.Command {
	var follow, asJSON bool
	c := &cobra.Command{Use: "logs UPSTREAM", Short: "Print what an upstream's child process said",
		Long: `Prints the last lines that the upstream's child processes wrote to their standard
error, and to their standard output where those were no messages, with when each was
started and how it ended. The running proxy keeps some hundred lines; they are in no file.`,
		Example: "  mcpproxy upstream logs files\n  mcpproxy upstream logs files -f", Args: exactly("UPSTREAM"),
		ValidArgsFunction: o.completeUpstream,
		RunE: func(c *cobra.Command, args []string) error {
			out, said := c.OutOrStdout(), false
			err := o.client().Logs(c.Context(), args[0], follow, func(line child.Line) {
				said = true
				printLine(out, line, asJSON)
			})
			if err == nil && !said {
				terminal.Printf(c.ErrOrStderr(), "no child process of %[1]s was started; what it is doing says: statectl explain %[1]s\n", args[0])
			}
			return err
		}}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with the lines that come")
	c.Flags().BoolVar(&asJSON, "json", false, "print each line as JSON, exactly as it was said")
	return c
}

func printLine(out io.Writer, line child.Line, asJSON bool) {
	if asJSON {
		_ = terminal.JSON(out, line) // the terminal went away
		return
	}
	terminal.Printf(out, "%s %-7s %s\n", line.At.Local().Format(time.DateTime), line.Stream, line.Text)
}
