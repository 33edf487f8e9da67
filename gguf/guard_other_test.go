//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package gguf

func guarded(n int) []byte { return make([]byte, n) }
