// Package telemetry sends traces and logs to an OpenTelemetry collector.
//
// It is off unless the environment turns it on, by the names that OpenTelemetry
// gives its variables: an endpoint (OTEL_EXPORTER_OTLP_ENDPOINT, or the one of a
// signal) or an exporter (OTEL_TRACES_EXPORTER=otlp, OTEL_LOGS_EXPORTER=otlp). Off,
// it costs a comparison with nil. It speaks OTLP over HTTP.
//
// It promises that what it sends holds no secret, no parameter and no result of a
// call, and that of a relayed request nothing changes but the trace context. An
// authorization server is never told of a trace.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// name of this program's own instrumentation.
const name = "mcpproxy"

// ErrProtocol says that the environment asks for a protocol other than OTLP over HTTP.
var ErrProtocol = errors.New("OTLP is spoken over HTTP only; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf")

// Telemetry sends traces, logs or both. A nil *Telemetry sends nothing; all
// methods may be called on it.
type Telemetry struct {
	tracer trace.Tracer // nil without traces
	logs   *log.LoggerProvider
	// stops flush and end the exporters.
	stops []func(context.Context) error
}

// Start starts what the environment asks for; nil where that is nothing. lookup is
// [os.LookupEnv]; beyond whether to start at all the exporters read the process'
// environment themselves. What goes wrong later is logged to logger. End it with Stop.
func Start(ctx context.Context, lookup func(string) (string, bool), version string, logger *slog.Logger) (*Telemetry, error) {
	traces, logs := wanted(lookup, "TRACES"), wanted(lookup, "LOGS")
	if !traces && !logs {
		return nil, nil
	}
	if protocol, set := lookup("OTEL_EXPORTER_OTLP_PROTOCOL"); set && protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("%w (it is %q)", ErrProtocol, protocol)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("telemetry was not delivered", "error", err) }))
	about, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName(name), semconv.ServiceVersion(version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	t := &Telemetry{}
	if traces {
		exporter, err := otlptracehttp.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("exporting traces: %w", err)
		}
		t.use(sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about)), version)
	}
	if logs {
		exporter, err := otlploghttp.New(ctx)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("exporting logs: %w", err), t.Stop(ctx))
		}
		t.logs = log.NewLoggerProvider(log.WithProcessor(log.NewBatchProcessor(exporter)), log.WithResource(about))
		t.stops = append(t.stops, t.logs.Shutdown)
	}
	return t, nil
}

// wanted reports whether the environment turns the signal on.
func wanted(lookup func(string) (string, bool), signal string) bool {
	value := func(name string) string { v, _ := lookup(name); return v }
	exporter := value("OTEL_" + signal + "_EXPORTER")
	switch {
	case value("OTEL_SDK_DISABLED") == "true" || exporter == "none":
		return false
	case exporter == "otlp":
		return true
	}
	return value("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || value("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

func (t *Telemetry) use(provider *sdk.TracerProvider, version string) {
	t.tracer = provider.Tracer(name, trace.WithInstrumentationVersion(version))
	t.stops = append(t.stops, provider.Shutdown)
}

// Traces reports whether traces are sent.
func (t *Telemetry) Traces() bool { return t != nil && t.tracer != nil }

// Logger returns a logger that also sends what given logs at the level and above.
func (t *Telemetry) Logger(given *slog.Logger) *slog.Logger {
	if t == nil || t.logs == nil {
		return given
	}
	return slog.New(slog.NewMultiHandler(given.Handler(), otelslog.NewHandler(name, otelslog.WithLoggerProvider(t.logs))))
}

// Stop sends what waits and ends the exporters, within ctx.
func (t *Telemetry) Stop(ctx context.Context) error {
	if t == nil {
		return nil
	}
	var problems []error
	for _, stop := range t.stops {
		problems = append(problems, stop(ctx))
	}
	return errors.Join(problems...)
}

// traceContext is the W3C's, without baggage: what a client sends along as baggage
// in _meta passes as it is, and what it tells this proxy by HTTP is for this proxy.
var traceContext = propagation.TraceContext{}

// Accept takes up the trace of clients that name one in the HTTP header traceparent.
func (t *Telemetry) Accept(next http.Handler) http.Handler {
	if !t.Traces() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(traceContext.Extract(r.Context(), propagation.HeaderCarrier(r.Header))))
	})
}

// Transport names the trace to the server in the HTTP header traceparent.
func (t *Telemetry) Transport(next http.RoundTripper) http.RoundTripper {
	if !t.Traces() {
		return next
	}
	return transport{next}
}

type transport struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !trace.SpanContextFromContext(r.Context()).IsValid() {
		return t.next.RoundTrip(r)
	}
	named := r.WithContext(r.Context())
	named.Header = r.Header.Clone()
	traceContext.Inject(r.Context(), propagation.HeaderCarrier(named.Header))
	return t.next.RoundTrip(named)
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] through.
func (t transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
