//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package kernels

// guarded returns n bytes; on this system nothing guards them.
func guarded(n int) []byte { return make([]byte, n) }
