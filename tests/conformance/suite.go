package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Outcome is what became of one scenario.
type Outcome string

// The outcomes.
const (
	Passed   Outcome = "passed"
	Failed   Outcome = "failed"
	Expected Outcome = "fails as expected"
	// Vacuous: the suite has no check that applies, so that nothing was shown.
	Vacuous Outcome = "nothing checked"
)

// Result is that of one run.
type Result struct {
	Name      string
	Scenarios map[string]Outcome
	// Err says what failed, or is nil.
	Err error
	// Log is the suite's own output.
	Log string
}

// Run runs everything and returns a result for each run. progress is told of each
// as it begins. It returns [ErrNoNode] where the suite cannot be installed, and
// takes about two minutes.
func Run(ctx context.Context, directory string, progress io.Writer) ([]Result, error) {
	directory, err := filepath.Abs(directory)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	p, err := install(ctx, directory, scratch)
	if err != nil {
		return nil, err
	}
	var all []Result
	for i, r := range runs() {
		fmt.Fprintln(progress, "running:", r.Name)
		out := filepath.Join(scratch, fmt.Sprintf("results-%d", i))
		if err := os.Mkdir(out, 0o700); err != nil {
			return all, err
		}
		all = append(all, p.run(ctx, r, out))
	}
	return all, nil
}

func (p *programs) run(ctx context.Context, r run, out string) (result Result) {
	args := []string{filepath.Join(p.directory, "node_modules", r.suite, "dist", "index.js")}
	if r.upstream == "" {
		args = append(args, "client", "--command", p.client, "--timeout", "60000")
	} else {
		server, err := p.serve(ctx, r.upstream, out)
		if err != nil {
			return Result{Name: r.Name, Err: err}
		}
		defer server.stop()
		defer func() { result.Err = errors.Join(result.Err, server.explained()) }()
		args = append(args, "server", "--url", server.url)
	}
	args = append(args, r.args...)
	args = append(args, "-o", filepath.Join(out, "checks"))
	if r.baseline != "" {
		args = append(args, "--expected-failures", filepath.Join(p.directory, r.baseline))
	}
	command := exec.CommandContext(ctx, p.node, args...)
	command.Dir = out
	command.Env = append(os.Environ(), "NO_COLOR=1")
	text, err := command.CombinedOutput()
	result = Result{Name: r.Name, Log: string(text), Scenarios: scenarios(text)}
	result.Err = p.judge(&result, r, err, filepath.Join(out, "checks"))
	if r.unscored {
		result.Err = errors.Join(result.Err, p.askEach(ctx, r, args[1:4], out))
	}
	return result
}

// askEach has the suite hold each scenario of the baseline to it. face is the part of
// the command that says what is under test.
func (p *programs) askEach(ctx context.Context, r run, face []string, out string) error {
	path := filepath.Join(p.directory, r.baseline)
	names, err := baseline(path)
	if err != nil {
		return err
	}
	var problems []error
	for _, name := range names {
		args := append([]string{filepath.Join(p.directory, "node_modules", r.suite, "dist", "index.js")}, face...)
		command := exec.CommandContext(ctx, p.node, append(args, "--scenario", name, "--expected-failures", path)...)
		command.Dir = out
		if text, err := command.CombinedOutput(); err != nil {
			problems = append(problems, fmt.Errorf("%s is not as %s says: %w\n%s", name, r.baseline, err, text))
		}
	}
	return errors.Join(problems...)
}

var summaryLine = regexp.MustCompile(`(?m)^(✓|✗) ([^ :]+): (\d+) passed, (\d+) failed`)

// scenarios reads the summary at the end of the suite's output.
func scenarios(text []byte) map[string]Outcome {
	all := map[string]Outcome{}
	text = regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAll(text, nil)
	for _, m := range summaryLine.FindAllSubmatch(text, -1) {
		switch {
		case string(m[1]) == "✗":
			all[string(m[2])] = Failed
		case string(m[3]) == "0":
			all[string(m[2])] = Vacuous
		default:
			all[string(m[2])] = Passed
		}
	}
	return all
}

// judge decides whether a run is as it should be. What the suite does not score
// and no baseline lists has to pass as well.
func (p *programs) judge(result *Result, r run, exit error, checks string) error {
	if len(result.Scenarios) == 0 {
		return fmt.Errorf("the suite reported nothing: %w", errors.Join(exit, errors.New(result.Log)))
	}
	expected, err := baseline(filepath.Join(p.directory, r.baseline))
	if err != nil && r.baseline != "" {
		return err
	}
	var problems []error
	for name, outcome := range result.Scenarios {
		if outcome != Failed {
			continue
		}
		if slices.Contains(expected, name) {
			result.Scenarios[name] = Expected
		} else {
			problems = append(problems, fmt.Errorf("%s: %s", name, failures(checks, name)))
		}
	}
	if exit != nil {
		problems = append(problems, fmt.Errorf("the suite says no: %w", exit))
	}
	return errors.Join(problems...)
}

// baseline reads the scenarios of a file of expected failures.
func baseline(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "- "); ok {
			scenario, _, _ := strings.Cut(name, ":") // without the check
			names = append(names, scenario)
		}
	}
	return names, nil
}

// failures collects what the suite says about a scenario that failed.
func failures(checks, scenario string) string {
	var said []string
	_ = filepath.WalkDir(checks, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.Name() != "checks.json" || !strings.Contains(path, filepath.Base(scenario)+"-20") {
			return nil
		}
		text, err := os.ReadFile(path)
		var all []struct {
			ID      string          `json:"id"`
			Status  string          `json:"status"`
			Error   string          `json:"errorMessage"`
			Details json.RawMessage `json:"details"`
		}
		if err != nil || json.Unmarshal(text, &all) != nil {
			return nil
		}
		for _, check := range all {
			if check.Status == "FAILURE" || check.Status == "WARNING" {
				said = append(said, fmt.Sprintf("%s %s %.300s", check.ID, check.Error, bytes.TrimSpace(check.Details)))
			}
		}
		return nil
	})
	return strings.Join(said, "; ")
}
