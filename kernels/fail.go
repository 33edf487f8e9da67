package kernels

import "fmt"

// fail panics with the mistake of a kernel's caller.
//
//go:noinline
func fail(kernel, format string, args ...any) {
	panic("kernels: " + kernel + ": " + fmt.Sprintf(format, args...))
}

// failLen panics because of a slice's length.
//
//go:noinline
func failLen(kernel, name string, got, want int) {
	fail(kernel, "len(%s)=%d, want %d", name, got, want)
}

// checkLen panics unless a slice has the length that it should have.
func checkLen(kernel, name string, got, want int) {
	if got != want {
		failLen(kernel, name, got, want)
	}
}
