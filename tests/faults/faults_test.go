package faults

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var (
	listed = regexp.MustCompile(`^([A-J][0-9]{1,2})\s+\S`)
	shown  = regexp.MustCompile(`\bfaults? ((?:[A-J][0-9]{1,2}(?:, | and )?)+)`)
	id     = regexp.MustCompile(`[A-J][0-9]{1,2}`)
)

// Each fault of the list is shown by a test, and each test that names a fault names one
// of the list.
func TestEachFaultHasItsTest(t *testing.T) {
	faults, tests := ids(t), named(t)
	for fault := range faults {
		if len(tests[fault]) == 0 {
			t.Errorf("no test carries the words \"fault %s\"", fault)
		}
	}
	for fault, files := range tests {
		if !faults[fault] {
			t.Errorf("%s is named in %s and not in ids.txt", fault, strings.Join(files, ", "))
		}
	}
}

// ids returns the faults of the list: one a line, an id and the value that is right.
func ids(t *testing.T) map[string]bool {
	t.Helper()
	file, err := os.Open("ids.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := listed.FindStringSubmatch(line)
		switch {
		case m == nil:
			t.Errorf("ids.txt: %q is no id and a right value", line)
		case all[m[1]]:
			t.Errorf("ids.txt has %s twice", m[1])
		default:
			all[m[1]] = true
		}
	}
	return all
}

// named returns the test files that name each fault.
func named(t *testing.T) map[string][]string {
	t.Helper()
	found, err := exec.Command("git", "-C", "../..", "ls-files", "--cached", "--others", "--exclude-standard", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string][]string{}
	for name := range strings.FieldsSeq(string(found)) {
		if strings.HasPrefix(name, "tests/faults/") {
			continue
		}
		text, err := os.ReadFile("../../" + name)
		if os.IsNotExist(err) { // deleted, and not yet committed
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range shown.FindAllStringSubmatch(string(text), -1) {
			for _, fault := range id.FindAllString(m[1], -1) {
				tests[fault] = append(tests[fault], name)
			}
		}
	}
	return tests
}
