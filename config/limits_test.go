package config_test

import (
	"errors"
	"strings"
	"testing"

	"mcpproxy/config"
	"mcpproxy/upstream"
	"mcpproxy/upstream/turns"
)

func TestLimits(t *testing.T) {
	limits := func(text string) (upstream.Limits, error) {
		file, err := config.Load(write(t, text), environment)
		if err != nil {
			return upstream.Limits{}, err
		}
		return file.Limits, file.Err()
	}
	got, err := limits(`{"mcpServers": {}, "limits": {"connecting": 200, "refreshingPerHost": 2}}`)
	want := upstream.DefaultLimits()
	want.Connecting.Total, want.Refreshing.PerHost = 200, 2
	if err != nil || got != want {
		t.Errorf("Limits = %+v, %v, want %+v", got, err, want)
	}
	if got, err := limits(`{"mcpServers": {}}`); err != nil || got != upstream.DefaultLimits() || got.Connecting == (turns.Limits{}) {
		t.Errorf("without any: %+v, %v", got, err)
	}
}

// What is wrong with the limits is said, and keeps no upstream from being used.
func TestLimitsThatWillNotDo(t *testing.T) {
	for text, says := range map[string]string{
		`{"connecting": 0}`:        "limits.connecting: 0 is not a number from 1 to 10000",
		`{"refreshing": 100000}`:   "limits.refreshing: 100000 is not",
		`{"perHost": 3}`:           `unknown field "perHost"; accepted are connecting`,
		`{"connecting": "plenty"}`: "limits.connecting: has a text where a whole number has to be",
	} {
		file, err := config.Load(write(t, `{"mcpServers": {"a": {"url": "https://a"}}, "limits": `+text+`}`), environment)
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Err(); !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
		if file.Limits != upstream.DefaultLimits() || len(file.Upstreams) != 1 || file.Upstreams[0].Problem != "" {
			t.Errorf("%s: %+v; the upstream is not to suffer from it", text, file)
		}
	}
}
