package explain

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mcpproxy/terminal"
)

// lineWidth is where lines are broken, and labelWidth where their texts begin.
const (
	lineWidth  = 110
	labelWidth = 14
)

// Fprint writes an explanation for a user's terminal, with times as seen from now
// in its zone. Its errors are the writer's.
func Fprint(w io.Writer, e Explanation, now time.Time) error {
	p := &page{now: now}
	p.head(e)
	p.row("doing", e.Doing)
	why := e.Why
	if e.Reason != "" {
		why += " (" + string(e.Reason) + ")"
	}
	p.row("why", why)
	for _, f := range e.Failures {
		p.row("last failure", p.ago(f.At)+", "+f.Region+": "+sentence(f.Text))
	}
	for _, line := range e.Said {
		p.row("said", p.ago(line.At)+", "+string(line.Stream)+": "+line.Text)
	}
	if e.Refused != nil {
		p.row("refused", p.ago(e.Refused.At)+", "+e.Refused.Event+": "+sentence(e.Refused.Why))
	}
	for _, s := range e.Next {
		p.row("next", sentence(p.when(s)+": "+s.Text))
	}
	p.row("then", e.Then)
	p.row("calls", e.Calls)
	if len(e.Accepted) > 0 {
		p.row("accepted", strings.Join(e.Accepted, ", "))
	}
	if e.Mend != "" {
		p.row("mend", e.Mend)
	}
	width := 0
	for _, a := range e.Can {
		width = max(width, len(a.Command))
	}
	for _, a := range e.Can {
		p.row("you can", fmt.Sprintf("%-*s  %s", width, a.Command, a.Why))
	}
	_, err := io.WriteString(w, p.text.String())
	return err
}

// page is the text so far.
type page struct {
	now  time.Time
	text strings.Builder
	last string
}

func (p *page) head(e Explanation) {
	state := string(e.Phase)
	if !e.Running {
		state = "not running"
	}
	p.text.WriteString(terminal.Text(e.Upstream + ": " + state))
	if e.Since != nil {
		fmt.Fprintf(&p.text, " since %s (%s)", e.Since.In(p.now.Location()).Format(time.DateTime), Spoken(p.now.Sub(*e.Since)))
	}
	p.text.WriteByte('\n')
}

// row writes a text beside its label, which is left out where it is that of the row
// above, and breaks it between words.
func (p *page) row(label, text string) {
	shown := label
	if label == p.last {
		shown = ""
	}
	p.last = label
	line := fmt.Sprintf("  %-*s", labelWidth, shown)
	written := false
	for _, word := range strings.Split(terminal.Text(text), " ") {
		if written && len(line)+1+len(word) > lineWidth {
			p.text.WriteString(strings.TrimRight(line, " ") + "\n")
			line, written = strings.Repeat(" ", 2+labelWidth), false
		}
		if written {
			line += " "
		}
		line, written = line+word, true
	}
	p.text.WriteString(strings.TrimRight(line, " ") + "\n")
}

func (p *page) ago(at time.Time) string {
	if d := p.now.Sub(at); d >= time.Second {
		return Spoken(d) + " ago"
	}
	return "just now"
}

func (p *page) when(s Step) string {
	clock := s.At.In(p.now.Location()).Format(time.TimeOnly)
	d := s.At.Sub(p.now)
	switch {
	case d < time.Second:
		return map[When]string{At: "now", By: "at any moment", From: "from now on"}[s.When]
	case s.When == By:
		return fmt.Sprintf("in %s at the latest (%s)", Spoken(d), clock)
	case s.When == From:
		return fmt.Sprintf("from %s on (in %s)", clock, Spoken(d))
	}
	return fmt.Sprintf("in %s (%s)", Spoken(d), clock)
}

// sentence ends a text with one full stop.
func sentence(text string) string { return strings.TrimRight(text, ". \n") + "." }

// counted says a number of things.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

// Spoken says a length of time in at most two units.
func Spoken(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	days, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	two := func(a int, first string, b int, second string) string {
		if b == 0 {
			return fmt.Sprint(a, " ", first)
		}
		return fmt.Sprint(a, " ", first, " ", b, " ", second)
	}
	switch {
	case days > 0:
		return two(days, "d", hours, "h")
	case hours > 0:
		return two(hours, "h", minutes, "min")
	case minutes > 0:
		return two(minutes, "min", seconds, "s")
	}
	return fmt.Sprint(seconds, " s")
}
