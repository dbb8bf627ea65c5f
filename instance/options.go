package instance

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/metrics"
	"mcpproxy/proxy"
	"mcpproxy/store"
	"mcpproxy/telemetry"
	"mcpproxy/upstream"
	"mcpproxy/upstream/browser"
)

// Options of an instance. StorePath alone is needed.
type Options struct {
	// StorePath is the file that keeps tokens and journals; its directory is made.
	StorePath string
	// Keys has the store's key; nil is the system's keyring or, where there is none, a
	// file beside the store ([store.DefaultKeys]).
	Keys store.KeySource
	// Socket is where the instance can be spoken to, if its program serves one; a second
	// process that wants the store is told.
	Socket string
	// LockTimeout is how long a store that another process holds is waited for; 0 means a
	// second.
	LockTimeout time.Duration
	// Configs are the upstreams; [upstream.Manager.Apply] changes them later. A name and a
	// URL or a command are enough for each.
	Configs []upstream.Config
	// Limits bound what is under way at once; the zero value is the default.
	Limits upstream.Limits
	// ClientLimits bound what clients may have under way; one that is 0 is the default.
	ClientLimits proxy.Limits
	// Connect says whether upstreams connect at once; without it each waits for its
	// Connect.
	Connect bool
	// Open opens a login's page, as [browser.Default] does; nil opens none, and the page's
	// address is shown.
	Open browser.Opener
	// Logger is told what happens; nil is one that says nothing.
	Logger *slog.Logger
	// Version is what servers and clients are told; "unknown" where it is empty.
	Version string
	// Token is demanded of downstream clients, if set; it has 16 characters or more.
	Token credential.Secret
	// AllowedHosts and AllowedOrigins are those of [proxy.Options].
	AllowedHosts, AllowedOrigins []string
	// LoginURL is where a user can begin the login of an upstream, if there is a page.
	LoginURL func(name string) string
	// Observe, if set, is told of each journal entry, in order for each upstream. It must
	// be quick.
	Observe func(fsm.Entry)
	// Metrics, if set, counts what the upstreams do, and is served at /metrics.
	Metrics *metrics.Metrics
	// Telemetry, if set, sends spans of calls and jobs.
	Telemetry *telemetry.Telemetry
	// AllowPrivate lets the authorization servers of all upstreams have private addresses.
	AllowPrivate bool
}

// OptionError says which of the [Options] cannot be used, and what would do.
type OptionError struct {
	// Field is the field's name, as Limits.CallWait.
	Field   string
	Problem string
}

func (e *OptionError) Error() string {
	return "instance.Options: " + e.Field + " " + e.Problem
}

// shortestToken keeps what clients show from being guessed.
const shortestToken = 16

// check names every option that cannot be used. What an upstream's configuration lacks
// is said by [upstream.Check].
func (o *Options) check() error {
	var all []error
	wrong := func(field, format string, args ...any) {
		all = append(all, &OptionError{field, fmt.Sprintf(format, args...)})
	}
	if o.StorePath == "" {
		wrong("StorePath", "is empty; name the file that keeps the tokens")
	}
	if o.LockTimeout < 0 {
		wrong("LockTimeout", "is less than 0; 0 is a second")
	}
	switch token := o.Token.Reveal(); {
	case token != "" && len(token) < shortestToken:
		wrong("Token", "is shorter than %d characters", shortestToken)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		wrong("Token", "has a blank, a line break or a character beyond ASCII in it, and no client could send it")
	}
	for _, host := range o.AllowedHosts {
		if host == "" || strings.ContainsAny(host, "/ ") {
			wrong("AllowedHosts", "has %q, which is no host (--allow-host); write it as proxy.example.com", host)
		}
	}
	for _, origin := range o.AllowedOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			wrong("AllowedOrigins", "has %q, which is no origin (--allow-origin); write it as https://app.example.com", origin)
		}
	}
	for _, limit := range o.limits() {
		if limit.value < 0 {
			wrong(limit.field, "is less than 0")
		}
	}
	if err := upstream.Check(o.Configs); err != nil {
		all = append(all, fmt.Errorf("instance.Options: Configs: %w", err))
	}
	return errors.Join(all...)
}

type limit struct {
	field string
	value int64
}

func (o *Options) limits() []limit {
	up, down := &o.Limits, &o.ClientLimits
	return []limit{
		{"Limits.Connecting.Total", int64(up.Connecting.Total)},
		{"Limits.Connecting.PerHost", int64(up.Connecting.PerHost)},
		{"Limits.Refreshing.Total", int64(up.Refreshing.Total)},
		{"Limits.Refreshing.PerHost", int64(up.Refreshing.PerHost)},
		{"Limits.CallWait", int64(up.CallWait)},
		{"Limits.CallsPerUpstream", int64(up.CallsPerUpstream)},
		{"ClientLimits.Sessions", int64(down.Sessions)},
		{"ClientLimits.CallsPerSession", int64(down.CallsPerSession)},
		{"ClientLimits.AbandonedAfter", int64(down.AbandonedAfter)},
		{"ClientLimits.RequestMiB", int64(down.RequestMiB)},
		{"ClientLimits.QueuedMiB", int64(down.QueuedMiB)},
		{"ClientLimits.QueuedPerClientMiB", int64(down.QueuedPerClientMiB)},
	}
}

// fill gives what may be left out its default.
func (o *Options) fill() {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Open == nil {
		o.Open = browser.None
	}
	o.Version = cmp.Or(o.Version, "unknown")
}
