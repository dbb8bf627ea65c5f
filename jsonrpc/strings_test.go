package jsonrpc

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// stringEndByByte is what [stringEnd] is, said slowly.
func stringEndByByte(text []byte, at int) int {
	for at++; at < len(text); at++ {
		switch text[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return -1
}

// Wherever escapes stand in a string, and whatever comes after it, its end is found.
func TestStringEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{`\"`, `\\`, `\n`, `a`, `Ünic`, strings.Repeat("b", 31), strings.Repeat("c", 65), `\"`, `\\\"`, "\xa2\xdc"})
		text := strings.Join(append(rapid.SliceOfN(rapid.StringMatching("[x ]{0,9}"), 0, 1).Draw(t, "before"), `"`), "")
		at := len(text) - 1
		text += strings.Join(rapid.SliceOfN(piece, 0, 300).Draw(t, "inside"), "")
		text += rapid.SampledFrom([]string{`"`, `\`, ``, `","b":"c"}`, `"` + strings.Repeat(" ", 40)}).Draw(t, "after")
		if got, want := stringEnd([]byte(text), at), stringEndByByte([]byte(text), at); got != want {
			t.Errorf("%d, want %d, in %q", got, want, text)
		}
	})
}

func BenchmarkStringEnd(b *testing.B) {
	const size = 1 << 20
	for _, text := range []struct{ name, of string }{
		{"an image", "iVBORw0KGgoAAAANSUhEUgAAAAUA"},
		{"a page", `The \"quick\" brown fox jumps over the lazy dog, and then goes on to the next line.\n`},
		{"JSON", `{\"level\":\"info\",\"message\":\"the job has ended\",\"seconds\":12}\n`},
		{"JSON in JSON", `{\"line\":\"{\\\"level\\\":\\\"info\\\",\\\"seconds\\\":12}\"}\n`},
		{"a path", `C:\\Users\\me\\Documents\\`},
	} {
		b.Run(text.name, func(b *testing.B) {
			all := fmt.Appendf(nil, `"%s"`, strings.Repeat(text.of, size/len(text.of)))
			b.SetBytes(int64(len(all)))
			for b.Loop() {
				if stringEnd(all, 0) != len(all) {
					b.Fatal("the end was not found")
				}
			}
		})
	}
}
