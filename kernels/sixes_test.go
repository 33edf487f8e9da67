package kernels

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Blocks of packed floats of six bits, which are done in one pass, by AVX-512 two at a time: any number of them, with
// NaN and infinities among usual elements, in the caches and past them.
func TestSixesInOnePass(t *testing.T) {
	src := newSource(77)
	for trial, groups := range []int{1, 2, 3, 7, 8, 9, 64, 301, 2*someGroups + 3} {
		f := []Format{E2M3Packed, E3M2Packed}[trial%2]
		g, n := Grid{1, groups, sixesLen}, groups*sixesLen
		x := make([]float32, n)
		scale := make([]float32, groups)
		for i := range scale {
			scale[i] = float32(math.Ldexp(1, src.IntN(40)-20))
		}
		p := FloatParams{Format: f, Dialect: TorchAO, Scales: ScaleE8M0, Scale: scale}
		nearFloats(src, x, g, &FloatParams{Format: []Format{E2M3, E3M2Packed}[trial%2], Scale: scale})
		for i := range x {
			if i%97 == trial {
				x[i] = []float32{nan32, inf, -inf, neg, -nan32, math.MaxFloat32, 1e-45}[src.IntN(7)]
			}
		}
		codes, want := make([]byte, f.Bytes(n)), make([]byte, f.Bytes(n))
		portableQuantizeFloat(want, x, g, &p)
		back, wanted := make([]float32, n+16), make([]float32, n)
		byScale := p
		byScale.Scale = make([]float32, groups)
		for i := range byScale.Scale { // of any kind
			byScale.Scale[i] = scale[i] * float32(1+src.Float64())
		}
		random := make([]byte, len(want)) // all codes, in no order
		for i := range random {
			random[i] = byte(src.Uint32())
		}
		portableDequantizeFloat(wanted, random, g, &byScale)
		forEachImplementation(t, func(t *testing.T) {
			where := fmt.Sprintf("%v, %d groups", f, groups)
			clear(codes)
			QuantizeFloat(codes, x, g, &p)
			require.Equal(t, want, codes, where)
			for _, from := range []int{-1, 0} {
				was := SetStreaming(from)
				for first := range 2 { // not at a cache line, the second time
					y := back[8*first:][:n]
					clear(y)
					DequantizeFloat(y, random, g, &byScale)
					sameFloats(t, where, wanted, y)
				}
				SetStreaming(was)
			}
		})
	}
}
