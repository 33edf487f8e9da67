package kernels

import "unsafe"

// region is a slice's memory. The zero region overlaps nothing, and no region
// without bytes does.
type region struct {
	name       string
	start, end uintptr
}

// memory returns the region of a slice. An address as a number keeps nothing
// alive and lets nothing escape. If the stack moves between two calls, an
// overlap on it may be missed, but none is made up.
func memory[E any](name string, s []E) region {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	return region{name, start, start + uintptr(len(s))*unsafe.Sizeof(*new(E))}
}

// checkApart panics if an output shares memory with something else.
func checkApart(kernel string, out, other region) {
	if out.start < other.end && other.start < out.end {
		failOverlap(kernel, out, other)
	}
}

// failOverlap panics unless one of the two has no bytes.
//
//go:noinline
func failOverlap(kernel string, out, other region) {
	if out.start < out.end && other.start < other.end {
		fail(kernel, "%s overlaps %s", out.name, other.name)
	}
}

// checkInPlace is checkApart for a kernel that works in place.
func checkInPlace(kernel string, out, in region) {
	if out.start != in.start || out.end != in.end {
		checkApart(kernel, out, in)
	}
}
