package upstream

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"mcpproxy/credential"
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
	secrets := withoutSecrets(slices.AppendSeq(slices.Clone(c.ArgSecrets), maps.Values(c.Env)))
	said := func(stream child.Stream, line string) {
		line = secrets.Replace(line)
		u.words.Add(stream, line)
		u.logger.Debug("child process", string(stream), line)
	}
	return wire.Command{Path: c.Command, Args: c.Args, Env: child.Environment(os.Environ(), c.InheritEnv, env), Dir: c.Dir,
		Said: said, Guard: &u.environment.guard}
}

// leastSecret is how long a value that its entry gives has to be to be taken for a secret
// where a child prints it.
const leastSecret = 6

// withoutSecrets takes from a child's lines the values that its entry gave it, also those
// of several lines (a private key), of which a line of the child's has one.
func withoutSecrets(given []credential.Secret) *strings.Replacer {
	instead := map[string]string{}
	for _, value := range given {
		for _, part := range append(strings.FieldsFunc(value.Reveal(), isLineEnd), value.Reveal()) {
			if len(part) >= leastSecret {
				instead[part] = value.String()
			}
		}
	}
	// The longest first: one value may be the beginning of another.
	longest := slices.SortedFunc(maps.Keys(instead), func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, part := range longest {
		pairs = append(pairs, part, instead[part])
	}
	return strings.NewReplacer(pairs...)
}

func isLineEnd(r rune) bool { return r == '\n' || r == '\r' }

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
