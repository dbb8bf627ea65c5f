package terminal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"
)

// hostile is what servers are known to say: the title and the clipboard of a terminal,
// the cursor, a line of its own, and text that is read from the other side.
const hostile = "ok\x1b]52;c;cm0gLXJm\a\x1b]0;title\x1b\\\x1b[2J\r\nforged: " +
	"line\t\x9b31m\u009b\u202egnp.exe\u2066\u200b\u2028\u00ad\U000e0041"

type named string

func seen(t *testing.T, text string) {
	t.Helper()
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar }) {
		t.Errorf("%q has what is not simply seen", text)
	}
}

// What servers say does nothing at a terminal but be read (fault J10).
func TestNothingButText(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain words, 漢字 and é": "plain words, 漢字 and é", "C:\\dir": "C:\\dir",
		"a\x1b[31mb": `a\x1b[31mb`, "one\r\ntwo": `one\r\ntwo`, "\u202ecod.exe": `\u202ecod.exe`, "\u009b2J": `\u009b2J`, "\x9b2J": `\x9b2J`,
		"\ufeffx": `\ufeffx`, "\U000e0041": `\U000e0041`, "\x7f": `\x7f`, "\u2029": `\u2029`,
	} {
		if got := Text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	seen(t, Text(hostile))
}

func TestArgumentsAreCleanedWhateverTheirType(t *testing.T) {
	for verb, value := range map[string]any{
		"%s": hostile, "%v": errors.New(hostile), "%-40s": named(hostile), "%v ": []string{hostile}, "%+v": struct{ Name named }{hostile}, "%q": hostile, "%x": hostile,
	} {
		seen(t, Sprintf(verb, value))
	}
	if got := Sprintf("%5d|%-4s|%s|%.1f\n\x1b[1m", 7, "ä", time.Second, 1.25); got != "    7|ä   |1s|1.2\n\x1b[1m" {
		t.Errorf("got %q", got)
	}
}

func TestErrorsThatWereJoinedHaveALineEach(t *testing.T) {
	one, two := errors.New("one\nforged"), fmt.Errorf("two: %w", errors.New("why\x1b"))
	err := fmt.Errorf("the file: %w; see there", errors.Join(one, errors.Join(two)))
	if got, want := Error(err), "the file: one\\nforged\ntwo: why\\x1b; see there"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Error(fmt.Errorf("%w: %w", one, two)); strings.Contains(got, "\n") {
		t.Errorf("got %q", got)
	}
}

// The logger of the programs, which is the standard library's, has the same promise.
func TestLogsAreText(t *testing.T) {
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info(hostile, "error", errors.New(hostile), "names", []string{hostile}, "text", hostile)
	seen(t, strings.TrimSuffix(out.String(), "\n"))
}

func FuzzText(f *testing.F) {
	f.Add("plain")
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, text string) {
		got := Text(text)
		for _, r := range got {
			if !unicode.IsGraphic(r) {
				t.Fatalf("%q has %q", got, r)
			}
		}
		if Text(got) != got {
			t.Fatalf("%q is cleaned twice", got)
		}
		if line := Error(errors.New(text)); line != got {
			t.Fatalf("as an error %q, as a text %q", line, got)
		}
		if line := Sprintf("%s", text); line != got {
			t.Fatalf("as an argument %q, as a text %q", line, got)
		}
		plain, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := JSON(&out, text); err != nil {
			t.Fatal(err)
		}
		for _, r := range strings.TrimSuffix(out.String(), "\n") {
			if !unicode.IsGraphic(r) {
				t.Fatalf("JSON %q has %q", out.String(), r)
			}
		}
		var was, is string
		if err := errors.Join(json.Unmarshal(plain, &was), json.Unmarshal(out.Bytes(), &is)); err != nil || was != is {
			t.Fatalf("%q became %q: %v", was, is, err)
		}
	})
}
