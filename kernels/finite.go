package kernels

import (
	"math"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// finite tells whether scales and minvals are finite. Then dequantizing makes no
// NaN but of a code, and that is all that the assembly can do.
func (p *IntParams) finite(impl isa) bool { return finite(impl, p.Scale) && finite(impl, p.Minval) }

// finite tells whether numbers are finite, for an implementation with assembly.
func finite(impl isa, x []float32) bool {
	if len(x) <= 16 {
		for _, v := range x {
			if v-v != 0 {
				return false
			}
		}
		return true
	}
	for len(x) > 0 {
		n := min(len(x), mostElements)
		var most float32
		asm.AbsMax[float32](impl, asm.F32, unsafe.Pointer(&x[0]), &most, 1, n)
		if !(most <= math.MaxFloat32) {
			return false
		}
		x = x[n:]
	}
	return true
}
