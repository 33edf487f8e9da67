//go:build race

package kernels

// race says that the race detector is on, which makes everything slow.
const race = true
