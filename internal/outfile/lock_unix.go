//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package outfile

import (
	"os"
	"syscall"
)

// errLocked is tryLock's error if somebody has the lock.
const errLocked = syscall.EWOULDBLOCK

// tryLock locks a file or a folder that nobody has locked. The lock ends with its last descriptor, however the process ends.
func tryLock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
