package main

import (
	"fmt"

	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

func configCommand(o *options) *cobra.Command {
	c := group("config", "Look at the configuration")
	c.AddCommand(&cobra.Command{Use: "check", Short: "Check the configuration file and say every problem at once",
		Example: "  mcpproxy config check --config ./config.json", Args: exactly(), RunE: func(c *cobra.Command, _ []string) error {
			file, err := o.load()
			switch {
			case err != nil:
				return err
			case file.Absent:
				return fmt.Errorf("%s does not exist; write it, name another one (--config), or begin with: mcpproxy upstream add", o.config)
			case len(file.Problems) > 0:
				return file.Err()
			}
			terminal.Printf(c.OutOrStdout(), "%s is valid; upstreams that are not disabled: %d\n", o.config, len(file.Upstreams))
			return nil
		}})
	return c
}
