//go:build !amd64 || purego

// Package cpuid asks an x86 processor for its maker, its model and its caches; another one says nothing.
package cpuid

// Maker returns "".
func Maker() string { return "" }

// Model returns 0.
func Model() (family, model int) { return 0, 0 }

// Caches returns 0.
func Caches() (second, third int) { return 0, 0 }
