//go:build linux || darwin || freebsd || netbsd || openbsd

// Package guard gives tests memory that ends where no access is allowed, so that a kernel that reads or writes beyond its slices is found.
package guard

import (
	"os"

	"golang.org/x/sys/unix"
)

// Bytes returns n bytes, whole pages, between two pages without access.
func Bytes(n int) []byte {
	page := os.Getpagesize()
	n = (n + page - 1) / page * page
	m, err := unix.Mmap(-1, 0, n+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for _, guard := range [][]byte{m[:page], m[page+n:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			panic(err)
		}
	}
	return m[page : page+n : page+n]
}
