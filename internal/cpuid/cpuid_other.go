//go:build !amd64 || purego

// Package cpuid asks an x86 processor for its maker and its caches; another one says nothing.
package cpuid

// Maker returns "".
func Maker() string { return "" }

// Caches returns 0.
func Caches() (second, third int) { return 0, 0 }
