package oauth

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What servers write in place of what the specifications ask for, where it can mean one
// thing only: a text in place of a list, a number or a flag as a text. What can mean
// nothing is passed over, so that one odd member does not hide the others.

// words is a list of texts: an array, or one text with its parts separated by spaces or
// commas (RFC 6749 section 3.3 has scopes so).
type words []string

// UnmarshalJSON never fails on JSON.
func (w *words) UnmarshalJSON(raw []byte) error {
	*w = nil
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*w = strings.FieldsFunc(one, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' })
		return nil
	}
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	for _, part := range all {
		if json.Unmarshal(part, &one) == nil && one != "" && string(part) != "null" {
			*w = append(*w, one)
		}
	}
	return nil
}

// text is a text; anything else is none.
type text string

// UnmarshalJSON never fails on JSON.
func (t *text) UnmarshalJSON(raw []byte) error {
	var value string
	_ = json.Unmarshal(raw, &value)
	*t = text(strings.TrimSpace(value))
	return nil
}

// at is the text as an address: one that is relative is so to where it was read.
func (t text) at(place string) string {
	reference, err := url.Parse(string(t))
	base, bad := url.Parse(place)
	if t == "" || err != nil || bad != nil || reference.IsAbs() {
		return string(t)
	}
	return base.ResolveReference(reference).String()
}

// flag is true, or a text that says so.
type flag bool

// UnmarshalJSON never fails on JSON.
func (f *flag) UnmarshalJSON(raw []byte) error {
	value, err := strconv.ParseBool(strings.ToLower(string(bytes.Trim(raw, `"`))))
	*f = flag(err == nil && value)
	return nil
}

// moment is seconds since 1970, 0 for never, in whatever way a number is written.
type moment struct{ time.Time }

// UnmarshalJSON never fails on JSON.
func (m *moment) UnmarshalJSON(raw []byte) error {
	if seconds, err := strconv.ParseFloat(string(bytes.Trim(raw, `"`)), 64); err == nil && seconds >= 1 && seconds < 1e11 {
		m.Time = time.Unix(int64(seconds), 0).UTC()
	}
	return nil
}

// union is both, sorted and without repeats.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
