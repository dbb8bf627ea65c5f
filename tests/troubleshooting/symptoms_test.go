package troubleshooting

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"

	"go.etcd.io/bbolt"
)

// symptom is one entry of the document.
type symptom struct {
	name    string
	options oauthserver.Options
	// provoke brings the upstream there, and returns the message that a user or
	// client gets, if it gets one.
	provoke func(*scene) error
	// when narrows the moment of the explanation; nil takes the first.
	when func(status.Upstream) bool
	// refused keeps the last refused event; it is left out otherwise, as others come by chance.
	refused bool
}

var approve = oauthserver.Options{AutoApprove: true}

func symptoms() []symptom {
	revoked := func(s *scene) error {
		s.start()
		s.login()
		s.server.RevokeGrants()
		return s.fails(s.call("echo"))
	}
	return []symptom{
		{name: "never-logged-in", options: approve, provoke: func(s *scene) error {
			s.start()
			s.awaitReason(states.NeverLoggedIn)
			return s.fails(s.call("echo"))
		}},
		{name: "login-is-open", provoke: func(s *scene) error {
			s.browse = func(string) {}
			s.start()
			s.awaitReason(states.NeverLoggedIn)
			s.begin()
			return s.fails(s.call("echo"))
		}},
		{name: "login-timed-out", provoke: func(s *scene) error {
			s.browse = func(string) {}
			s.config.Settings.LoginDeadline = 200 * time.Millisecond
			s.start()
			return s.fails(s.tryLogin())
		}},
		{name: "login-denied", options: approve, provoke: func(s *scene) error {
			s.faults(oauthserver.Fault{Endpoint: "authorize", Kind: "denied"})
			s.start()
			return s.fails(s.tryLogin())
		}},
		{name: "login-cancelled", provoke: func(s *scene) error {
			s.browse = func(string) {}
			s.start()
			s.awaitReason(states.NeverLoggedIn)
			outcome := s.begin()
			if _, err := s.up.CancelLogin(); err != nil {
				s.Fatal(err)
			}
			return s.fails(<-outcome)
		}},
		{name: "login-held-back", options: approve, refused: true, provoke: func(s *scene) error {
			s.faults(oauthserver.Fault{Endpoint: "authorize", Kind: "denied"})
			s.config.Settings.AutomaticLogin = true
			s.start()
			s.awaitReason(states.LoginDenied)
			return s.fails(s.call("echo"))
		}, when: func(now status.Upstream) bool { return len(now.Refused) > 0 }},
		{name: "port-taken", options: approve, provoke: func(s *scene) error {
			s.config.OAuth.CallbackPort = s.takenPort()
			s.start()
			return s.fails(s.tryLogin())
		}},
		{name: "expired-and-unavailable", options: approve, provoke: func(s *scene) error {
			s.faults(oauthserver.Fault{Endpoint: "token", Kind: "ttl", TTL: 2, Grant: "authorization_code", Count: 1},
				oauthserver.Fault{Endpoint: "token", Kind: "status", Status: 503, Grant: "refresh_token"})
			s.config.Settings.RefreshBudget = 0
			s.start()
			s.login()
			s.await(states.Credential, states.RefreshPaused)
			s.status(func(now status.Upstream) bool { return now.Outlook == transitions.RenewalFails })
			return s.fails(s.call("echo"))
		}},
		{name: "invalid-grant", options: approve, provoke: revoked},
		{name: "rotation-lost", options: approve, provoke: func(s *scene) error {
			s.expired()
			s.faults(oauthserver.Fault{Endpoint: "token", Kind: "cut-after", Grant: "refresh_token", Count: 1})
			s.start()
			s.awaitReason(states.RotationLost)
			return s.fails(s.call("echo"))
		}},
		{name: "no-refresh-token", options: oauthserver.Options{AutoApprove: true, NoRefreshTokens: true}, provoke: func(s *scene) error {
			s.expired()
			s.start()
			s.awaitReason(states.TokenExpired)
			return s.fails(s.call("echo"))
		}},
		{name: "client-forgotten", options: approve, provoke: func(s *scene) error {
			s.start()
			s.login()
			s.server.ForgetClients()
			return s.fails(s.call("echo"))
		}},
		{name: "client-rejected", options: oauthserver.Options{AutoApprove: true, Clients: map[string]string{"robot": "right"}}, provoke: func(s *scene) error {
			s.config.OAuth.ClientID, s.config.OAuth.ClientSecret = "robot", credential.NewSecret("wrong")
			s.start()
			return s.fails(s.tryLogin())
		}},
		{name: "registration-refused", options: oauthserver.Options{AutoApprove: true, NoRegistration: true}, provoke: func(s *scene) error {
			s.start()
			return s.fails(s.tryLogin())
		}},
		{name: "fresh-token-refused", options: approve, provoke: func(s *scene) error {
			s.faults(oauthserver.Fault{Endpoint: "mcp", Kind: "unauthorized"})
			s.start()
			if err := s.up.Login(s.context(), nil); err != nil {
				s.Fatal(err)
			}
			s.awaitReason(states.TokenRejected)
			return s.fails(s.call("echo"))
		}},
		{name: "clock-skew", options: approve, provoke: func(s *scene) error {
			// Tokens that are said to live an hour die after a second.
			s.faults(oauthserver.Fault{Endpoint: "token", Kind: "ttl", TTL: 3600})
			s.config.Settings.ForcedRefreshes = 2
			s.start()
			s.login()
			for {
				s.server.RevokeAccess()
				if err := s.call("echo"); err != nil {
					return err
				}
			}
		}},
		{name: "missing-scope", options: approve, provoke: func(s *scene) error {
			s.start()
			s.login()
			return s.fails(s.call("admin"))
		}},
		{name: "discovery-html", options: approve, provoke: func(s *scene) error {
			s.faults(oauthserver.Fault{Endpoint: "metadata", Kind: "html"})
			s.start()
			return s.fails(s.tryLogin())
		}},
		{name: "silent-pkce", options: oauthserver.Options{AutoApprove: true, Quirks: oauthserver.Quirks{SilentPKCE: true}}, provoke: func(s *scene) error {
			s.start()
			return s.fails(s.tryLogin())
		}},
		{name: "no-metadata", options: approve, provoke: func(s *scene) error {
			s.faults(oauthserver.Fault{Endpoint: "metadata", Kind: "status", Status: 404})
			s.start()
			return s.fails(s.tryLogin())
		}},
		{name: "wrong-issuer", options: approve, provoke: func(s *scene) error {
			s.faults(oauthserver.Fault{Endpoint: "metadata", Kind: "wrong-issuer"})
			s.start()
			return s.fails(s.tryLogin())
		}},
		{name: "wrong-issuer-in-the-response", options: approve, provoke: func(s *scene) error {
			s.faults(oauthserver.Fault{Endpoint: "authorize", Kind: "wrong-issuer"})
			s.start()
			return s.fails(s.tryLogin())
		}},
		{name: "code-refused", options: approve, provoke: func(s *scene) error {
			s.faults(oauthserver.Fault{Endpoint: "token", Kind: "invalid-grant"})
			s.start()
			return s.fails(s.tryLogin())
		}},
		{name: "static-token-refused", provoke: func(s *scene) error {
			s.config.Headers = map[string]credential.Secret{"Authorization": credential.NewSecret("Bearer no")}
			s.start()
			s.awaitReason(states.StaticRefused)
			return s.fails(s.call("echo"))
		}},
		{name: "server-down", provoke: func(s *scene) error {
			if err := s.server.Close(); err != nil {
				s.Fatal(err)
			}
			s.start()
			for tries := 1; ; tries++ { // a call may meet the attempt itself
				ctx, cancel := context.WithTimeout(s.context(), 300*time.Millisecond)
				err := s.fails(s.callWithin(ctx, "echo"))
				cancel()
				if tries == 10 || strings.Contains(err.Error(), string(states.BackingOff)) {
					return err
				}
			}
		}, when: func(now status.Upstream) bool { return now.Phase == "BackingOff" }},
		{name: "server-unavailable", provoke: func(s *scene) error {
			s.faults(oauthserver.Fault{Endpoint: "mcp", Kind: "status", Status: 503, RetryAfter: 120})
			s.start()
			s.await(states.Connection, states.BackingOff)
			return nil
		}},
		{name: "wrong-address", options: oauthserver.Options{NoAuth: true}, provoke: func(s *scene) error {
			s.config.URL = s.server.URL() + "/nothing"
			s.start()
			s.await(states.Connection, states.Failed)
			return s.fails(s.call("echo"))
		}},
		{name: "command-not-found", provoke: func(s *scene) error {
			s.config = upstream.Config{Name: "notes", Transport: upstream.Stdio, Command: "mcp-notes-that-is-not-installed",
				Settings: states.DefaultSettings()}
			s.start()
			s.await(states.Connection, states.Failed)
			return s.fails(s.call("echo"))
		}},
		{name: "entry-invalid", provoke: func(s *scene) error {
			s.config.Problem = "/home/you/.config/mcpproxy/config.json:1:66: mcpServers.notes.headers.Authorization: " +
				"the environment variable NOTES_TOKEN is not set; set it where the proxy is started, or write ${NOTES_TOKEN:-default}"
			s.start()
			s.awaitReason(states.EntryInvalid)
			return s.fails(s.call("echo"))
		}},
		{name: "disconnected", options: approve, provoke: func(s *scene) error {
			s.start()
			s.awaitReason(states.NeverLoggedIn)
			if _, err := s.up.Disconnect("person"); err != nil {
				s.Fatal(err)
			}
			return s.fails(s.call("echo"))
		}},
		{name: "logged-out", options: approve, provoke: func(s *scene) error {
			s.start()
			s.login()
			if err := s.up.Logout(s.context()); err != nil {
				s.Fatal(err)
			}
			s.await(states.Connection, states.AwaitingLogin)
			return s.fails(s.call("echo"))
		}},
		{name: "configuration-changed", options: approve, provoke: func(s *scene) error {
			s.start()
			s.login()
			s.stop()
			s.config.OAuth.ClientID = "another"
			s.start()
			s.awaitReason(states.NeverLoggedIn)
			return s.fails(s.call("echo"))
		}},
		{name: "record-damaged", options: approve, provoke: func(s *scene) error {
			s.start()
			s.login()
			s.stop()
			s.damage()
			s.start()
			s.awaitReason(states.StoreCorrupt)
			return s.fails(s.call("echo"))
		}},
	}
}

// tryLogin logs in once the server has asked for it.
func (s *scene) tryLogin() error {
	s.Helper()
	s.awaitReason(states.NeverLoggedIn)
	return s.up.Login(s.context(), nil)
}

// begin begins a login that nobody completes, and returns where its outcome arrives.
func (s *scene) begin() <-chan error {
	s.Helper()
	outcome, ctx := make(chan error, 1), s.context()
	go func() { outcome <- s.up.Login(ctx, nil) }()
	s.status(func(now status.Upstream) bool { return now.Flow != nil && now.Flow.Shown == states.Opened })
	return outcome
}

// takenPort is a port that another program holds.
func (s *scene) takenPort() int {
	s.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

// damage breaks the record of the token in the store of a stopped proxy.
func (s *scene) damage() {
	s.Helper()
	db, err := bbolt.Open(s.path, 0o600, nil)
	if err != nil {
		s.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("upstreams")).Bucket([]byte("notes"))
		if b == nil || b.Get([]byte("token")) == nil {
			return fmt.Errorf("there is no token to be damaged")
		}
		return b.Put([]byte("token"), []byte("damaged"))
	})
	if err != nil {
		s.Fatal(err)
	}
	if err := db.Close(); err != nil {
		s.Fatal(err)
	}
}
