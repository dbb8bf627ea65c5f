//go:build unix

package config

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// writable says who else may write the file, as "by ..."; "" is nobody. A group of
// the owner's own number is the owner's alone, as most systems give each user one.
func writable(info fs.FileInfo) string {
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case !ok || !mode.IsRegular():
		return ""
	case owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return fmt.Sprintf("by its owner, the user %d", owner.Uid)
	case mode.Perm()&0o002 != 0:
		return fmt.Sprintf("by every user (mode %04o)", mode.Perm())
	case mode.Perm()&0o020 != 0 && owner.Gid != owner.Uid:
		return fmt.Sprintf("by the group %d (mode %04o)", owner.Gid, mode.Perm())
	}
	return ""
}
