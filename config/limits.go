package config

import (
	"encoding/json"
	"errors"

	"mcpproxy/upstream"
)

// limits is the object of that name in the document.
type limits struct {
	Connecting        *int `json:"connecting"`
	ConnectingPerHost *int `json:"connectingPerHost"`
	Refreshing        *int `json:"refreshing"`
	RefreshingPerHost *int `json:"refreshingPerHost"`
}

// mostAtOnce is the highest limit: beyond it file descriptors run out first.
const mostAtOnce = 10_000

// Limits reads what a file says about how much may be under way at once; what it
// does not set is as in [upstream.DefaultLimits].
func Limits(path string) (upstream.Limits, error) {
	d, err := read(path)
	if err != nil {
		return upstream.Limits{}, err
	}
	r := reader{file: path, path: "limits"}
	l := r.limits(d.Limits)
	return l, errors.Join(r.problems...)
}

func (r *reader) limits(raw json.RawMessage) upstream.Limits {
	l := upstream.DefaultLimits()
	if raw == nil {
		return l
	}
	var set limits
	if !r.object("", raw, &set) {
		return l
	}
	for _, part := range []struct {
		key  string
		from *int
		into *int
	}{
		{"connecting", set.Connecting, &l.Connecting.Total}, {"connectingPerHost", set.ConnectingPerHost, &l.Connecting.PerHost},
		{"refreshing", set.Refreshing, &l.Refreshing.Total}, {"refreshingPerHost", set.RefreshingPerHost, &l.Refreshing.PerHost},
	} {
		switch {
		case part.from == nil:
		case *part.from < 1 || *part.from > mostAtOnce:
			r.problem(part.key, "%d is not a number from 1 to %d", *part.from, mostAtOnce)
		default:
			*part.into = *part.from
		}
	}
	return l
}
