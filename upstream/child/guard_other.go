//go:build !unix

package child

// Guard does nothing on systems without process groups.
type Guard struct{}

// Watch does nothing.
func (*Guard) Watch(int) error { return nil }

// Ended does nothing.
func (*Guard) Ended(int) {}
