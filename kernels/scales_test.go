package kernels

import (
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
