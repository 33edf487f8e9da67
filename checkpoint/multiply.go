package checkpoint

import (
	"math"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
)

var negativeZero, nan = math.Float32frombits(1 << 31), float32(math.NaN())

// multiply sets dst, which may be x, to the products of groups of so many elements, each by a factor of its own. A NaN becomes the one without sign and
// payload.
func multiply(dst, x, factors []float32, length int) {
	if impl := isa.Current(); impl != asm.Generic {
		asm.Product(impl, &dst[0], &x[0], &factors[0], negativeZero, nan, len(factors), length, 0)
		return
	}
	for g, m := range factors {
		for i, v := range x[g*length:][:length] {
			y := v * m
			if y != y {
				y = nan
			}
			dst[g*length+i] = y
		}
	}
}

// divide divides numbers by one. A NaN becomes the one without sign and payload.
func divide(s *scratch, x []float32, by float32) {
	if impl := isa.Current(); impl != asm.Generic && len(x) > 0 {
		asm.ParamsValue(impl, &x[0], &lend[float32](&s.values, len(x))[0], &x[0], 1, by, 1, len(x)) // and reciprocals, which nobody wants
		return
	}
	for i, v := range x {
		if v /= by; v != v {
			v = nan
		}
		x[i] = v
	}
}
