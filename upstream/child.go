package upstream

import (
	"fmt"
	"os"
	"strings"

	"mcpproxy/upstream/child"
	"mcpproxy/upstream/wire"
)

// command is how the child process is started.
func (u *Upstream) command() wire.Command {
	c := &u.config
	env := map[string]string{}
	for name, value := range c.Env {
		env[name] = value.Reveal()
	}
	said := func(stream child.Stream, line string) {
		line = u.withoutSecrets(line)
		u.words.Add(stream, line)
		u.logger.Debug("child process", string(stream), line)
	}
	return wire.Command{Path: c.Command, Args: c.Args, Env: child.Environment(os.Environ(), c.InheritEnv, env), Dir: c.Dir,
		Said: said, Guard: &u.environment.guard}
}

// leastSecret is how long a value of the environment has to be to be taken for a secret
// where a child prints it.
const leastSecret = 6

// withoutSecrets is a child's line without the values that its entry gave it.
func (u *Upstream) withoutSecrets(line string) string {
	for _, value := range u.config.Env {
		if text := value.Reveal(); len(text) >= leastSecret {
			line = strings.ReplaceAll(line, text, value.String())
		}
	}
	return line
}

// longestLastWords bounds what an error has of a child's last words, in bytes.
const longestLastWords = 300

// lastWords adds to the error of a child process what it said last, which mostly says why.
func (u *Upstream) lastWords(err error) error {
	words := u.words.Final()
	if u.config.Transport != Stdio || words == "" {
		return err
	}
	if len(words) > longestLastWords {
		words = words[:longestLastWords] + "..."
	}
	return fmt.Errorf("%w; it said last: %s", err, words)
}

// Words are what the upstream's child processes said, for Stdio.
func (u *Upstream) Words() *child.Words { return u.words }
