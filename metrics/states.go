package metrics

import "github.com/prometheus/client_golang/prometheus"

var (
	stateDesc   = prometheus.NewDesc(state.Name, state.Help, state.Labels, nil)
	sinceDesc   = prometheus.NewDesc(since.Name, since.Help, since.Labels, nil)
	expiresDesc = prometheus.NewDesc(expires.Name, expires.Help, expires.Labels, nil)
)

// stateCollector reads the machines when it is asked, so that it cannot disagree
// with them.
type stateCollector struct{ now func() []Now }

// Describe implements [prometheus.Collector].
func (*stateCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- stateDesc
	descriptions <- sinceDesc
	descriptions <- expiresDesc
}

// Collect implements [prometheus.Collector].
func (c *stateCollector) Collect(metrics chan<- prometheus.Metric) {
	say := func(description *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, labels...)
	}
	for _, u := range c.now() {
		for _, r := range u.Regions {
			say(stateDesc, 1, u.Upstream, r.Region, r.State)
			say(sinceDesc, float64(r.Since.UnixMilli())/1000, u.Upstream, r.Region)
		}
		if !u.TokenExpires.IsZero() {
			say(expiresDesc, float64(u.TokenExpires.UnixMilli())/1000, u.Upstream)
		}
	}
}
