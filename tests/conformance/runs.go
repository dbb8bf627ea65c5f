package conformance

// run is one call of the suite.
type run struct {
	// Name says what is run, for the report.
	Name string
	// suite is the npm alias of the suite's version.
	suite string
	args  []string
	// upstream is the kind of fixture behind the proxy for a run of the suite as its
	// client, or empty for the proxy as the client.
	upstream fixture
	// baseline lists expected failures, or is empty.
	baseline string
	// unscored says that the requirement set runs those without scoring them, so that
	// the suite has to be asked about each by itself.
	unscored bool
}

// fixture is how the server behind the proxy speaks.
type fixture string

const (
	stateful  fixture = "stateful"  // revisions with a session
	stateless fixture = "stateless" // 2026-07-28
)

const (
	next   = "conformance-next"
	stable = "conformance-stable"
)

// runs are all of them; the first of each side are the gates of the revisions.
func runs() []run {
	return []run{
		{Name: "client, required for 2025-11-25", suite: next, args: []string{"--requirements", "2025-11-25"}},
		{Name: "client, required for 2026-07-28", suite: next, args: []string{"--requirements", "2026-07-28"}},
		{Name: "client, everything there is", suite: next, args: []string{"--suite", "all"}},
		{Name: "client, everything in the stable release", suite: stable, args: []string{"--suite", "all"},
			baseline: "baselines/client-stable.yml"},
		{Name: "server, required for 2025-11-25, upstream stateful", suite: next, args: []string{"--requirements", "2025-11-25"},
			upstream: stateful},
		{Name: "server, required for 2026-07-28, upstream stateless", suite: next, args: []string{"--requirements", "2026-07-28"},
			upstream: stateless, baseline: "baselines/server-extensions.yml", unscored: true},
		{Name: "server, all of 2026-07-28, upstream stateless", suite: next, args: []string{"--suite", "all", "--spec-version", "2026-07-28"},
			upstream: stateless},
		{Name: "server, all of 2026-07-28, bridged to a stateful upstream", suite: next,
			args: []string{"--suite", "all", "--spec-version", "2026-07-28"}, upstream: stateful, baseline: "baselines/server-bridged.yml"},
		{Name: "server, all of 2025-11-25, bridged to a stateless upstream", suite: next,
			args: []string{"--suite", "all", "--spec-version", "2025-11-25"}, upstream: stateless, baseline: "baselines/server-bridged-back.yml"},
		{Name: "server, active in the stable release, upstream stateful", suite: stable, args: []string{"--suite", "active"}, upstream: stateful},
	}
}
