package checkpoint

import (
	"math"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
)

var negativeZero, nan = math.Float32frombits(1 << 31), float32(math.NaN())

// multiply multiplies groups of so many elements, each by a factor of its own. A NaN becomes the one without sign and payload.
func multiply(x, factors []float32, length int) {
	if impl := isa.Current(); impl != asm.Generic {
		asm.Product(impl, &x[0], &x[0], &factors[0], negativeZero, nan, len(factors), length, 0)
		return
	}
	for g, m := range factors {
		for i, v := range x[g*length:][:length] {
			y := v * m
			if y != y {
				y = nan
			}
			x[g*length+i] = y
		}
	}
}
