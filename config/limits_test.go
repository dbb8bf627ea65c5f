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
	got, err := config.Limits(write(t, `{"mcpServers": {}, "limits": {"connecting": 200, "refreshingPerHost": 2}}`))
	want := upstream.DefaultLimits()
	want.Connecting.Total, want.Refreshing.PerHost = 200, 2
	if err != nil || got != want {
		t.Errorf("Limits = %+v, %v, want %+v", got, err, want)
	}
	if got, err := config.Limits(write(t, `{"mcpServers": {}}`)); err != nil || got != upstream.DefaultLimits() || got.Connecting == (turns.Limits{}) {
		t.Errorf("without any: %+v, %v", got, err)
	}
}

// What is wrong with the limits is found by Load too, which `config check` asks.
func TestLimitsThatWillNotDo(t *testing.T) {
	for text, says := range map[string]string{
		`{"connecting": 0}`:        "limits.connecting: 0 is not a number from 1 to 10000",
		`{"refreshing": 100000}`:   "limits.refreshing: 100000 is not",
		`{"perHost": 3}`:           `unknown field "perHost"; accepted are connecting`,
		`{"connecting": "plenty"}`: "limits.connecting: has a text where a whole number has to be",
	} {
		path := write(t, `{"mcpServers": {}, "limits": `+text+`}`)
		_, loaded := config.Load(path, environment)
		_, read := config.Limits(path)
		for _, err := range []error{loaded, read} {
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want %q", text, err, says)
			}
		}
	}
}

// Adding a server keeps the limits.
func TestAddKeepsLimits(t *testing.T) {
	path := write(t, `{"limits": {"connecting": 7}}`)
	if err := config.Add(path, "a", map[string]string{"url": "https://a.example/mcp"}, false); err != nil {
		t.Fatal(err)
	}
	if got, err := config.Limits(path); err != nil || got.Connecting.Total != 7 {
		t.Errorf("Limits = %+v, %v", got, err)
	}
}
