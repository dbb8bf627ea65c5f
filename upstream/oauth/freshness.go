package oauth

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// freshUntil is until when a document that was asked for at a time may be used without
// asking again, as its server says (RFC 9111 section 4.2 and 5.2.2, which RFC 9728
// section 7.10 has apply to metadata). It is zero where the server says nothing.
func freshUntil(header http.Header, asked time.Time) time.Time {
	age, _ := strconv.Atoi(header.Get("Age")) // 0 where it is none
	said, life := false, time.Duration(0)
	for _, directive := range strings.Split(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return asked
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return asked // what cannot be read is taken for stale (RFC 9111 section 4.2.1)
			}
			said, life = true, time.Duration(seconds)*time.Second
		}
	}
	if expires := header.Get("Expires"); !said && expires != "" {
		at, err := http.ParseTime(expires)
		date, unknown := http.ParseTime(header.Get("Date"))
		if unknown != nil {
			date = asked
		}
		if said = true; err == nil {
			life = at.Sub(date)
		}
	}
	if !said {
		return time.Time{}
	}
	return asked.Add(max(life-time.Duration(max(age, 0))*time.Second, 0)).UTC()
}

// earlier is the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
