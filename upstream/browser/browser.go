// Package browser shows a URL to the user at this machine. It promises that
// no shell ever sees the URL, that only https and loopback http URLs are opened,
// and that a failure is an answer and not the end of a login: the caller shows
// the URL in another way.
package browser

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Opener opens a URL. It returns once the browser was asked to, not when the
// page was read.
type Opener func(ctx context.Context, target string) error

// ErrNone is returned by [None]: the user opens the URL.
var ErrNone = errors.New("no browser is used; open the URL by hand")

// None opens nothing.
func None(context.Context, string) error { return ErrNone }

// launchTimeout bounds how long a launcher may take before it counts as having
// handed the URL over: some stay in the foreground as long as the browser lives.
const launchTimeout = 5 * time.Second

// Command returns an opener that runs argv with the URL as its last argument.
func Command(argv ...string) Opener {
	return func(ctx context.Context, target string) error {
		if err := Check(target); err != nil {
			return err
		}
		return launch(ctx, append(append([]string{}, argv...), target))
	}
}

// Default opens the system's browser ([Launcher]) for a login.
//
// What a launcher is given as an argument, other users of the machine can read from the
// list of processes. On Linux the response to a login is of no use to them (package
// loopback), on Windows the arguments are not shown to them, and elsewhere the address is
// handed over in a file. $BROWSER and [Command] are given the address itself.
func Default(ctx context.Context, target string) error {
	argv, err := Launcher()
	if err != nil {
		return err
	}
	if os.Getenv("BROWSER") == "" && runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		_, err := HandOver(ctx, argv, target)
		return err
	}
	return Command(argv...)(ctx, target)
}

// Launcher is the command that opens what is added to it: $BROWSER, else the platform's.
func Launcher() (argv []string, err error) {
	named, _, _ := strings.Cut(os.Getenv("BROWSER"), string(os.PathListSeparator))
	if argv = strings.Fields(named); len(argv) > 0 {
		return argv, nil
	}
	switch runtime.GOOS {
	case "darwin":
		return []string{"open"}, nil
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}, nil
	}
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return nil, errors.New("there is no graphical display here; open the URL on another machine")
	}
	return []string{"xdg-open"}, nil
}

// Check refuses every URL that must not reach a launcher: other schemes than
// https and loopback http, user information, control characters, spaces and
// backslashes.
func Check(target string) error {
	for _, r := range target {
		if r <= ' ' || r == 0x7f || r == '\\' || r == '"' || r == '\'' || r == '`' {
			return fmt.Errorf("refusing to open a URL with the character %q in it", r)
		}
	}
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return errors.New("refusing to open what is not a URL")
	case u.User != nil || u.Host == "":
		return errors.New("refusing to open a URL without a host or with user information")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("refusing to open a %s URL of %s: only https, and http to this machine, are opened", u.Scheme, u.Host)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func launch(ctx context.Context, argv []string) error {
	// The browser outlives the login; only its launch is bound to ctx.
	command := exec.Command(argv[0], argv[1:]...)
	if err := command.Start(); err != nil {
		return fmt.Errorf("the browser could not be started: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	timeout := time.NewTimer(launchTimeout)
	defer timeout.Stop()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("%s could not open the browser: %w", argv[0], err)
		}
		return nil
	case <-timeout.C:
		return nil
	case <-ctx.Done():
		return nil
	}
}
