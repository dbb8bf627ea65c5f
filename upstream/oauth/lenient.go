package oauth

import (
	"bytes"
	"encoding/json"
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
func (w *words) UnmarshalJSON(text []byte) error {
	*w = nil
	var one string
	if json.Unmarshal(text, &one) == nil {
		*w = strings.FieldsFunc(one, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' })
		return nil
	}
	var all []json.RawMessage
	if json.Unmarshal(text, &all) != nil {
		return nil
	}
	for _, part := range all {
		if json.Unmarshal(part, &one) == nil && one != "" && string(part) != "null" {
			*w = append(*w, one)
		}
	}
	return nil
}

// flag is true, or a text that says so.
type flag bool

// UnmarshalJSON never fails on JSON.
func (f *flag) UnmarshalJSON(text []byte) error {
	value, err := strconv.ParseBool(strings.ToLower(string(bytes.Trim(text, `"`))))
	*f = flag(err == nil && value)
	return nil
}

// moment is seconds since 1970, 0 for never, in whatever way a number is written.
type moment struct{ time.Time }

// UnmarshalJSON never fails on JSON.
func (m *moment) UnmarshalJSON(text []byte) error {
	if seconds, err := strconv.ParseFloat(string(bytes.Trim(text, `"`)), 64); err == nil && seconds >= 1 && seconds < 1e11 {
		m.Time = time.Unix(int64(seconds), 0).UTC()
	}
	return nil
}

// seconds is a length of time, in whatever way a number is written; 0 for none.
type seconds time.Duration

// UnmarshalJSON never fails on JSON.
func (s *seconds) UnmarshalJSON(text []byte) error {
	if n, err := strconv.ParseFloat(string(bytes.Trim(text, `"`)), 64); err == nil && n > 0 && n < 1e9 {
		*s = seconds(n * float64(time.Second))
	}
	return nil
}

// union is both, sorted and without repeats.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
