//go:build !(linux || darwin || freebsd || netbsd || openbsd)

// Package guard gives tests memory that ends where no access is allowed, so that a kernel that reads or writes beyond its slices is found.
package guard

// Bytes returns n bytes; on this system nothing guards them.
func Bytes(n int) []byte { return make([]byte, n) }
