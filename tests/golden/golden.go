// Package golden holds what is said, printed and generated to files that are kept
// with the code. Test programs that import it take the flag -update, which writes
// the files again; what has changed is then looked at as any other change.
package golden

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files and the generated parts of documents again")

// Updating reports whether files are written again.
func Updating() bool { return *update }

// Compare fails the test where the file at path does not hold got, byte for byte, or
// writes it again. The directory has to exist.
func Compare(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what it should be now (-kept +now); if this is meant, run the package's tests with -update\n%s", path, diff)
	}
}
