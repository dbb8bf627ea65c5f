package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mcpproxy/credential"
	"mcpproxy/spelling"
	"mcpproxy/upstream"

	"github.com/tailscale/hujson"
)

// reader reads one object of the document by its keys, and collects everything that is
// wrong with it.
type reader struct {
	source *source
	// path is where the object stands in the document.
	path string
	// environment has the variables; where it is nil they are not looked up.
	environment func(string) (string, bool)
	problems    []*Error

	// places are the offsets of the keys that are there, raw their texts before variables
	// were replaced, and failed those that have a problem.
	places map[string]int
	raw    map[string]string
	failed map[string]bool
	// unknown says that there is a key that nobody knows.
	unknown bool
}

// newReader returns a reader of the object at an offset of the source.
func newReader(s *source, path string, offset int, environment func(string) (string, bool)) *reader {
	return &reader{
		source:      s,
		path:        path,
		environment: environment,
		places:      map[string]int{"": offset},
		raw:         map[string]string{},
		failed:      map[string]bool{},
	}
}

// problem notes what is wrong at a key, or, where it is not there, at the one that it
// would stand in.
func (r *reader) problem(key, text string, args ...any) {
	r.failed[key] = true
	above := key
	for _, there := r.places[above]; !there; _, there = r.places[above] {
		above = above[:max(strings.LastIndexAny(above, ".["), 0)]
	}
	r.problemAt(r.places[above], key, text, args...)
}

func (r *reader) problemAt(offset int, key, text string, args ...any) {
	r.problems = append(r.problems, r.source.problem(offset, join(r.path, key), fmt.Sprintf(text, args...)))
}

func join(path, key string) string {
	if path == "" || key == "" {
		return path + key
	}
	return path + "." + key
}

// fill reads the object at prefix into what the keys point at.
func fill[T any](r *reader, prefix string, v *hujson.Value, keys []key[T], into *T) {
	object, ok := v.Value.(*hujson.Object)
	if !ok {
		r.problem(prefix, "has %s where an object has to be", found(v))
		return
	}
	r.members(object, prefix, func(name, path string, m *hujson.ObjectMember) {
		known := slices.IndexFunc(keys, func(k key[T]) bool { return k.path == path })
		within := slices.ContainsFunc(keys, func(k key[T]) bool { return strings.HasPrefix(k.path, path+".") })
		switch {
		case known < 0 && !within:
			r.unknown = true
			accepted := namesBelow(prefix, keys)
			r.problemAt(m.Name.StartOffset, prefix, "unknown field %q%s; accepted are %s", name, spelling.Meant(name, accepted),
				strings.Join(accepted, ", "))
		case isNull(&m.Value): // as if it were not there
		case within:
			fill(r, path, &m.Value, keys, into)
		default:
			k := &keys[known]
			r.value(path, &m.Value, k.into(into), k.constraints)
		}
	})
}

// members visits the members of an object; a name that is there twice is a problem.
func (r *reader) members(object *hujson.Object, prefix string, visit func(name, path string, m *hujson.ObjectMember)) {
	seen := map[string]bool{}
	for i := range object.Members {
		m := &object.Members[i]
		name := nameOf(m)
		path := join(prefix, name)
		if seen[name] {
			r.problemAt(m.Name.StartOffset, path, "is there twice")
			continue
		}
		seen[name] = true
		r.places[path] = m.Name.StartOffset
		visit(name, path, m)
	}
}

func nameOf(m *hujson.ObjectMember) string { return m.Name.Value.(hujson.Literal).String() } // the grammar has nothing else there

// namesBelow are the keys that the object at prefix may have.
func namesBelow[T any](prefix string, keys []key[T]) []string {
	var all []string
	for i := range keys {
		below, ok := strings.CutPrefix(keys[i].path, prefix)
		name, _, _ := strings.Cut(strings.TrimPrefix(below, "."), ".")
		if ok && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// value reads a value into what a key points at; into's type says what it has to be.
func (r *reader) value(path string, v *hujson.Value, into any, c constraints) {
	switch into := into.(type) {
	case *bool:
		if r.kind(path, v, "true or false", 't', 'f') {
			*into = v.Value.(hujson.Literal).Bool()
		}
	case *int:
		r.number(path, v, into, c)
	case *[]string:
		if list, ok := v.Value.(*hujson.Array); ok {
			*into = []string{}
			for i := range list.Elements {
				*into = append(*into, r.text(fmt.Sprintf("%s[%d]", path, i), &list.Elements[i], c))
			}
			return
		}
		r.kind(path, v, "a list of texts")
	case *map[string]string:
		*into = r.texts(path, v, c)
	case *map[string]credential.Secret:
		*into = map[string]credential.Secret{}
		for name, text := range r.texts(path, v, c) {
			(*into)[name] = credential.NewSecret(text)
		}
	case *time.Duration:
		r.duration(path, v, into, c)
	case *credential.Secret:
		*into = credential.NewSecret(r.text(path, v, c))
	case *upstream.Grant:
		*into = upstream.Grant(r.text(path, v, c))
	case *string:
		*into = r.text(path, v, c)
	default:
		panic(fmt.Sprintf("config: the key %s points at a %T, which nothing reads", path, into)) // a test reads every key
	}
}

// kind reports whether a value begins as one of the kinds does; one that does not is a
// problem.
func (r *reader) kind(path string, v *hujson.Value, wanted string, kinds ...hujson.Kind) bool {
	if slices.Contains(kinds, v.Value.Kind()) {
		return true
	}
	r.problem(path, "has %s where %s has to be", found(v), wanted)
	return false
}

func (r *reader) number(path string, v *hujson.Value, into *int, c constraints) {
	const wanted = "a whole number"
	if !r.kind(path, v, wanted, '0') {
		return
	}
	n, err := strconv.Atoi(v.Value.(hujson.Literal).String())
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		r.kind(path, v, wanted)
	case err != nil || n < c.least || n > c.most:
		r.problem(path, "%s is not a number from %d to %d", v.Value.(hujson.Literal), c.least, c.most)
	default:
		*into = n
	}
}

func (r *reader) duration(path string, v *hujson.Value, into *time.Duration, c constraints) {
	text := r.text(path, v, c)
	if text == "" || r.failed[path] {
		return
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		r.problem(path, "%q is not a duration such as 30s or 5m", r.raw[path])
		return
	}
	*into = d
}

func (r *reader) texts(path string, v *hujson.Value, c constraints) map[string]string {
	object, ok := v.Value.(*hujson.Object)
	if !ok {
		r.kind(path, v, "an object")
		return nil
	}
	all := map[string]string{}
	r.members(object, path, func(name, path string, m *hujson.ObjectMember) {
		if c.checkName != nil && c.checkName(name) != nil {
			r.problem(path, "the name %q %v", name, c.checkName(name))
			return
		}
		all[name] = r.text(path, &m.Value, c)
	})
	return all
}

// text reads a text and replaces its variables. One with a problem is "".
func (r *reader) text(path string, v *hujson.Value, c constraints) string {
	if !r.kind(path, v, "a text", '"') {
		return ""
	}
	raw := v.Value.(hujson.Literal).String()
	r.raw[path] = raw
	text, err := r.expanded(raw)
	if rest, ok := strings.CutPrefix(text, "~/"); ok && c.file && r.environment != nil {
		text, err = home(r.environment)
		text += "/" + rest
	}
	switch {
	case err != nil:
		r.problem(path, "%v", err)
	case strings.ContainsRune(raw, utf8.RuneError):
		r.problem(path, "has a character in it that is none (U+FFFD, or bytes that are not UTF-8); save the file as UTF-8")
	case r.environment == nil && strings.Contains(raw, "${"):
		return raw // what it comes to is not known
	case strings.ContainsRune(text, 0) || !c.free && strings.ContainsFunc(text, unicode.IsControl):
		r.problem(path, "%s", controls(text, c.free))
	case text == "": // as if it were not there
	case len(c.values) > 0 && !slices.Contains(c.values, text):
		r.problem(path, "%q is not one of %s", raw, strings.Join(c.values, ", "))
	case c.check != nil && c.check(raw, text) != nil:
		r.problem(path, "%v", c.check(raw, text))
	default:
		return text
	}
	return ""
}

func (r *reader) expanded(raw string) (string, error) {
	if r.environment == nil {
		return expand(raw, func(name string) (string, bool) { return "", !slices.Contains(editors, name) })
	}
	return expand(raw, r.environment)
}

// controls names the first control character of a text that must not have one, and
// none of the text, which may be a secret.
func controls(text string, onlyZero bool) string {
	n := 0
	for _, c := range text {
		n++
		switch {
		case onlyZero && c != 0:
		case c == '\n' || c == '\r':
			return fmt.Sprintf("has a line break in it (character %d); it often comes with a value that was read from a file", n)
		case unicode.IsControl(c):
			return fmt.Sprintf("has the control character %U in it (character %d)", c, n)
		}
	}
	return ""
}

func isNull(v *hujson.Value) bool { return v.Value.Kind() == 'n' }

// found names the kind of a value that will not do.
func found(v *hujson.Value) string {
	switch v.Value.Kind() {
	case '[':
		return "a list"
	case '{':
		return "an object"
	case '"':
		return "a text"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "the number " + v.Value.(hujson.Literal).String()
}
