// Command server runs the test authorization server and MCP server.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"mcpproxy/tests/oauthserver"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func run() error {
	var faults []oauthserver.Fault
	o := oauthserver.Options{Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil))}
	flag.IntVar(&o.Port, "port", 9000, "port on 127.0.0.1; 0 takes a free one")
	flag.DurationVar(&o.AccessTokenTTL, "access-token-ttl", time.Hour, "how long access tokens live")
	flag.BoolVar(&o.AutoApprove, "auto-approve", false, "consent without a page")
	flag.BoolVar(&o.KeepRefreshTokens, "keep-refresh-tokens", false, "do not rotate refresh tokens")
	flag.BoolVar(&o.NoRefreshTokens, "no-refresh-tokens", false, "issue no refresh tokens")
	flag.BoolVar(&o.NoRegistration, "no-registration", false, "no dynamic client registration")
	flag.StringVar(&o.SignedOnly, "signed-only", "",
		"have clients show themselves by assertions only that are signed with this algorithm (private_key_jwt)")
	flag.BoolVar(&o.ConfidentialOnly, "confidential-only", false,
		"register no public clients, and list none as an authentication method all the same")
	flag.BoolVar(&o.ScopeBound, "scope-bound", false, "hold clients to the scopes that they registered")
	flag.StringVar(&o.RefuseScope, "refuse-scope", "", "a scope that no client may register")
	flag.BoolVar(&o.Quirks.SilentPKCE, "silent-pkce", false, "metadata without code_challenge_methods_supported")
	flag.StringVar(&o.Quirks.Issuer, "issuer", "", "the issuer that metadata and responses name, in place of the address")
	flag.StringVar(&o.Quirks.Redirect, "redirect", "", "the only redirect address that is taken, whatever its port")
	flag.StringVar(&o.Quirks.Resource, "resource", "", "the only resource indicator that is taken, in place of the MCP server's address")
	flag.StringVar(&o.Quirks.Audience, "audience", "", "an audience that token requests have to name")
	flag.BoolVar(&o.Quirks.ListsOffline, "lists-offline", false, "list the scope offline_access and give it to nobody")
	flag.BoolVar(&o.Quirks.NoRevocation, "no-revocation", false, "no revocation endpoint")
	flag.IntVar(&o.Quirks.RevocationStatus, "revocation-status", 0, "what a revocation is answered with; 0 is 200")
	flag.BoolVar(&o.Quirks.RevokesRefreshOnly, "revokes-refresh-only", false, "revoke no access tokens")
	flag.BoolVar(&o.Quirks.RevokesAlone, "revokes-alone", false, "revoke the token that is shown, and not its grant")
	flag.BoolVar(&o.PushRequired, "push-required", false, "take pushed authorization requests only (RFC 9126)")
	flag.BoolVar(&o.NoAuth, "no-auth", false, "protect nothing")
	flag.BoolVar(&o.OptionalAuth, "optional-auth", false, "take requests without a token too")
	flag.BoolVar(&o.Sessions, "sessions", false, "speak only the MCP revisions with a session")
	flag.Func("fault", "a fault as "+
		"endpoint:kind[,count=n][,grant=g][,method=m][,delay=ms][,status=n][,retry_after=s][,ttl=s][,content_type=t][,body=text to the "+
		"end]; may be repeated", func(text string) error {
		f, err := oauthserver.ParseFault(text)
		faults = append(faults, f)
		return err
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := oauthserver.Start(ctx, o)
	if err != nil {
		return err
	}
	if err := s.SetFaults(faults...); err != nil {
		return err
	}
	fmt.Printf("ready: authorization server %s, MCP server %s, control %s/control/counters\n", s.URL(), s.MCPURL(), s.URL())
	<-ctx.Done()
	return s.Close()
}
