package status

import (
	"errors"
	"fmt"
	"strings"

	"mcpproxy/spelling"
)

// ErrUnknown says that no upstream has the name.
var ErrUnknown = errors.New("there is no such upstream")

// Unknown is the error for a name that no upstream has, among those that there are. It
// wraps [ErrUnknown], and says which is meant perhaps.
func Unknown(name string, names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("%q: %w, and no other; add one with: mcpproxy upstream add", name, ErrUnknown)
	}
	return fmt.Errorf("%q: %w%s; there are: %s", name, ErrUnknown, spelling.Meant(name, names), strings.Join(names, ", "))
}
