package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mcpproxy/config"
	"mcpproxy/proxy"
	"mcpproxy/upstream"
	"mcpproxy/upstream/turns"
)

func TestLimits(t *testing.T) {
	limits := func(text string) (upstream.Limits, proxy.Limits, error) {
		file, err := config.Load(write(t, text), environment)
		if err != nil {
			return upstream.Limits{}, proxy.Limits{}, err
		}
		return file.Limits, file.Clients, file.Err()
	}
	got, clients, err := limits(`{"mcpServers": {}, "limits": {"connecting": 200, "refreshingPerHost": 2, "callWait": "5s", "callsPerUpstream": 3,
		"callsPerSession": 4, "abandonedAfter": "2m", "sessions": 5, "requestMiB": 64, "queuedMiB": 7, "queuedPerClientMiB": 6}}`)
	want := upstream.DefaultLimits()
	want.Connecting.Total, want.Refreshing.PerHost, want.CallWait, want.CallsPerUpstream = 200, 2, 5*time.Second, 3
	wantClients := proxy.Limits{Sessions: 5, CallsPerSession: 4, AbandonedAfter: 2 * time.Minute, RequestMiB: 64, QueuedMiB: 7,
		QueuedPerClientMiB: 6}
	if err != nil || got != want || clients != wantClients {
		t.Errorf("Limits = %+v, %+v, %v, want %+v, %+v", got, clients, err, want, wantClients)
	}
	got, clients, err = limits(`{"mcpServers": {}}`)
	if err != nil || got != upstream.DefaultLimits() || got.Connecting == (turns.Limits{}) || clients != proxy.DefaultLimits() {
		t.Errorf("without any: %+v, %+v, %v", got, clients, err)
	}
}

// What is wrong with the limits is said, and keeps no upstream from being used.
func TestLimitsThatWillNotDo(t *testing.T) {
	for text, says := range map[string]string{
		`{"connecting": 0}`:        "limits.connecting: 0 is not a number from 1 to 10000",
		`{"refreshing": 100000}`:   "limits.refreshing: 100000 is not",
		`{"perHost": 3}`:           `unknown field "perHost"; accepted are connecting`,
		`{"callWait": "soon"}`:     `limits.callWait: "soon" is not a duration such as 30s`,
		`{"requestMiB": 1}`:        "limits.requestMiB: 1 is not a number from 64 to",
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
