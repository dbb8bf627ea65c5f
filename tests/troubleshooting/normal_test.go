package troubleshooting

import (
	"regexp"
	"strings"
	"time"

	"mcpproxy/status"
)

// The moment of every explanation in the document, so that it is the same whenever
// it is made: the state was entered forty seconds ago.
var (
	began = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	now   = began.Add(40 * time.Second)
)

// chance is what differs from run to run, and what stands for it.
var chance = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), began.Format(time.RFC3339)},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), began.Format(time.DateTime)},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`), now.Format(time.TimeOnly)},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "9d4e0c1a-6b1f-4c7e-8f51-0a2b3c4d5e6f"},
	{regexp.MustCompile(`127\.0\.0\.1:(\d{2}|\d{3}|[1-79]\d{3}|\d{5})\b`), "127.0.0.1:49152"},
	{regexp.MustCompile(`process \d+`), "process 4711"},
	{regexp.MustCompile(`epoch \d+`), "epoch 7"},
	{regexp.MustCompile(`\(\d+m?s ago`), "(0s ago"},
	{regexp.MustCompile(`client-[A-Z2-7]{26}`), "client-1"},
}

// normal makes a text the same in every run.
func (s *scene) normal(text string) string {
	text = strings.ReplaceAll(text, s.server.URL(), "https://notes.example.com")
	text = strings.ReplaceAll(text, strings.TrimPrefix(s.server.URL(), "http://"), "notes.example.com")
	text = strings.ReplaceAll(text, s.path, "~/.local/share/mcpproxy/store.db")
	for _, c := range chance {
		text = c.pattern.ReplaceAllString(text, c.instead)
	}
	return text
}

// spans are the lengths that times ahead are rounded up to.
var spans = []time.Duration{5 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour}

func rounded(at time.Time) time.Time {
	ahead := time.Until(at)
	for _, span := range spans {
		if ahead <= span {
			return now.Add(span)
		}
	}
	return now.Add(ahead)
}

// normalStatus makes a shown the same in every run.
func (s *scene) normalStatus(shown status.Upstream, refused bool) status.Upstream {
	for i := range shown.Regions {
		r := &shown.Regions[i]
		r.Since, r.FailedAttempts = began, min(r.FailedAttempts, 1)
		for j := range r.Timers {
			r.Timers[j].At = rounded(r.Timers[j].At)
		}
	}
	for _, f := range []*status.Failure{shown.ConnectionError, shown.CredentialError} {
		if f != nil {
			f.At, f.Text = began, s.normal(f.Text)
		}
	}
	if shown.OwnLoginAt != nil {
		at := rounded(*shown.OwnLoginAt)
		shown.OwnLoginAt = &at
	}
	if shown.Flow != nil {
		shown.Flow.ShownText = s.normal(shown.Flow.ShownText)
	}
	if !refused {
		shown.Refused = nil
	}
	for i := range shown.Refused {
		shown.Refused[i].Time, shown.Refused[i].Reason = now, s.normal(shown.Refused[i].Reason)
	}
	return shown
}
