package jsonrpc

import (
	"fmt"
	"strings"
	"testing"
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

// Wherever in a block escapes stand, alone or in runs, and whatever comes after the
// string, its end is found.
func TestStringEnd(t *testing.T) {
	pieces := []string{`\"`, `\\`, `\n`, `a`, `Ünic`, `\\\"`, `\\\\\\\\`, strings.Repeat("b", 31), strings.Repeat("c", 65), "\xa2\xdc"}
	afters := []string{`"`, ``, `\`, `","b":"c"}`, `"` + strings.Repeat(" ", 40), `"` + strings.Repeat(`\"`, 40)}
	for _, many := range pieces {
		for _, one := range pieces {
			for _, after := range afters {
				for pad := range 128 {
					inside := `\"` + strings.Repeat("a", pad) + strings.Repeat(many, 1+pad%9*5) + one
					text := []byte(`{"a":"` + inside + after)
					if got, want := stringEnd(text, 5), stringEndByByte(text, 5); got != want {
						t.Fatalf("%d, want %d, in %q", got, want, text)
					}
					// Where an architecture has a way of its own, it comes to the same.
					at, ends, escaped := walk(text[6:])
					if wantAt, wantEnds, wantEscaped := walkByWord(text[6:]); at != wantAt || ends != wantEnds || escaped != wantEscaped {
						t.Fatalf("%d, %x, %d, want %d, %x, %d, in %q", at, ends, escaped, wantAt, wantEnds, wantEscaped, text[6:])
					}
				}
			}
		}
	}
}

// Each byte is what it is, wherever in a block.
func TestMarks(t *testing.T) {
	for shift := range 256 {
		var block [64]byte
		var quotes, backslashes uint64
		for i := range block {
			block[i] = byte(i + shift)
			switch block[i] {
			case '"':
				quotes |= 1 << i
			case '\\':
				backslashes |= 1 << i
			}
		}
		if q, b := marks(&block); q != quotes || b != backslashes {
			t.Errorf("%x, %x, want %x, %x, in %q", q, b, quotes, backslashes, block)
		}
	}
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
