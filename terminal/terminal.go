// Package terminal writes to a user's terminal what others have said: servers,
// authorization servers, child processes, files.
//
// It promises that none of it does anything there but be read. A control character, an
// escape sequence, a line break, a character that turns the direction of the text or
// that is not seen at all is written as its escape, as in \x1b; so a text stays on its
// line, and every character after it is where it seems to be. Formats are the caller's
// own and are written as they are; arguments are cleaned, whatever their type. What JSON
// says stays exact: the escapes are JSON's own.
package terminal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text is the text with everything escaped that is not simply seen.
func Text(text string) string {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unseen) {
		return escaped(text)
	}
	return text
}

func unseen(r rune) bool { return !unicode.IsGraphic(r) }

func escaped(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case unseen(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
		text = text[size:]
	}
	return b.String()
}

// argument cleans whatever a verb makes of a value.
type argument struct{ value any }

func (a argument) Format(f fmt.State, verb rune) {
	_, _ = io.WriteString(f, Text(fmt.Sprintf(fmt.FormatString(f, verb), a.value))) // what f cannot take is lost with it
}

// Sprintf is fmt.Sprintf with each argument cleaned.
func Sprintf(format string, args ...any) string {
	cleaned := make([]any, len(args))
	for i, value := range args {
		cleaned[i] = argument{value}
	}
	return fmt.Sprintf(format, cleaned...)
}

// Printf writes the format with each argument cleaned. An error is that of a terminal
// that went away, to which nothing more can be said.
func Printf(w io.Writer, format string, args ...any) {
	_, _ = io.WriteString(w, Sprintf(format, args...))
}

// Error is the error's text: one line, or one for each error of those that
// [errors.Join] has put together.
func Error(err error) string { return strings.Join(lines(err), "\n") }

// PrintError writes what a program ends with: its name and the error.
func PrintError(w io.Writer, program string, err error) {
	_, _ = io.WriteString(w, program+": "+Error(err)+"\n") // the terminal went away
}

func lines(err error) []string {
	text := err.Error()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all, texts []string
		for _, one := range joined.Unwrap() {
			all, texts = append(all, lines(one)...), append(texts, one.Error())
		}
		if text == strings.Join(texts, "\n") {
			return all
		}
	}
	if inner := errors.Unwrap(err); inner != nil {
		if before, after, ok := strings.Cut(text, inner.Error()); ok {
			all := lines(inner)
			all[0] = Text(before) + all[0]
			all[len(all)-1] += Text(after)
			return all
		}
	}
	return []string{Text(text)}
}

// JSON writes a value as JSON on a line of its own.
func JSON(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = w.Write(append(exact(text), '\n'))
	return err
}

// exact writes what JSON leaves unescaped and is not seen, which is in strings alone, as
// JSON's escapes.
func exact(text []byte) []byte {
	var out []byte
	from := 0
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if unseen(r) {
			out = append(out, text[from:at]...)
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
			from = at + size
		}
		at += size
	}
	if out == nil {
		return text
	}
	return append(out, text[from:]...)
}
