// Command zitadel is the example authorization server of zitadel/oidc, with one public
// client that is registered beforehand, and what the test asks of it under /control.
// Arguments: the port, and the test's options as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// clientID is the client that is registered beforehand.
const clientID = "registered"

func main() {
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(port, given string) error {
	var options struct {
		Life int `json:"life"`
	}
	if err := json.Unmarshal([]byte(given), &options); err != nil {
		return err
	}
	issuer := "http://127.0.0.1:" + port
	storage.RegisterClients(storage.NativeClient(clientID, "http://127.0.0.1/callback"))
	tokens := &tokens{Storage: storage.NewStorage(storage.NewUserStore(issuer)), life: time.Duration(options.Life) * time.Second}
	router := exampleop.SetupServer(issuer, tokens, slog.New(slog.NewTextHandler(os.Stdout, nil)), false)
	router.Get("/control/active", func(w http.ResponseWriter, r *http.Request) {
		if !tokens.active(r, router) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	router.Post("/control/forget", func(http.ResponseWriter, *http.Request) { tokens.forgotten.Store(true) })
	router.Post("/control/revoke", func(_ http.ResponseWriter, r *http.Request) {
		for _, user := range []string{"id1", "id2"} {
			_ = tokens.TerminateSession(r.Context(), user, clientID)
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	fmt.Println("listening", issuer)
	return http.Serve(listener, router)
}

// tokens is the example's storage. Its tokens live five minutes; clients are told the
// life of the test.
type tokens struct {
	*storage.Storage
	life      time.Duration
	forgotten atomic.Bool
}

func (s *tokens) CreateAccessAndRefreshTokens(ctx context.Context, request op.TokenRequest, current string) (string, string, time.Time, error) {
	access, refresh, _, err := s.Storage.CreateAccessAndRefreshTokens(ctx, request, current)
	return access, refresh, time.Now().Add(s.life), err
}

func (s *tokens) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	if s.forgotten.Load() {
		return nil, oidc.ErrInvalidClient().WithDescription("no such client")
	}
	return s.Storage.GetClientByClientID(ctx, id)
}

// active reports whether the bearer of a request is an access or a refresh token in use.
func (s *tokens) active(r *http.Request, server http.Handler) bool {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, err := s.TokenRequestByRefreshToken(r.Context(), token); err == nil {
		return true
	}
	info := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	info.Header.Set("Authorization", r.Header.Get("Authorization"))
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, info)
	return answer.Code == http.StatusOK
}
