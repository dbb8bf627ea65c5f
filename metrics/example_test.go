package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"mcpproxy/fsm"
	"mcpproxy/metrics"
)

// What the machines did is counted, and served in the format of Prometheus.
func ExampleMetrics_Entry() {
	m := metrics.New("1")
	m.Entry(fsm.Entry{
		Machine: "github", Region: "credential", Event: "Refreshed", From: "Refreshing", To: "Fresh", Disposition: fsm.Moved,
	})
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(line, "mcpproxy_transitions_total") {
			fmt.Print(line)
		}
	}
	// Output:
	// mcpproxy_transitions_total{event="Refreshed",from="Refreshing",region="credential",to="Fresh"} 1
}
