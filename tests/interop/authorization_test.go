package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcpproxy/states"
	"mcpproxy/tests/golden"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// authorizationServer is one that nobody here wrote, and how it is used.
type authorizationServer struct {
	name    string
	command func(*testing.T) []string
	options map[string]any
	// scopes are those that the server which takes the tokens asks for.
	scopes []string
	oauth  upstream.OAuth
	// static says that its client is registered beforehand.
	static bool
}

// authorizationServers are those of docs/authorization-servers.md.
func authorizationServers() []authorizationServer {
	return []authorizationServer{
		{name: "oidc-provider 9, public clients", command: node("oidc-provider.mjs"), scopes: []string{"mcp"}},
		{name: "oidc-provider 9, confidential clients", command: node("oidc-provider.mjs"), scopes: []string{"mcp"},
			options: map[string]any{"methods": []string{"client_secret_basic"}}},
		{name: "oidc-provider 9, private_key_jwt dynamic clients", command: node("oidc-provider.mjs"), scopes: []string{"mcp"},
			options: map[string]any{"methods": []string{"private_key_jwt"}}},
		{name: "oidc-provider 9 that demands pushed requests", command: node("oidc-provider.mjs"), scopes: []string{"mcp"},
			options: map[string]any{"demandPAR": true}},
		{name: "oidc-provider 9 that demands DPoP with nonces", command: node("oidc-provider.mjs"), scopes: []string{"mcp"},
			options: map[string]any{"demandNonce": true}, oauth: upstream.OAuth{DPoP: true}},
		{name: "oidc-provider 9, device codes", command: node("oidc-provider.mjs"), scopes: []string{"mcp"},
			options: map[string]any{"device": true}, oauth: upstream.OAuth{Grant: upstream.DeviceCode}},
		{name: "workers-oauth-provider 1.2 in workerd", command: node("workers.mjs"), scopes: []string{"mcp"}},
		{name: "workers-oauth-provider 1.2 that refuses public clients", command: node("workers.mjs"), scopes: []string{"mcp"},
			options: map[string]any{"secrets": true}},
		{name: "better-auth 1.7 with oauth-provider", command: node("better-auth.mjs"), scopes: []string{"mcp"}},
		{name: "mcpAuthRouter of the TypeScript SDK 1.32", command: node("mcp-auth-router.mjs"), scopes: []string{"mcp"}},
		{name: "zitadel/oidc 3, its example server", command: zitadel, scopes: []string{"openid", "offline_access"},
			oauth: upstream.OAuth{ClientID: "registered", AuthMethod: "none"}, static: true},
	}
}

// The whole life of a credential at authorization servers that nobody here wrote.
func TestAuthorizationServers(t *testing.T) {
	servers := authorizationServers()
	rows := make([][7]string, len(servers)) // one outcome for each step of life
	t.Cleanup(func() {
		if !t.Failed() && !t.Skipped() {
			golden.Compare(t, document, withTable(t, servers, rows))
		}
	})
	for i, under := range servers {
		t.Run(under.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, under)
			for j, step := range life {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				outcome, err := step.happens(ctx, t, r, &under)
				cancel()
				rows[i][j] = outcome
				if err != nil {
					_, page := r.user.seen()
					t.Fatalf("%s: %v\nthe upstream is %+v\nthe last page is %s\nthe authorization server said:\n%s", step.name, err, r.Status(), page,
						r.provider.said())
				}
			}
		})
	}
}

// Two upstreams of one issuer register a confidential client each, or share one: neither
// takes the other's secret away.
func TestTwoUpstreamsOfOneIssuer(t *testing.T) {
	r := newRig(t, authorizationServer{command: node("oidc-provider.mjs"), scopes: []string{"mcp"},
		options: map[string]any{"methods": []string{"client_secret_basic"}}})
	r.stop(t)
	other := r.config
	other.Name, other.URL = "v", protect(t, r.provider, []string{"mcp"})
	r.others = append(r.others, other)
	r.start(t, r.user.open)
	v, err := r.instance.Manager.Get("v")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	both := []*upstream.Upstream{r.Upstream, v}
	for _, u := range both {
		if err := u.Login(ctx, nil); err != nil {
			t.Fatalf("%s: %v\nthe authorization server said:\n%s", u.Name(), err, r.provider.said())
		}
	}
	for _, u := range both {
		renewed := u.Snapshot().Data.Generation + 2
		if _, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool { return s.Data.Generation >= renewed }); err != nil {
			t.Fatalf("%s: %v\nthe authorization server said:\n%s", u.Name(), err, r.provider.said())
		}
		if err := echo(ctx, u); err != nil {
			t.Error(err)
		}
	}
}

// life is what happens to a credential, in this order.
var life = []struct {
	name    string
	happens func(context.Context, *testing.T, *rig, *authorizationServer) (outcome string, err error)
}{
	{"first login and call", firstLogin},
	{"expiry with rotation", expiry},
	{"restart on an expired token", restart},
	{"revocation", revocation},
	{"client forgotten with a token", forgottenWithToken},
	{"logout", logout},
	{"client forgotten without a token", forgottenWithoutToken},
}

func firstLogin(ctx context.Context, _ *testing.T, r *rig, _ *authorizationServer) (string, error) {
	if err := r.login(ctx); err != nil {
		return "", err
	}
	if token := r.Snapshot().Data.Token; !token.HasRefresh() {
		return "", errors.New("the token cannot be renewed")
	}
	client := r.Status().Token.Client
	return client.Registration + ", " + client.Authentication, r.echo(ctx)
}

// expiry lives through two renewals: the second one spends what the first one brought.
func expiry(ctx context.Context, t *testing.T, r *rig, _ *authorizationServer) (string, error) {
	first, before := *r.Snapshot().Data.Token, pages(r)
	for generation := first.Generation + 1; generation <= first.Generation+2; generation++ {
		s, err := r.Machine().Wait(ctx, func(s *transitions.Snapshot) bool { return s.Data.Generation >= generation })
		if err != nil {
			return "", err
		}
		if s.Data.Token.Access == first.Access || s.Data.Token.Refresh == first.Refresh {
			t.Errorf("the token of the generation %d was not replaced", generation)
		}
		if err := r.echo(ctx); err != nil {
			return "", err
		}
	}
	return "renewed, both tokens replaced", noPage(r, before)
}

// restart finds a token that is over beside a refresh token, and nobody at a browser.
func restart(ctx context.Context, t *testing.T, r *rig, _ *authorizationServer) (string, error) {
	before, generation := pages(r), r.Snapshot().Data.Generation
	r.stop(t)
	r.expired()
	r.start(t, func(context.Context, string) error {
		t.Error("a page was opened")
		return nil
	})
	if err := r.echo(ctx); err != nil {
		return "", err
	}
	if r.Snapshot().Data.Generation <= generation {
		return "", errors.New("the token was not renewed")
	}
	r.stop(t)
	r.start(t, r.user.open)
	return "renewed, no browser", noPage(r, before)
}

// revocation ends the grant behind the proxy's back.
func revocation(ctx context.Context, t *testing.T, r *rig, _ *authorizationServer) (string, error) {
	if err := r.AwaitPhase(ctx, states.Phase(states.Connected)); err != nil {
		return "", err
	}
	r.provider.do(t, "revoke")
	if err := r.echo(ctx); err == nil {
		return "", errors.New("a call went through")
	}
	return loginAgain(ctx, r)
}

// forgottenWithToken deletes the client while its refresh token lies here.
func forgottenWithToken(ctx context.Context, t *testing.T, r *rig, under *authorizationServer) (string, error) {
	if under.static {
		return "registered beforehand", nil
	}
	client := r.Snapshot().Data.Token.ClientID
	r.provider.do(t, "forget")
	outcome, err := loginAgain(ctx, r)
	if err != nil {
		return "", err
	}
	if r.Snapshot().Data.Token.ClientID == client {
		return "", errors.New("no client was registered again")
	}
	return outcome + " with another client", nil
}

// loginAgain waits until it is said that a login is needed, and logs in.
func loginAgain(ctx context.Context, r *rig) (string, error) {
	if err := r.AwaitPhase(ctx, states.Phase(states.LoginRequired)); err != nil {
		return "", err
	}
	reason := r.Snapshot().Data.Reason
	if err := r.login(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("`LoginRequired` (%s), then a login", reason), r.echo(ctx)
}

func logout(ctx context.Context, t *testing.T, r *rig, _ *authorizationServer) (string, error) {
	last := r.Snapshot().Data.Token
	if !r.provider.active(t, last.Access.Reveal()) || !r.provider.renewable(t, last.Refresh.Reveal()) {
		return "", errors.New("the current tokens are not active")
	}
	if err := r.Logout(ctx); err != nil {
		return "", err
	}
	if r.provider.renewable(t, last.Refresh.Reveal()) {
		return "", errors.New("the refresh token is active after the logout")
	}
	if r.provider.active(t, last.Access.Reveal()) {
		return "", errors.New("the access token is active after the logout")
	}
	return "both tokens revoked", nil
}

// forgottenWithoutToken deletes the client while nobody is logged in: the page of the
// next login is an error, and the login after that one registers again.
func forgottenWithoutToken(ctx context.Context, t *testing.T, r *rig, under *authorizationServer) (string, error) {
	if under.static {
		return "registered beforehand", nil
	}
	r.provider.do(t, "forget")
	attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := r.login(attempt); err == nil {
		return "registers another client by itself", r.echo(ctx)
	}
	outcome := "refused; the next login registers another client"
	if r.Snapshot().Region(states.Credential).Is(transitions.LoginOpen) {
		outcome = "an error page; after `auth cancel` a login registers another client"
		if _, err := r.CancelLogin(); err != nil {
			return "", err
		}
	}
	if err := r.login(ctx); err != nil {
		return "", err
	}
	return outcome, r.echo(ctx)
}

// document has a section that the test writes.
const (
	document = "../../docs/authorization-servers.md"
	heading  = "## What is run in continuous integration\n"
)

// withTable is the document with the outcomes in their section.
func withTable(t *testing.T, servers []authorizationServer, rows [][7]string) string {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), heading)
	if !found {
		t.Fatalf("%s has no section %q", document, heading)
	}
	intro, rest, _ := strings.Cut(rest, "\n| ")
	_, after, more := strings.Cut(rest, "\n## ")
	var table strings.Builder
	table.WriteString(before + heading + intro + "\n| authorization server |")
	for _, step := range life {
		table.WriteString(" " + step.name + " |")
	}
	table.WriteString("\n|---|" + strings.Repeat("---|", len(life)) + "\n")
	for i, row := range rows {
		table.WriteString("| " + servers[i].name + " | " + strings.Join(row[:], " | ") + " |\n")
	}
	if more {
		table.WriteString("\n## " + after)
	}
	return table.String()
}

func pages(r *rig) int {
	n, _ := r.user.seen()
	return n
}

func noPage(r *rig, before int) error {
	if pages(r) != before {
		return errors.New("a page was opened")
	}
	return nil
}

// node runs a script of this directory with the Node that is installed here.
func node(script string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		directory := installed(t)
		return []string{nodeProgram(directory), filepath.Join(directory, "servers", script)}
	}
}

// zitadel builds the example server, which is a module of its own.
func zitadel(t *testing.T) []string {
	program := filepath.Join(t.TempDir(), "zitadel")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "zitadel"
	build.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("skipped: the example server of zitadel/oidc cannot be built: %v\n%s", err, strings.TrimSpace(string(out)))
	}
	return []string{program}
}
