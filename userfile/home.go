package userfile

import (
	"os"
	"os/user"

	"github.com/adrg/xdg"
)

// FindHome makes the user's home directory known to the program and its children where
// the environment does not name it, as for services: files would be put into the root
// directory otherwise. What the environment names stays.
func FindHome() {
	if os.Getenv("HOME") != "" {
		return
	}
	if u, err := user.Current(); err == nil && u.HomeDir != "" {
		_ = os.Setenv("HOME", u.HomeDir) // the name is one
		xdg.Reload()
	}
}
