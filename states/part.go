package states

import (
	"slices"
	"strings"
	"time"
)

// OwnStream is the part that a server says by itself what concerns no call.
const OwnStream = "stream"

// Part is what a server need not offer, or not at every moment, and what is not there
// now: one of its lists, by the name of its method, or [OwnStream]. Requests flow.
type Part struct {
	Name string
	// Text is why.
	Text string
	// Absent says that the server has none by design, which is no failure.
	Absent bool
	// RetryAt is when it is asked for again.
	RetryAt time.Time
}

// WithPart notes that a part is missing, in the place of what was known of it.
func (d Data) WithPart(part Part) Data {
	d = d.WithoutPart(part.Name)
	at, _ := slices.BinarySearchFunc(d.Parts, part.Name, func(p Part, name string) int { return strings.Compare(p.Name, name) })
	d.Parts = slices.Insert(slices.Clone(d.Parts), at, part)
	return d
}

// WithoutPart notes that a part is there.
func (d Data) WithoutPart(name string) Data {
	d.Parts = slices.DeleteFunc(slices.Clone(d.Parts), func(p Part) bool { return p.Name == name })
	if len(d.Parts) == 0 {
		d.Parts = nil
	}
	return d
}
