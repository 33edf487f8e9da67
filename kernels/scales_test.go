package kernels

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOneOddScale dequantizes with one scale that no shortcut serves, in each group in turn, so
// that a tile of any shape must find it wherever it is.
func TestOneOddScale(t *testing.T) {
	for _, name := range assembled(t) {
		require.NoError(t, Use(name))
		for _, g := range []Grid{{2, 130, 1}, {1, 9, 16}, {1, 5, 32}, {1, 3, 33}, {1, 3, 64}, {1, 2, 200}} {
			p := &FloatParams{Format: E4M3FN, Scale: unit(g)}
			codes := make([]byte, elements(g))
			for i := range codes {
				codes[i] = byte(i) &^ 0x40 // no NaN
			}
			got, want := make([]float32, len(codes)), make([]float32, len(codes))
			for group := range p.Scale {
				for _, s := range []float32{0x1p120, -0x1.8p125, inf, nan} {
					p.Scale[group] = s
					DequantizeFloat(got, codes, g, p)
					portableDequantizeFloat(want, codes, g, p)
					require.Equal(t, -1, differ(f32, view4(got), view4(want)), "%s: %v, group %d, scale %v", name, g, group, s)
				}
				p.Scale[group] = 1
			}
		}
	}
}

// TestStoredScales has scales of two bytes without zero points or minvals, which table_test.go always has with them.
func TestStoredScales(t *testing.T) {
	x := make([]float32, 200*32)
	src := newSource(77)
	for i := range x {
		x[i] = float32(math.Ldexp(src.Float64()-.5, i/32-150))
	}
	x[7*32], x[9*32], x[11*32+5] = float32(math.Inf(-1)), nan32, math.MaxFloat32
	g := Grid{1, 200, 32}
	forEachImplementation(t, func(t *testing.T) {
		for _, scales := range []ScaleType{ScaleFloat16, ScaleBFloat16} {
			r := IntRule{Min: -8, Max: 7, Scales: scales, Scale: make([]float32, g.Groups)}
			want, codes, wanted := r, make([]int8, len(x)), make([]byte, len(x))
			want.Scale = make([]float32, g.Groups)
			portableObserveInt(x, g, &want)
			p := want.params(0, g.Groups)
			portableQuantizeInt(wanted, x, g, &p, Int8)
			DynamicInt(codes, x, g, &r)
			sameFloats(t, scales.String(), want.Scale, r.Scale)
			require.Equal(t, wanted, bytesOf(codes), scales)
		}
	})
}
