package storms

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"mcpproxy/store"
	"mcpproxy/upstream"
	"mcpproxy/upstream/callback"
	"mcpproxy/upstream/oauth"
)

// proxy is the part of a proxy that runs upstreams, with its store.
type proxy struct {
	kept     *store.Store
	listener *callback.Server
	manager  *upstream.Manager
}

func open(ctx context.Context, directory string) (*store.Store, error) {
	return store.Open(ctx, filepath.Join(directory, "store.db"), store.Options{Keys: store.FileKeys(filepath.Join(directory, "key"))})
}

// start starts the upstreams and has them connect.
func start(ctx context.Context, directory string, configs []upstream.Config) (*proxy, error) {
	kept, err := open(ctx, directory)
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	p := &proxy{kept: kept, listener: callback.NewServer(quiet)}
	p.manager = upstream.NewManager(context.WithoutCancel(ctx), &upstream.Environment{Store: kept, Callback: p.listener, Open: consent,
		Authorization: oauth.Clients(), Logger: quiet, Version: "bench"})
	if err := p.manager.Apply(ctx, configs, true); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// consent is a user whose browser follows wherever it is sent.
func consent(ctx context.Context, page string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	return response.Body.Close()
}

func (p *proxy) close() error {
	p.manager.Close()
	p.listener.Close()
	return p.kept.Close()
}

// expire replaces the stored token by one that is the same and over.
func expire(kept *store.Store, name string) error {
	stored, err := kept.Load(name)
	if err != nil {
		return err
	}
	if stored.Token == nil {
		return errors.New("no token is stored")
	}
	token := *stored.Token
	token.ExpiresAt = time.Now().Add(-time.Second)
	token.Generation++
	return kept.SaveToken(name, token, stored.Token.Generation, func() bool { return true })
}
