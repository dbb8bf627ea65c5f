package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"mcpproxy/instance"

	"github.com/fsnotify/fsnotify"
)

// reload takes up what the file says now; one that cannot be used as a whole changes
// nothing.
func (s *serveOptions) reload(ctx context.Context, i *instance.Instance) error {
	file, err := s.load()
	if err != nil {
		return err
	}
	i.Manager.Limit(file.Limits)
	i.Proxy.Limit(file.Clients)
	return i.Manager.Apply(ctx, file.Upstreams, true)
}

// watchFile reloads the configuration when its file has changed. A file with
// problems changes nothing.
func watchFile(ctx context.Context, path string, logger *slog.Logger, reload func(context.Context) error) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), watcher.Add(filepath.Dir(path))); err != nil {
		return err
	}
	settle := time.NewTimer(time.Hour)
	settle.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-watcher.Events:
			if filepath.Clean(event.Name) == filepath.Clean(path) {
				settle.Reset(200 * time.Millisecond) // editors write in several steps
			}
		case err := <-watcher.Errors:
			logger.Warn("watching the configuration", "error", err)
		case <-settle.C:
			if err := reload(ctx); err != nil {
				logger.Error("the configuration was not taken up; the one before goes on", "error", err)
				continue
			}
			logger.Info("the configuration was taken up", "file", path)
		}
	}
}
