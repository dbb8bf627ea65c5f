package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// meta is the trace context in a request's parameters (MCP, _meta: traceparent and
// tracestate are reserved there for the W3C's, SEP-414).
type meta struct{ call *relay.Call }

// Get implements [propagation.TextMapCarrier].
func (m meta) Get(key string) string {
	value, _ := jsonrpc.String(m.call.Params, "_meta", key)
	return value
}

// Set implements [propagation.TextMapCarrier]; all other bytes stay as they are.
func (m meta) Set(key, value string) {
	if !object(m.call.Params) || !object(jsonrpc.Member(m.call.Params, "_meta")) {
		return // parameters of another kind are the server's to judge
	}
	quoted, _ := json.Marshal(value) // strings always encode
	m.call.Params, m.call.Members = jsonrpc.Put(m.call.Params, quoted, "_meta", key), nil
}

// object reports whether raw is a JSON object, or missing.
func object(raw json.RawMessage) bool {
	trimmed := bytes.TrimSpace(raw)
	return len(trimmed) == 0 || trimmed[0] == '{'
}

// Keys implements [propagation.TextMapCarrier].
func (meta) Keys() []string { return traceContext.Fields() }

var _ propagation.TextMapCarrier = meta{}

// Call begins the span of a call and names it to the upstream in _meta. A trace
// that the client named there is gone on with; else that of the HTTP header. The
// function that it returns ends the span.
func (t *Telemetry) Call(ctx context.Context, upstream string, call *relay.Call) (context.Context, func(error)) {
	attributes := []attribute.KeyValue{attribute.String("mcp.method.name", call.Method), attribute.String("mcpproxy.upstream", upstream)}
	if tool, named := jsonrpc.String(call.Params, "name"); named && call.Method == "tools/call" {
		attributes = append(attributes, attribute.String("gen_ai.tool.name", tool))
	}
	ctx, span := t.tracer.Start(traceContext.Extract(ctx, meta{call}), call.Method+" "+upstream, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attributes...))
	traceContext.Inject(ctx, meta{call})
	return ctx, func(err error) {
		if err != nil {
			kind := "failed"
			var answer *jsonrpc.Error
			switch {
			case ctx.Err() != nil:
				kind = "cancelled"
			case errors.As(err, &answer):
				span.SetAttributes(attribute.Int("rpc.jsonrpc.error_code", answer.Code))
				kind = "error"
			}
			span.SetAttributes(attribute.String("error.type", kind))
			span.SetStatus(codes.Error, kind)
		}
		span.End()
	}
}

// Waited notes in a call's span how long it waited for its upstream.
func (t *Telemetry) Waited(ctx context.Context, _ string, waited time.Duration) {
	trace.SpanFromContext(ctx).AddEvent("waited for the upstream",
		trace.WithAttributes(attribute.Float64("mcpproxy.waited_seconds", waited.Seconds())))
}

// Job is what a span says of a job.
type Job struct {
	Upstream, Name, State, Flow string
	Epoch                       uint64
}

// Job begins the span of a job; the function that it returns ends it with the
// event that was the outcome, or none.
func (t *Telemetry) Job(ctx context.Context, j Job) (context.Context, func(event string)) {
	ctx, span := t.tracer.Start(ctx, "job "+j.Name,
		trace.WithAttributes(attribute.String("mcpproxy.upstream", j.Upstream), attribute.String("mcpproxy.state", j.State),
			attribute.Int64("mcpproxy.epoch", int64(j.Epoch)))) // #nosec G115 -- epochs count up from 1
	if j.Flow != "" {
		span.SetAttributes(attribute.String("mcpproxy.flow.id", j.Flow))
	}
	return ctx, func(event string) {
		if event != "" {
			span.SetAttributes(attribute.String("mcpproxy.outcome", event))
		}
		span.End()
	}
}
