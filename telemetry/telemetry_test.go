package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, pair := range pairs {
			if given, value, _ := strings.Cut(pair, "="); given == name {
				return value, true
			}
		}
		return "", false
	}
}

func TestTheEnvironmentTurnsItOn(t *testing.T) {
	for _, c := range []struct {
		environment  []string
		traces, logs bool
	}{
		{nil, false, false},
		{[]string{"OTEL_SERVICE_NAME=x"}, false, false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"}, true, true},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/v1/traces"}, true, false},
		{[]string{"OTEL_LOGS_EXPORTER=otlp"}, false, true},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", "OTEL_LOGS_EXPORTER=none"}, true, false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", "OTEL_SDK_DISABLED=true"}, false, false},
	} {
		lookup := environment(c.environment...)
		if traces, logs := wanted(lookup, "TRACES"), wanted(lookup, "LOGS"); traces != c.traces || logs != c.logs {
			t.Errorf("%v: traces %v, logs %v", c.environment, traces, logs)
		}
	}
}

func TestAnotherProtocolIsRefused(t *testing.T) {
	_, err := Start(t.Context(), environment("OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"), "1",
		slog.New(slog.DiscardHandler))
	if !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
}

func TestOffItIsNilAndDoesNothing(t *testing.T) {
	off, err := Start(t.Context(), environment(), "1", slog.New(slog.DiscardHandler))
	if off != nil || err != nil {
		t.Fatal(off, err)
	}
	given := slog.New(slog.DiscardHandler)
	if off.Traces() || off.Logger(given) != given || off.Transport(http.DefaultTransport) != http.DefaultTransport ||
		off.Stop(t.Context()) != nil {
		t.Error("it is not off")
	}
}

// recorded returns telemetry whose spans stay in memory.
func recorded(t *testing.T) (*Telemetry, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	o := &Telemetry{}
	o.use(sdk.NewTracerProvider(sdk.WithSpanProcessor(spans)), "1")
	t.Cleanup(func() {
		if err := o.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return o, spans
}

const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestACallGoesOnWithItsClientsTraceAndKeepsItsBytes(t *testing.T) {
	o, spans := recorded(t)
	for _, c := range []struct{ params, want string }{
		{`{ "name":"t" , "_meta": {"progressToken":1,"traceparent":"` + given + `", "baggage":"k=v"},"arguments":{"x":1e3}}`,
			`{ "name":"t" , "_meta": {"progressToken":1,"traceparent":"@", "baggage":"k=v"},"arguments":{"x":1e3}}`},
		{`{"name":"t","_meta":{"tracestate":"a=b","traceparent":"` + given + `"}}`, `{"name":"t","_meta":{"tracestate":"a=b","traceparent":"@"}}`},
		{`{"name": "t"}`, `{"_meta":{"traceparent":"@"},"name": "t"}`},
		{``, `{"_meta":{"traceparent":"@"}}`},
		{`[1, 2]`, `[1, 2]`},
		{`{"_meta": 7}`, `{"_meta": 7}`},
	} {
		call := relay.Call{Method: "tools/call", Params: json.RawMessage(c.params)}
		_, ended := o.Call(t.Context(), "u", &call)
		ended(nil)
		all := spans.Ended()
		span := all[len(all)-1].SpanContext()
		want := strings.Replace(c.want, "@", "00-"+span.TraceID().String()+"-"+span.SpanID().String()+"-01", 1)
		if string(call.Params) != want {
			t.Errorf("%s\nbecame %s\nnot    %s", c.params, call.Params, want)
		}
		if continues := strings.Contains(c.params, given); continues != (span.TraceID().String() == given[3:35]) {
			t.Errorf("%s: trace %s", c.params, span.TraceID())
		}
	}
}

func TestSpansSayWhatFailedAndNoMore(t *testing.T) {
	o, spans := recorded(t)
	call := relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"search","arguments":{"q":"private"}}`)}
	ctx, ended := o.Call(t.Context(), "u", &call)
	o.Waited(ctx, "u", 1500*time.Millisecond)
	ended(jsonrpc.Errorf(jsonrpc.CodeUnavailable, "private"))
	_, done := o.Job(t.Context(), Job{Upstream: "u", Name: "refresh", State: "Refreshing", Flow: "f", Epoch: 7})
	done("Refreshed")
	tool, job := spans.Ended()[0], spans.Ended()[1]
	if tool.Name() != "tools/call u" || tool.Status().Code != codes.Error || len(tool.Events()) != 1 {
		t.Errorf("%s %v %v", tool.Name(), tool.Status(), tool.Events())
	}
	text := ""
	for _, a := range append(tool.Attributes(), job.Attributes()...) {
		text += string(a.Key) + "=" + a.Value.String() + " "
	}
	const want = "mcp.method.name=tools/call mcpproxy.upstream=u gen_ai.tool.name=search rpc.jsonrpc.error_code=-32003 error.type=error " +
		"mcpproxy.upstream=u mcpproxy.state=Refreshing mcpproxy.epoch=7 mcpproxy.flow.id=f mcpproxy.outcome=Refreshed "
	if text != want || strings.Contains(tool.Status().Description, "private") {
		t.Errorf("%s, %v", text, tool.Status())
	}
}

func TestServersAreToldTheTraceAndRequestsStayTheirOwners(t *testing.T) {
	o, _ := recorded(t)
	told := make(chan string, 2)
	server := httptest.NewServer(o.Accept(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		told <- r.Header.Get("Traceparent")
	})))
	defer server.Close()
	transport := &http.Transport{}
	client := &http.Client{Transport: o.Transport(transport)}
	defer client.CloseIdleConnections()
	ctx, ended := o.Call(t.Context(), "u", &relay.Call{Method: "m"})
	defer ended(nil)
	for _, c := range []struct {
		traced bool
	}{{true}, {false}} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if c.traced {
			request = request.WithContext(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if header := <-told; (header != "") != c.traced || request.Header.Get("Traceparent") != "" {
			t.Errorf("traced %v: the server was told %q, the request now has %q", c.traced, header, request.Header.Get("Traceparent"))
		}
	}
}
