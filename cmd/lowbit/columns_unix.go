//go:build linux || darwin || freebsd || netbsd || dragonfly

package main

import (
	"os"
	"syscall"
	"unsafe"
)

// columns is the width of a terminal, or 0 if the file is none. To ask package term would be to build all of x/sys/unix.
func columns(f *os.File) int {
	var size struct{ rows, columns, x, y uint16 }
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size))); errno != 0 {
		return 0
	}
	if size.columns == 0 { // a terminal that does not know it, such as a serial line
		return mostColumns
	}
	return int(size.columns)
}
