package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"mcpproxy/terminal"
)

// paper is where results are written: in colour on a terminal, unless NO_COLOR is set
// (no-color.org) or the terminal knows none.
type paper struct {
	io.Writer
	colour bool
}

func newPaper(out io.Writer) paper {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return paper{Writer: out}
	}
	info, err := file.Stat()
	return paper{Writer: out, colour: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// Colours, as parameters of the terminal's SGR sequence.
const (
	plain = ""
	bold  = "1"
	faint = "2"
	red   = "31"
	green = "32"
)

func (p paper) say(format string, args ...any) { terminal.Printf(p, format+"\n", args...) }

// lead writes a line that begins with a cell.
func (p paper) lead(c cell, format string, args ...any) {
	_, _ = io.WriteString(p, p.paint(c)) // the terminal went away
	p.say(format, args...)
}

// cell is a text with its colour.
type cell struct{ text, colour string }

func (c cell) width() int { return utf8.RuneCountInString(terminal.Text(c.text)) }

func (p paper) paint(c cell) string {
	text := terminal.Text(c.text)
	if !p.colour || c.colour == plain || text == "" {
		return text
	}
	return "\x1b[" + c.colour + "m" + text + "\x1b[0m"
}

// row writes cells in columns of the widths; the last is as wide as it is.
func (p paper) row(widths []int, cells []cell) {
	var line strings.Builder
	for i, c := range cells {
		line.WriteString(p.paint(c))
		if i < len(cells)-1 {
			line.WriteString(strings.Repeat(" ", max(0, widths[i]-c.width())+2))
		}
	}
	_, _ = io.WriteString(p, strings.TrimRight(line.String(), " ")+"\n") // the terminal went away
}

// table writes rows in columns that are as wide as they need.
func (p paper) table(rows [][]cell) {
	var widths []int
	for _, cells := range rows {
		for i, c := range cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], c.width())
		}
	}
	for _, cells := range rows {
		p.row(widths, cells)
	}
}

func head(titles ...string) []cell {
	var cells []cell
	for _, title := range titles {
		cells = append(cells, cell{title, faint})
	}
	return cells
}

// span says a length of time in at most two units.
func span(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case d < 0:
		return "0 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s%86400/3600)
}

func milliseconds(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
