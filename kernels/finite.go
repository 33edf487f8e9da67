package kernels

import (
	"math"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// finite tells whether scales and minvals are finite. Then dequantizing makes no
// NaN but of a code, and that is all that the assembly can do.
func (p *IntParams) finite(impl isa) bool { return finite(impl, p.Scale) && finite(impl, p.Minval) }

// allOrdinary tells whether all scales are ordinary, for an implementation with assembly.
func allOrdinary(impl isa, scale []float32) bool {
	var ends [2]float32 // NaN if a NaN is among them
	for len(scale) > 16 {
		n := min(len(scale), mostElements)
		asm.MinMax[float32](impl, asm.F32, unsafe.Pointer(&scale[0]), unsafe.Pointer(&ends[0]), unsafe.Pointer(&ends[1]), 1, n)
		if !ordinary(&ends[0]) || !ordinary(&ends[1]) {
			return false
		}
		scale = scale[n:]
	}
	for i := range scale {
		if !ordinary(&scale[i]) {
			return false
		}
	}
	return true
}

// finite tells whether numbers are finite, for an implementation with assembly.
func finite(impl isa, x []float32) bool { return largest(impl, x) <= math.MaxFloat32 }

// largest returns the largest magnitude, NaN if one is among the numbers.
func largest(impl isa, x []float32) float32 {
	var all uint32
	for len(x) > 16 {
		n := min(len(x), mostElements)
		var most float32
		asm.AbsMax[float32](impl, asm.F32, unsafe.Pointer(&x[0]), &most, 1, n)
		all, x = max(all, math.Float32bits(most)), x[n:]
	}
	for _, v := range x { // a NaN is beyond an infinity
		all = max(all, math.Float32bits(v)&(1<<31-1))
	}
	return math.Float32frombits(all)
}
