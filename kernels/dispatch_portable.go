//go:build purego || !(amd64 || arm64)

package kernels

// absent is why no implementation but the portable one is available.
const absent = "this program was built without assembly"

var features []feature
