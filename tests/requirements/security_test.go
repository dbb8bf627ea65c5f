package requirements

import (
	"strings"
	"testing"
)

// Every promise of docs/security.md names tests that there are.
func TestEachPromiseIsShown(t *testing.T) {
	promises := 0
	for line := range strings.Lines(read(t, "../../docs/security.md")) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 3 || strings.HasPrefix(line, "| promise") {
			continue
		}
		promises++
		names := reference.FindAllStringSubmatch(cells[2], -1)
		if len(names) == 0 {
			t.Errorf("%s names no test", cells[0])
		}
		for _, name := range names {
			if !declared(t, name[1]) {
				t.Errorf("%s: there is no test %s", cells[0], name[1])
			}
		}
	}
	if promises < 20 {
		t.Errorf("only %d promises were found", promises)
	}
}
