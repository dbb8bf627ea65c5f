package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"

	"mcpproxy/spelling"
)

// decode reads the one JSON value of a text strictly: an unknown key is an error, and
// so is what follows the value.
func decode(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	end := int(decoder.InputOffset())
	if rest := bytes.TrimLeft(text[end:], " \t\r\n"); len(rest) > 0 {
		return &trailingError{len(text) - len(rest)}
	}
	return nil
}

// trailingError says that something follows the document, and where.
type trailingError struct{ offset int }

func (e *trailingError) Error() string { return "something follows the end of the document" }

// place is the line on which a text could not be decoded, in brackets; "" where the
// decoder does not say which.
func place(text []byte, err error) string {
	var (
		offset   int
		syntax   *json.SyntaxError
		kind     *json.UnmarshalTypeError
		trailing *trailingError
	)
	switch {
	case errors.As(err, &syntax):
		offset = int(syntax.Offset) - 1
	case errors.As(err, &kind):
		offset = int(kind.Offset) - 1
	case errors.As(err, &trailing):
		offset = trailing.offset
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		offset = len(text)
	default:
		return ""
	}
	return fmt.Sprintf(" (line %d)", 1+bytes.Count(text[:max(offset, 0)], []byte("\n")))
}

// object reads one object of the document; false says that it has a problem, which was
// noted at its key.
func (r *reader) object(key string, raw json.RawMessage, into any) bool {
	err := decode(raw, into)
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		key = strings.TrimPrefix(key+"."+kind.Field, ".")
	}
	if err != nil {
		text := inWords(err)
		if found := unknownField.FindStringSubmatch(text); found != nil {
			accepted := keysOf(into)
			text += fmt.Sprintf("%s; accepted are %s", spelling.Meant(found[1], accepted), strings.Join(accepted, ", "))
		}
		r.problem(key, "%s", text)
	}
	return err == nil
}

var unknownField = regexp.MustCompile(`^unknown field "(.*)"$`)

// keysOf are the keys that an object may have, as the document spells them.
func keysOf(object any) []string {
	var keys []string
	for t, i := reflect.TypeOf(object).Elem(), 0; i < t.NumField(); i++ {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}

// inWords says what is wrong with a value without speaking of Go.
func inWords(err error) string {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		return fmt.Sprintf("has %s where %s has to be", found(kind.Value), wanted(kind.Type))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the document ends before it is complete"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// found names the kind of a value that will not do.
func found(value string) string {
	switch kind, number, _ := strings.Cut(value, " "); {
	case kind == "array":
		return "a list"
	case kind == "object":
		return "an object"
	case kind == "string":
		return "a text"
	case kind == "bool":
		return "true or false"
	case number != "":
		return "the number " + number
	}
	return "a number"
}

// wanted names the kind of value that would do.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list of texts"
	case reflect.Pointer:
		return wanted(t.Elem())
	}
	return "an object"
}
