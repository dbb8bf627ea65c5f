package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"mcpproxy/status"

	"github.com/gofrs/flock"
	"github.com/tailscale/hujson"
)

// Add puts an entry into the file; one of the name that is there is replaced only
// if replace is set.
func Add(path, name string, entry any, replace bool) error {
	raw, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	if err := joinProblems(check(path, name, raw)); err != nil {
		return err
	}
	return change(path, func(d *document) error { return d.put(name, raw, replace) })
}

// check says what is wrong with an entry that is to be written. Its variables are for
// the proxy that will read it, and are not looked up.
func check(file, name string, raw []byte) []*Error {
	s := &source{file: file, text: raw}
	v, err := s.parse()
	if err != nil {
		return []*Error{{File: file, Path: join("mcpServers", name), Problem: err.Error()}}
	}
	r := newReader(s, join("mcpServers", name), 0, nil)
	r.entry(name, v)
	for _, p := range r.problems {
		p.Line, p.Column = 0, 0 // of a text that the user has not written
	}
	return r.problems
}

// Remove takes an entry out of the file. The error for a name that is not there wraps
// [status.ErrUnknown].
func Remove(path, name string) error {
	return change(path, func(d *document) error {
		names := d.names()
		if !slices.Contains(names, name) {
			return fmt.Errorf("%s: %w", path, status.Unknown(name, names))
		}
		return d.remove(name)
	})
}

// document is a file that is being changed: comments, order and all that is not
// changed stay.
type document struct {
	path string
	root *hujson.Value
}

func pointer(name string) string {
	return "/mcpServers/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// names are those of the entries, as the file has them.
func (d *document) names() []string {
	var all []string
	if object, ok := d.root.Find("/mcpServers").Value.(*hujson.Object); ok {
		for i := range object.Members {
			all = append(all, nameOf(&object.Members[i]))
		}
	}
	slices.Sort(all)
	return all
}

func (d *document) put(name string, raw []byte, replace bool) error {
	if slices.Contains(d.names(), name) {
		if !replace {
			return &Error{File: d.path, Path: join("mcpServers", name), Problem: "is there already; --replace replaces it"}
		}
		if err := d.remove(name); err != nil {
			return err
		}
	}
	return d.patch("add", pointer(name), raw)
}

// remove takes an entry out, however often its name is there.
func (d *document) remove(name string) error {
	for slices.Contains(d.names(), name) {
		if err := d.patch("remove", pointer(name), nil); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) patch(op, at string, value json.RawMessage) error {
	operation, err := json.Marshal([]map[string]any{{"op": op, "path": at, "value": value}})
	if err != nil {
		return err
	}
	return d.root.Patch(operation)
}

// lockLimit bounds how long another program may be writing the file.
const lockLimit = 10 * time.Second

// change rewrites the file as a whole, by a rename, and keeps its mode; a link to it
// stays one. Changes that are made at the same time follow one another, each with what
// the one before it wrote.
func change(path string, edit func(*document) error) error {
	target := followed(path)
	failed := func(err error) error {
		return fmt.Errorf("the configuration cannot be written: %w; name another file (--config)", err)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return failed(err)
	}
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() {
		return failed(fmt.Errorf("%s is no regular file", target))
	}
	ctx, cancel := context.WithTimeout(context.Background(), lockLimit)
	defer cancel()
	lock := flock.New(filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".lock"), flock.SetPermissions(0o600))
	switch _, err := lock.TryLockContext(ctx, 10*time.Millisecond); {
	case errors.Is(err, context.DeadlineExceeded):
		return failed(fmt.Errorf("another program has had %s locked for %s", lock.Path(), lockLimit))
	case err != nil:
		return failed(err)
	}
	defer lock.Close()
	d, err := open(path)
	if err == nil {
		err = edit(d)
	}
	if err != nil {
		return err
	}
	if err := replaceFile(target, d.formatted()); err != nil {
		return failed(err)
	}
	return nil
}

// open reads the file that is to be changed; its entries are an object afterwards.
func open(path string) (*document, error) {
	s, root, err := read(path)
	if err != nil && (s == nil || !s.blank()) { // in an empty file there is nothing to be lost
		return nil, err
	}
	if root == nil || root.Value == nil {
		root, err = (&source{file: path, text: []byte("{}")}).parse()
		if err != nil {
			return nil, err
		}
	}
	r := newReader(s, "", root.StartOffset, nil)
	d := &document{path: path, root: root}
	servers := r.document(&File{}, root)
	switch {
	case servers != nil:
		return d, nil
	case len(r.problems) > 0:
		return nil, joinProblems(r.problems)
	}
	return d, d.patch("add", "/mcpServers", json.RawMessage("{}"))
}

var indentation = regexp.MustCompile(`(?m)^\t+`)

// formatted is the document's text, as users write it.
func (d *document) formatted() []byte {
	d.root.Format()
	return indentation.ReplaceAllFunc(d.root.Pack(), func(tabs []byte) []byte { return []byte(strings.Repeat("  ", len(tabs))) })
}

// followed is the file that a path leads to, also where that is not there yet.
func followed(path string) string {
	for range 40 { // as many as systems follow
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return path
}

// replaceFile writes a file so that who reads it sees the old text or the new one.
func replaceFile(path string, text []byte) error {
	mode := os.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // there is none once it was renamed
	_, err = temporary.Write(text)
	err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	err = os.Rename(temporary.Name(), path)
	if errors.Is(err, syscall.EBUSY) { // a file that is mounted alone cannot be replaced
		err = os.WriteFile(path, text, mode)
	}
	return err
}
