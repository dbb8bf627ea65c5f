package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"mcpproxy/proxy"
	"mcpproxy/upstream"
	"mcpproxy/userfile"

	"github.com/adrg/xdg"
	"github.com/tailscale/hujson"
)

// DefaultPath is the configuration file of this user.
func DefaultPath() string { return filepath.Join(xdg.ConfigHome, "mcpproxy", "config.json") }

// File is what a configuration file says.
type File struct {
	// Upstreams are those that are not disabled, by name. One whose entry cannot be used
	// is among them, and its Problem says why.
	Upstreams []upstream.Config
	// Limits bound what may be under way at once; those that the file does not set are
	// as in [upstream.DefaultLimits].
	Limits upstream.Limits
	// Clients bound what clients may have under way, as in [proxy.DefaultLimits].
	Clients proxy.Limits
	// Problems are everything that is wrong, in the order of the file.
	Problems []*Error
	// Absent says that there is no file.
	Absent bool

	path string
	seen look
}

// Err is everything that is wrong as one error, which matches [ErrInvalid]; nil where
// nothing is.
func (f *File) Err() error { return joinProblems(f.Problems) }

func joinProblems(problems []*Error) error {
	var all []error
	for _, p := range problems {
		all = append(all, p)
	}
	return errors.Join(all...)
}

// Load reads a file. What is wrong with an entry, or with a key beside the entries, is
// among the file's problems and keeps nothing else from being used; only a file that
// cannot be read, or whose entries cannot be found, is an error. A file that is not
// there has no upstreams.
func Load(path string, environment func(string) (string, bool)) (*File, error) {
	f := &File{Limits: upstream.DefaultLimits(), Clients: proxy.DefaultLimits(), path: path}
	s, root, err := read(path)
	if err != nil {
		return nil, err
	}
	if root == nil {
		f.Absent = true
		return f, nil
	}
	f.seen = look{there: true, text: string(s.read)}
	r := newReader(s, "", root.StartOffset, environment)
	servers := r.document(f, root)
	if servers == nil && len(r.problems) > 0 {
		return nil, joinProblems(r.problems)
	}
	f.Problems = r.problems
	if servers != nil {
		f.entries(s, servers, environment)
	}
	slices.SortFunc(f.Upstreams, func(a, b upstream.Config) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(f.Problems, func(a, b *Error) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	return f, nil
}

// whole says what a document is, where nothing of it can be made out.
const whole = `the document is {"mcpServers": {"<name>": {...}}, "limits": {...}}`

// document reads the keys of the document and returns the entries; nil where there is
// no object with entries.
func (r *reader) document(f *File, root *hujson.Value) *hujson.Object {
	var servers *hujson.Object
	object, ok := root.Value.(*hujson.Object)
	if !ok {
		r.problem("", "has %s where an object has to be; "+whole, found(root))
		return nil
	}
	others := &hujson.Object{}
	for _, m := range object.Members {
		switch nameOf(&m) {
		case "$schema": // for editors
		case "mcpServers":
			r.places["mcpServers"] = m.Name.StartOffset
			entries, ok := m.Value.Value.(*hujson.Object)
			switch {
			case servers != nil:
				r.problem("mcpServers", "is there twice")
			case ok:
				servers = entries
			case !isNull(&m.Value):
				r.problem("mcpServers", "has %s where an object has to be", found(&m.Value))
			}
		default:
			others.Members = append(others.Members, m)
		}
	}
	fill(r, "", &hujson.Value{Value: others, StartOffset: root.StartOffset}, append([]key[File]{{path: "mcpServers"}}, documentKeys()...), f)
	return servers
}

// entries reads the entries. A name that is there twice is not guessed at.
func (f *File) entries(s *source, servers *hujson.Object, environment func(string) (string, bool)) {
	read := map[string]*reader{}
	at := map[string]int{}
	for i := range servers.Members {
		m := &servers.Members[i]
		name := nameOf(m)
		if first := read[name]; first != nil {
			first.problemAt(m.Name.StartOffset, "", "is there twice, first on line %d", s.problem(first.places[""], "", "").Line)
			continue
		}
		r := newReader(s, join("mcpServers", name), m.Name.StartOffset, environment)
		e := r.entry(name, &m.Value)
		read[name], at[name] = r, -1
		if !e.disabled {
			at[name] = len(f.Upstreams)
			f.Upstreams = append(f.Upstreams, e.Config)
		}
	}
	for name, r := range read {
		for _, p := range r.problems {
			p.Upstream = name
		}
		f.Problems = append(f.Problems, r.problems...)
		if i := at[name]; i >= 0 && len(r.problems) > 0 {
			f.Upstreams[i].Problem = inOneLine(r.problems)
		}
	}
}

// inOneLine are problems as one text.
func inOneLine(problems []*Error) string {
	var all []string
	for _, p := range problems {
		all = append(all, p.Error())
	}
	return strings.Join(all, "; ")
}

// read parses a file; the value is nil where there is none.
func read(path string) (*source, *hujson.Value, error) {
	text, err := readOwn(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &source{file: path}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	s := &source{file: path, text: plain(text), read: text}
	root, err := s.parse()
	return s, root, err
}

// readOwn reads a file that nobody else may write: it names commands that are run,
// and where secrets are sent.
func readOwn(path string) ([]byte, error) {
	text, err := readOwnFile(path)
	var invalid *Error
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.As(err, &invalid) {
		return text, err
	}
	return nil, fmt.Errorf("the configuration cannot be read: %w; name another file (--config)", err)
}

func readOwnFile(path string) ([]byte, error) {
	file, err := userfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if who := writable(info); who != "" {
		return nil, &Error{File: path, Problem: "can be written " + who +
			", and it names commands that are run; look through it, make it your own, and run: chmod go-w " + path}
	}
	return userfile.ReadAll(file)
}
