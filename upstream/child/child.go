// Package child has what a child process is started with and what is left of it: its
// environment, how its command is found, what it said, and the end of its family.
//
// It promises that a child's environment is what its entry names beside what it needs to
// run at all ([Environment]); that what it said is there to be read, in bounded room
// ([Words]); that a command that cannot be run is an error which says what to do
// ([Find], [Explain]); and that the process groups of all children end with this process,
// however it ends ([Guard]). What leaves its group on purpose is not followed. It speaks
// no protocol: that is package upstream/wire.
package child

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// Inherited are the variables that every child gets from this process, if they are set:
// those that the SDKs pass on (MCP TypeScript SDK and Python SDK, stdio client).
func Inherited() []string {
	if runtime.GOOS == "windows" {
		return []string{"APPDATA", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PATH", "PATHEXT", "PROCESSOR_ARCHITECTURE",
			"PROGRAMFILES", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "USERNAME", "USERPROFILE"}
	}
	return []string{"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"}
}

// own is how this program's own variables begin. No pattern passes them on.
const own = "MCPPROXY_"

// Environment is a child's whole environment: of from, which is this process's, the
// [Inherited] ones and those whose name inherit has, where a name may end in * and is
// all of them as "*" alone; and over them what the entry names.
func Environment(from []string, inherit []string, entry map[string]string) []string {
	var all []string
	wanted := append(slices.Clone(inherit), Inherited()...)
	named := map[string]bool{}
	for name := range entry {
		named[fold(name)] = true
	}
	for _, variable := range from {
		name, value, ok := strings.Cut(variable, "=")
		asked := slices.ContainsFunc(wanted, func(pattern string) bool { return matches(pattern, name) })
		if !ok || name == "" || named[fold(name)] || !asked {
			continue
		}
		if strings.HasPrefix(value, "()") {
			continue // a shell's function, which no program needs and some shells run
		}
		all = append(all, variable)
	}
	for name, value := range entry {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return all
}

func matches(pattern, name string) bool {
	if prefix, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(fold(name), fold(prefix)) && !strings.HasPrefix(fold(name), own)
	}
	return fold(pattern) == fold(name)
}

// fold makes names equal that are one variable.
func fold(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// Find looks a command up as the child itself would: in the PATH of its environment,
// which its entry may have set. A name with a separator in it is a path already.
func Find(command string, environment []string) (string, error) {
	if strings.ContainsRune(command, '/') || runtime.GOOS == "windows" {
		return command, nil
	}
	path := ""
	for _, variable := range environment {
		if value, ok := strings.CutPrefix(variable, "PATH="); ok {
			path = value
		}
	}
	var refused error
	for _, directory := range filepath.SplitList(path) {
		if !filepath.IsAbs(directory) {
			continue // it would depend on where the child runs
		}
		candidate := filepath.Join(directory, command)
		info, err := os.Stat(candidate)
		switch {
		case err != nil || info.IsDir():
		case info.Mode()&0o111 == 0:
			refused = &fs.PathError{Op: "exec", Path: candidate, Err: fs.ErrPermission}
		default:
			return candidate, nil
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", &NotFoundError{Command: command, Path: path}
}

// NotFoundError says that a command is in none of the directories of PATH. It wraps
// [exec.ErrNotFound].
type NotFoundError struct{ Command, Path string }

func (e *NotFoundError) Error() string {
	if strings.ContainsAny(e.Command, " \t") {
		return fmt.Sprintf("command not found in PATH: %q; \"command\" is the program alone, what follows it belongs in \"args\"", e.Command)
	}
	if e.Path == "" {
		return fmt.Sprintf("command not found: %q, and PATH is not set for it; set it in the entry's \"env\", or give the whole path as "+
			"\"command\"", e.Command)
	}
	return fmt.Sprintf("command not found in PATH: %q; install it, give its whole path as \"command\", or set PATH in the entry's \"env\"",
		e.Command)
}

// Unwrap returns exec.ErrNotFound.
func (e *NotFoundError) Unwrap() error { return exec.ErrNotFound }

// ErrUnusable says that a command cannot be run as it is, however often it is tried.
var ErrUnusable = errors.New("the command cannot be run")

// Explain says in words for its user why a command could not be started. It wraps err
// and, where trying again would not help, [ErrUnusable].
func Explain(command, directory string, err error) error {
	why := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s (%w)", ErrUnusable, fmt.Sprintf(format, args...), err)
	}
	if directory != "" {
		if info, missing := os.Stat(directory); missing != nil || !info.IsDir() {
			return why("\"cwd\" is %q, which is no directory here", directory)
		}
	}
	at := command
	if directory != "" && !filepath.IsAbs(at) && strings.ContainsRune(at, '/') {
		at = filepath.Join(directory, at)
	}
	var missing *NotFoundError
	info, stat := os.Stat(at)
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("%w: %w", ErrUnusable, err)
	case stat == nil && info.IsDir():
		return why("%q is a directory; name the program in it", command)
	case stat == nil && errors.Is(err, fs.ErrNotExist):
		if !isScript(at) {
			return why("%q needs a loader that this system does not have: it was built for another one", command)
		}
		return why("%q is a script for an interpreter that is not there; its first line names it", command)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return why("there is no %q; install it, or correct \"command\"", command)
	case errors.Is(err, fs.ErrPermission):
		return why("%q may not be run by this user; make it executable (chmod +x)", command)
	case errors.Is(err, syscall.ENOEXEC):
		return why("%q is no program for this system; a script needs a first line that names its interpreter", command)
	}
	return fmt.Errorf("the command %q could not be started: %w", command, err)
}

// isScript says that a program is run by what its first line names.
func isScript(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return true // who may not read it cannot tell
	}
	defer file.Close()
	var first [2]byte
	_, err = io.ReadFull(file, first[:])
	return err == nil && string(first[:]) == "#!"
}
