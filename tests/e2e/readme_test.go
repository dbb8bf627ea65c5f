package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var namedTest = regexp.MustCompile("(?m)^\\|.*\\| `(tests/e2e|upstream)` (Test\\w+) \\|$")

// The table of cases names tests that exist, each in the package that it says.
func TestEachCaseNamesATestThatExists(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := namedTest.FindAllStringSubmatch(string(readme), -1)
	if rows := strings.Count(string(readme), "\n| ") - 1; rows != len(named) || rows < 30 {
		t.Errorf("%d rows name %d tests", rows, len(named))
	}
	for _, match := range named {
		files, err := filepath.Glob(filepath.Join("..", "..", match[1], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := slices.ContainsFunc(files, func(file string) bool {
			source, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(source), "\nfunc "+match[2]+"(t *testing.T)")
		})
		if !found {
			t.Errorf("%s has no %s", match[1], match[2])
		}
	}
}
