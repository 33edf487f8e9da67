//go:build !purego

package kernels

import "golang.org/x/sys/cpu"

// absent is why an implementation without features here is not available.
const absent = "it is for another architecture"

var features = []feature{{"ASIMD", &cpu.ARM64.HasASIMD, map[isa]bool{neon: true}}}
