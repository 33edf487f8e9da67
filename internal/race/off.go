//go:build !race

// Package race tells tests whether the race detector is on: it makes everything slow, takes memory of its own and
// drops what pools keep.
package race

// Enabled reports that it is.
const Enabled = false
