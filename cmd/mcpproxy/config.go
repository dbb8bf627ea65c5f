package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

func configCommand(o *options) *cobra.Command {
	c := group("config", "Look at the configuration")
	c.AddCommand(&cobra.Command{Use: "check", Short: "Check the configuration file and say every problem at once", Example: "  mcpproxy config check --config ./config.json", Args: exactly(), RunE: func(c *cobra.Command, _ []string) error {
		all, err := o.load()
		if err != nil {
			return err
		}
		if o.configIsAbsent() {
			return fmt.Errorf("%s does not exist; write it, name another one (--config), or begin with: mcpproxy upstream add", o.config)
		}
		terminal.Printf(c.OutOrStdout(), "%s is valid; upstreams that are not disabled: %d\n", o.config, len(all))
		return nil
	}})
	return c
}

// configIsAbsent says that there is no configuration file, which is read as one without
// upstreams.
func (o *options) configIsAbsent() bool {
	_, err := os.Stat(o.config)
	return errors.Is(err, fs.ErrNotExist)
}
