package upstream

import (
	"time"

	"mcpproxy/status"
)

// Status returns the upstream as it is now.
func (u *Upstream) Status() status.Upstream {
	catalog := u.Catalog()
	now := status.Of(u.Machine().Definition(), u.Snapshot(), time.Now())
	now.Transport, now.URL = string(u.config.Transport), u.config.URL
	now.Refused, now.Said = u.seen.refusals(), u.words.Last()
	for i := range now.Regions {
		r := &now.Regions[i]
		r.EnteredBy, r.QueuedBy = u.seen.entry(r.Region, r.Epoch)
	}
	now.Tools, now.Resources, now.Prompts = len(catalog.Tools), len(catalog.Resources), len(catalog.Prompts)
	return now
}
