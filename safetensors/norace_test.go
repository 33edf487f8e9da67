//go:build !race

package safetensors

// raceDetector reports whether the race detector is on, which takes memory of its own.
const raceDetector = false
