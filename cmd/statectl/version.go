package main

import (
	"cmp"
	"runtime/debug"

	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

// release is the version, set when a release is built (-ldflags -X).
var release string

// built is what Go's tools say of the program.
type built struct {
	Version string `json:"version"`
	Go      string `json:"go,omitempty"`
	// Commit that it was built from, and when that was made; empty where that is not known.
	Commit string `json:"commit,omitempty"`
	Time   string `json:"time,omitempty"`
}

func thisBuild() built {
	b := built{Version: cmp.Or(release, "dev")}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Go = info.GoVersion
	if release == "" && info.Main.Version != "(devel)" {
		b.Version = cmp.Or(info.Main.Version, b.Version)
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		}
	}
	return b
}

func versionCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print which statectl this is", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			b := thisBuild()
			if o.json {
				return terminal.JSON(c.OutOrStdout(), b)
			}
			terminal.Printf(c.OutOrStdout(), "statectl %s %s %s\n", b.Version, b.Go, b.Commit)
			return nil
		}}
}
