// Package config reads and writes the configuration file: the mcpServers JSON
// that MCP clients use, with an oauth object beside it.
//
// It promises that a key it does not know, a value of the wrong kind and a
// variable that is not set are errors that name the file, the place in the
// document and what would be accepted; that a file which other users may write is
// refused; and that writing keeps every other entry.
// It opens no connection.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/upstream"

	"github.com/adrg/xdg"
)

// DefaultPath is the configuration file of this user.
func DefaultPath() string { return filepath.Join(xdg.ConfigHome, "mcpproxy", "config.json") }

// ErrInvalid is matched by every error about the file's content.
var ErrInvalid = errors.New("the configuration is not valid")

// Error says where in the file something is wrong.
type Error struct {
	File string
	// Path in the document, as mcpServers.name.key.
	Path    string
	Problem string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.File + ": " + e.Problem
	}
	return e.File + ": " + e.Path + ": " + e.Problem
}

// Is makes errors.Is(err, ErrInvalid) hold.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

// document is the file. Entries are kept raw so that all problems are found and
// writing changes nothing else.
type document struct {
	Servers map[string]json.RawMessage `json:"mcpServers"`
	Limits  json.RawMessage            `json:"limits,omitempty"`
}

// Load reads the upstreams of a file, sorted by name. A file that is not there
// has none. All problems are reported at once.
func Load(path string, environment func(string) (string, bool)) ([]upstream.Config, error) {
	d, err := read(path)
	if err != nil {
		return nil, err
	}
	var all []upstream.Config
	whole := reader{file: path, path: "limits"}
	whole.limits(d.Limits)
	problems := whole.problems
	for _, name := range slices.Sorted(maps.Keys(d.Servers)) {
		r := reader{file: path, path: "mcpServers." + name, environment: environment}
		if c, wanted := r.server(name, d.Servers[name]); wanted {
			all = append(all, c)
		}
		problems = append(problems, r.problems...)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return all, nil
}

func read(path string) (document, error) {
	d := document{Servers: map[string]json.RawMessage{}}
	text, err := readOwn(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	if err := decode(text, &d); err != nil {
		return d, &Error{File: path, Problem: fmt.Sprintf("%s%s; the document is {\"mcpServers\": {\"<name>\": {...}}, \"limits\": {...}}", inWords(err), place(text, err))}
	}
	return d, nil
}

// readOwn reads a file that nobody else may write: it names commands that are run,
// and where secrets are sent.
func readOwn(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if who := writable(info); who != "" {
		return nil, &Error{File: path, Problem: "can be written " + who + ", and it names commands that are run; look through it, make it your own, and run: chmod go-w " + path}
	}
	return io.ReadAll(file)
}

// server is one entry of the file.
type server struct {
	Type     string            `json:"type"`
	URL      string            `json:"url"`
	Headers  map[string]string `json:"headers"`
	Command  string            `json:"command"`
	Args     []string          `json:"args"`
	Env      map[string]string `json:"env"`
	Cwd      string            `json:"cwd"`
	Disabled bool              `json:"disabled"`
	OAuth    json.RawMessage   `json:"oauth"`
}

// reader turns one entry into a configuration and collects what is wrong.
type reader struct {
	file, path  string
	environment func(string) (string, bool)
	problems    []error
}

func (r *reader) problem(key, text string, args ...any) {
	path := r.path
	if key != "" {
		path += "." + key
	}
	r.problems = append(r.problems, &Error{File: r.file, Path: path, Problem: fmt.Sprintf(text, args...)})
}

// namePattern keeps names fit for tool names, paths and shells.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// server reads one entry; wanted is false for one that is disabled.
func (r *reader) server(name string, raw json.RawMessage) (c upstream.Config, wanted bool) {
	c = upstream.Config{Name: name, Settings: states.DefaultSettings()}
	if !namePattern.MatchString(name) || strings.Contains(name, "__") {
		r.problem("", "a name has up to 64 letters, digits, '.', '_' and '-', begins with a letter or digit, and has no '__' in it")
	}
	var s server
	if !r.object("", raw, &s) {
		return c, true
	}
	r.transport(&c, &s)
	var o oauth
	if s.OAuth != nil && r.object("oauth", s.OAuth, &o) {
		r.oauth(&c, &o)
	}
	return c, !s.Disabled
}

func (r *reader) transport(c *upstream.Config, s *server) {
	c.URL, c.Command, c.Dir = r.expand("url", s.URL), r.expand("command", s.Command), r.expand("cwd", s.Cwd)
	for i, arg := range s.Args {
		c.Args = append(c.Args, r.expand(fmt.Sprintf("args[%d]", i), arg))
	}
	c.Headers, c.Env = r.secrets("headers", s.Headers), r.secrets("env", s.Env)
	switch {
	case s.URL != "" && s.Command != "":
		r.problem("", "has both url and command; give one")
	case s.Command != "":
		c.Transport = upstream.Stdio
	case s.URL != "":
		c.Transport = upstream.HTTP
		switch u, err := url.Parse(c.URL); {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			r.problem("url", "%q is not an http or https URL; write it as https://host/path", s.URL)
		case u.User != nil:
			r.problem("url", "has a user name or a password in it, and addresses are shown; give them as headers.Authorization")
		}
	default:
		r.problem("", "needs url (a remote server) or command (a local one)")
	}
	switch s.Type {
	case "", string(c.Transport):
	case "sse":
		c.Transport = upstream.SSE
	case "streamable-http", "streamableHttp":
	default:
		r.problem("type", "%q is not one of http, sse, stdio", s.Type)
	}
}

func (r *reader) duration(key, text string, into *time.Duration) {
	if text == "" {
		return
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		r.problem(key, "%q is not a duration such as 30s or 5m", text)
		return
	}
	*into = d
}

func (r *reader) secrets(key string, plain map[string]string) map[string]credential.Secret {
	if plain == nil {
		return nil
	}
	all := map[string]credential.Secret{}
	for name, value := range plain {
		all[name] = credential.NewSecret(r.expand(key+"."+name, value))
	}
	return all
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

// expand replaces ${NAME} and ${NAME:-default}.
func (r *reader) expand(key, text string) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		parts := variable.FindStringSubmatch(found)
		if value, ok := r.environment(parts[1]); ok {
			return value
		}
		if parts[2] == "" {
			r.problem(key, "the environment variable %s is not set; set it, or write ${%s:-default}", parts[1], parts[1])
		}
		return parts[3]
	})
}

// Add puts an entry into the file; one of the name that is there is replaced only
// if replace is set.
func Add(path, name string, entry any, replace bool) error {
	raw, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	r := reader{file: path, path: "mcpServers." + name, environment: func(string) (string, bool) { return "", true }}
	r.server(name, raw)
	if err := errors.Join(r.problems...); err != nil {
		return err
	}
	return change(path, func(servers map[string]json.RawMessage) error {
		if _, there := servers[name]; there && !replace {
			return &Error{File: path, Path: "mcpServers." + name, Problem: "is there already; --replace replaces it"}
		}
		servers[name] = raw
		return nil
	})
}

// Remove takes an entry out of the file. The error for a name that is not there wraps
// [upstream.ErrUnknown].
func Remove(path, name string) error {
	return change(path, func(servers map[string]json.RawMessage) error {
		if _, there := servers[name]; !there {
			return fmt.Errorf("%s: %w", path, upstream.Unknown(name, slices.Sorted(maps.Keys(servers))))
		}
		delete(servers, name)
		return nil
	})
}

// change rewrites the file as a whole, by a rename; a link to it stays one.
func change(path string, edit func(map[string]json.RawMessage) error) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	d, err := read(path)
	if err != nil {
		return err
	}
	if d.Servers == nil {
		d.Servers = map[string]json.RawMessage{}
	}
	if err := edit(d.Servers); err != nil {
		return err
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	temporary := path + ".new"
	err = os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(temporary, append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return fmt.Errorf("the configuration cannot be written: %w; name another file (--config)", err)
	}
	return nil
}
