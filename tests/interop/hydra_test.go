package interop

import (
	"context"
	"flag"
	"testing"
	"time"
)

var hydraProgram = flag.String("hydra", "", "the program of Ory Hydra, for TestHydra (make interop-hydra builds it)")

// The life of a credential at Ory Hydra, whose build is too long for each run of the tests.
func TestHydra(t *testing.T) {
	if *hydraProgram == "" {
		t.Skip("skipped: it needs the program of Ory Hydra; run: make interop-hydra")
	}
	t.Setenv("HYDRA", *hydraProgram)
	under := authorizationServer{name: "Ory Hydra 2.3", command: node("hydra.mjs"), scopes: []string{"mcp", "offline_access"}}
	r := newRig(t, under)
	for _, step := range life {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		outcome, err := step.happens(ctx, t, r, &under)
		cancel()
		if err != nil {
			_, page := r.user.seen()
			t.Fatalf("%s: %v\nthe upstream is %+v\nthe last page is %s\nthe authorization server said:\n%s", step.name, err, r.Status(), page,
				r.provider.said())
		}
		t.Logf("| %s | %s |", step.name, outcome)
	}
}
