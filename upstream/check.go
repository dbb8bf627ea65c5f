package upstream

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"mcpproxy/states"
)

// FieldError says what keeps a configuration from being used that a program gives.
type FieldError struct {
	// Field is the field of a [Config], as OAuth.Grant.
	Field   string
	Problem string
}

func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

// namePattern keeps names fit for tool names, paths and shells.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// CheckName says what is wrong with the name of an upstream; nil where nothing is.
func CheckName(name string) error {
	if !namePattern.MatchString(name) || strings.Contains(name, "__") {
		return errors.New("a name has up to 64 letters, digits, '.', '_' and '-', begins with a letter or digit, and has no '__' in it")
	}
	return nil
}

// AuthMethods returns what [OAuth.AuthMethod] may be.
func AuthMethods() []string {
	return []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}
}

// Check checks every configuration, each by itself and that no two have one name. The
// error joins a [FieldError] for each field that cannot be used; one that has a Problem
// already becomes a Failed upstream that says so, and is not looked at.
func Check(configs []Config) error {
	seen, all := map[string]bool{}, []error(nil)
	for at, c := range configs {
		problem := c.Check()
		if seen[c.Name] {
			problem = errors.Join(&FieldError{"Name", "is that of another upstream; give each its own"}, problem)
		}
		seen[c.Name] = true
		if problem != nil {
			all = append(all, fmt.Errorf("upstream %d (%q): %w", at+1, c.Name, problem))
		}
	}
	return errors.Join(all...)
}

// Check says what keeps the configuration from being used; see [Check].
func (c *Config) Check() error {
	if c.Problem != "" {
		return nil
	}
	var all []error
	wrong := func(field, format string, args ...any) {
		all = append(all, &FieldError{field, fmt.Sprintf(format, args...)})
	}
	if err := CheckName(c.Name); err != nil {
		wrong("Name", "cannot be used: %v", err)
	}
	switch remote := c.URL != "" || c.Command == ""; {
	case c.URL != "" && c.Command != "":
		wrong("Command", "is given beside URL; give one of them")
	case c.URL == "" && c.Command == "":
		wrong("URL", "is missing; give one (a remote server) or Command (a local one)")
	case !slices.Contains([]Transport{"", HTTP, SSE, Stdio}, c.Transport):
		wrong("Transport", "%q is none of %s, %s and %s; without one it is told by URL or Command", c.Transport, HTTP, SSE, Stdio)
	case c.Transport != "" && remote == (c.Transport == Stdio):
		wrong("Transport", "%q does not go with what is given, URL or Command", c.Transport)
	case remote && !isHTTP(c.URL):
		wrong("URL", "is no http or https address without a user's name; write it as https://host/path")
	}
	c.OAuth.check(wrong)
	c.checkSettings(wrong)
	return errors.Join(all...)
}

func (o *OAuth) check(wrong func(field, format string, args ...any)) {
	if o.Grant != "" && !slices.Contains(Grants(), o.Grant) {
		wrong("OAuth.Grant", "%q is none of %v", o.Grant, Grants())
	}
	if o.AuthMethod != "" && !slices.Contains(AuthMethods(), o.AuthMethod) {
		wrong("OAuth.AuthMethod", "%q is none of %v", o.AuthMethod, AuthMethods())
	}
	if o.CallbackPort < 0 || o.CallbackPort > 65535 {
		wrong("OAuth.CallbackPort", "%d is no port; 0 takes a free one", o.CallbackPort)
	}
	if o.Resource != "" && o.OmitResource {
		wrong("OAuth.Resource", "is given, and OAuth.OmitResource sends none; give one of them")
	}
	need := func(field string, missing bool) {
		if missing {
			wrong("OAuth."+field, "is missing; the grant %s needs it", o.Grant)
		}
	}
	switch o.Grant {
	case ClientCredentials:
		need("ClientID", o.ClientID == "")
		need("ClientSecret", o.ClientSecret.IsZero() && o.PrivateKey.IsZero())
	case WorkloadIdentity:
		need("AssertionFile", o.AssertionFile == "")
	case EnterpriseManaged:
		need("ClientID", o.ClientID == "")
		need("IdentityProvider.TokenEndpoint", o.IdentityProvider.TokenEndpoint == "")
		need("IdentityProvider.IDTokenFile", o.IdentityProvider.IDTokenFile == "")
	}
}

// checkSettings looks at settings that are set; without any they are the default.
func (c *Config) checkSettings(wrong func(field, format string, args ...any)) {
	s := c.withDefaults().Settings
	for _, deadline := range []struct {
		field string
		value time.Duration
	}{{"LoginDeadline", s.LoginDeadline}, {"ConnectDeadline", s.ConnectDeadline}} {
		if deadline.value <= 0 {
			wrong("Settings."+deadline.field, "is %v; begin with states.DefaultSettings() and change what is to differ", deadline.value)
		}
	}
	for _, limit := range []struct {
		field string
		value int64
	}{
		{"BrowserInterval", int64(s.BrowserInterval)}, {"BrowserBudget", int64(s.BrowserBudget)},
		{"RefreshAttempts", int64(s.RefreshAttempts)}, {"RefreshBudget", int64(s.RefreshBudget)},
		{"ForcedRefreshes", int64(s.ForcedRefreshes)}, {"ForcedWindow", int64(s.ForcedWindow)},
	} {
		if limit.value < 0 {
			wrong("Settings."+limit.field, "is less than 0")
		}
	}
}

func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "http" || u.Scheme == "https")
}

// withDefaults fills in the transport, which the rest tells, and the settings where none
// is set but that the machine may open a browser.
func (c Config) withDefaults() Config {
	if c.Transport == "" {
		c.Transport = HTTP
		if c.Command != "" {
			c.Transport = Stdio
		}
	}
	automatic := c.Settings.AutomaticLogin
	c.Settings.AutomaticLogin = false
	if c.Settings == (states.Settings{}) {
		c.Settings = states.DefaultSettings()
	}
	c.Settings.AutomaticLogin = automatic
	return c
}
