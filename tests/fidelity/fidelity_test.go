package fidelity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/telemetry"
	"mcpproxy/tests/journals"
	"mcpproxy/upstream"
)

// pairs are all ways through the proxy.
var (
	upstreams   = []string{"session", "events", "stateless", "sse", "stdio"}
	downstreams = []string{"session", "stateless", "stdio"}
)

// start runs the proxy in front of an odd server behind each transport, and returns
// how to connect to one of them.
func start(t *testing.T) func(t *testing.T, downstream, upstream string) client {
	t.Helper()
	return serve(t, overHTTP(), upstreams, nil)
}

// serve runs the proxy in front of the servers of the handler, with telemetry if it
// is not nil.
func serve(t *testing.T, handler http.Handler, upstreams []string,
	observer *telemetry.Telemetry) func(t *testing.T, downstream, upstream string) client {
	t.Helper()
	servers := httptest.NewServer(handler)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var configs []upstream.Config
	for _, name := range upstreams {
		c := upstream.Config{Name: name, Transport: upstream.HTTP, URL: servers.URL + "/" + name, Settings: states.DefaultSettings()}
		switch name {
		case "sse":
			c.Transport = upstream.SSE
		case "stdio":
			c.Transport, c.URL, c.Command, c.Env = upstream.Stdio, "", self,
				map[string]credential.Secret{"FIDELITY_CHILD": credential.NewSecret("1")}
		}
		configs = append(configs, c)
	}
	directory := t.TempDir()
	i, err := instance.Start(t.Context(), instance.Options{
		StorePath: filepath.Join(directory, "store.db"), Keys: store.FileKeys(filepath.Join(directory, "key")), Connect: true, Configs: configs,
		Open:     func(context.Context, string) error { return errors.New("none") },
		LoginURL: func(string) string { return "" }, Logger: slog.New(slog.DiscardHandler), Version: "test",
		Telemetry: observer, Observe: journals.Watch(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	face := httptest.NewServer(i.Proxy.Handler())
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := i.Close(); err != nil {
			t.Error(err)
		}
		face.Close()
		servers.CloseClientConnections()
		servers.Close()
	})
	return func(t *testing.T, downstream, upstream string) client {
		switch url := face.URL + "/mcp/" + upstream; downstream {
		case "session":
			return newOverSession(t, url)
		case "stateless":
			return &withoutSession{t, url}
		}
		return newOverStdio(t, i.Proxy, upstream)
	}
}

func eachPair(t *testing.T, test func(t *testing.T, c client, downstream, upstream string)) {
	connect := start(t)
	for _, upstream := range upstreams {
		for _, downstream := range downstreams {
			t.Run(downstream+" to "+upstream, func(t *testing.T) { test(t, connect(t, downstream, upstream), downstream, upstream) })
		}
	}
}

// params are those of a call of an odd tool with the members of a corpus value, and
// with what the client has to say in _meta.
func params(c client, tool string, number int, meta string) string {
	both := strings.Trim(c.meta()+","+meta, ",")
	if both != "" {
		both = `"_meta":{` + both + `},`
	}
	return fmt.Sprintf(`{%s"name":%q,"arguments":{"case":%d,"odd":%s},"unknown":%s}`, both, tool, number, corpus[number].value, corpus[number].value)
}

func TestParametersAndResults(t *testing.T) {
	eachPair(t, func(t *testing.T, c client, _, _ string) {
		for number, odd := range corpus {
			sent := params(c, "odd", number, "")
			got := c.request(t.Context(), fmt.Sprint(number+1), "tools/call", sent)()
			result := member(t, got, "result")
			var received string
			if err := json.Unmarshal([]byte(member(t, result, "received")), &received); err != nil {
				t.Errorf("%s: %v in %.200s", odd.name, err, got)
				continue
			}
			compare(t, odd.name+": the parameters", members(t, sent), members(t, received))
			compare(t, odd.name+": the result", members(t, odd.value), without(members(t, result), "received", "resultType"))
		}
	})
}

func TestErrors(t *testing.T) {
	eachPair(t, func(t *testing.T, c client, _, _ string) {
		for number, odd := range corpus {
			got := c.request(t.Context(), fmt.Sprint(number+1), "tools/call", params(c, "fail", number, ""))()
			want := `{"code":-5,"message":"m","data":` + odd.value + `,"more":` + odd.value + `}`
			compare(t, odd.name, []string{oneLine(want)}, []string{oneLine(member(t, got, "error"))})
		}
	})
}

func TestNotifications(t *testing.T) {
	eachPair(t, func(t *testing.T, c client, _, upstream string) {
		if upstream == "session" {
			return // it answers with documents
		}
		for number, odd := range corpus {
			const token = `"pro\u0067ress"`
			next := c.request(t.Context(), fmt.Sprint(number+1), "tools/call", params(c, "progress", number, `"progressToken":`+token))
			want := `{"progress":1.0,"odd":` + odd.value + `,"progressToken":` + token + `,"total":12345678901234567890}`
			first := next()
			if !strings.Contains(first, `"notifications/progress"`) {
				t.Fatalf("%s: first came %.300s", odd.name, first)
			}
			compare(t, odd.name, []string{oneLine(want)}, []string{oneLine(member(t, first, "params"))})
			next()
		}
	})
}

// What a server asks during a call reaches the client as it is, and so does the
// answer. Between the protocols it becomes a result that asks for input; see proxy.
func TestQuestions(t *testing.T) {
	eachPair(t, func(t *testing.T, c client, downstream, upstream string) {
		if downstream == "stateless" || upstream == "stateless" || upstream == "session" {
			return // no question on a stream: the protocol has none, or the answer is a document
		}
		for number, odd := range corpus {
			next := c.request(t.Context(), fmt.Sprint(number+1), "tools/call", params(c, "ask", number, ""))
			asked := next()
			if !strings.Contains(asked, "sampling/createMessage") {
				t.Fatalf("asked was %.300s", asked)
			}
			compare(t, odd.name+": the question", members(t, odd.value), members(t, member(t, asked, "params")))
			c.say(`{"jsonrpc":"2.0","id":` + member(t, asked, "id") + `,"result":` + odd.value + `}`)
			var received string
			if err := json.Unmarshal([]byte(member(t, member(t, next(), "result"), "received")), &received); err != nil {
				t.Fatal(err)
			}
			compare(t, odd.name+": the answer", []string{questionID, oneLine(odd.value)},
				[]string{member(t, received, "id"), oneLine(member(t, received, "result"))})
		}
	})
}

// oneLine is how a value looks where newlines end messages.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }

func compare(t *testing.T, what string, want, got []string) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d members became %d: %.300q", what, len(want), len(got), got)
		return
	}
	for i := range want {
		if want[i] != got[i] {
			at := 0
			for at < min(len(want[i]), len(got[i])) && want[i][at] == got[i][at] {
				at++
			}
			from := max(at-20, 0)
			t.Errorf("%s: at byte %d, %.60q became %.60q", what, at, want[i][from:], got[i][from:])
		}
	}
}

// members are the members of an object, each as `name:value` raw and in their order,
// but for _meta, in which the protocols differ.
func members(t *testing.T, object string) (all []string) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(object))
	if _, err := decoder.Token(); err != nil {
		t.Fatalf("%v in %.200s", err, object)
	}
	for decoder.More() {
		name, err := decoder.Token()
		var value json.RawMessage
		if err == nil {
			err = decoder.Decode(&value)
		}
		if err != nil {
			t.Fatalf("%v in %.200s", err, object)
		}
		if name != "_meta" {
			all = append(all, fmt.Sprintf("%s:%s", name, oneLine(string(bytes.Clone(value)))))
		}
	}
	return all
}

func without(all []string, names ...string) []string {
	return slices.DeleteFunc(all, func(text string) bool {
		name, _, _ := strings.Cut(text, ":")
		return slices.Contains(names, name)
	})
}

func member(t *testing.T, object, name string) string {
	t.Helper()
	value, err := find(object, name)
	if err != nil {
		t.Fatalf("%v in %.200q", err, object)
	}
	return value
}

func find(object, name string) (string, error) {
	var all map[string]json.RawMessage
	err := json.Unmarshal([]byte(object), &all)
	return string(all[name]), err
}
