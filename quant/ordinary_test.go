package quant

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOrdinary holds the quick look at scales against what they have to be, for float32 of every sign and exponent.
func TestOrdinary(t *testing.T) {
	for _, c := range []struct {
		scale       ScaleDType
		least, most float32 // normal numbers
		is          func(s float32) bool
	}{
		{ScaleE8M0, 0x1p-126, 0x1p127, func(s float32) bool { frac, _ := math.Frexp(float64(s)); return frac == 0.5 }},
		{ScaleE4M3FN, 0x1p-6, 448, (&format{scale: ScaleE4M3FN}).holds},
		{ScaleFloat16, 0x1p-14, 65504, (&format{scale: ScaleFloat16}).holds},
		{ScaleBFloat16, 0x1p-126, 0x1.fep127, (&format{scale: ScaleBFloat16}).holds},
	} {
		f, found := format{scale: c.scale}, 0
		for high := uint32(0); high < 1<<16; high += 4 {
			for _, low := range []uint32{0, 1, 1 << 12, 1 << 13, 1 << 15, 1 << 16, 1<<16 + 1, 1 << 17, 3 << 16, 0x3ffff} {
				s := math.Float32frombits(high<<16 + low)
				want := s >= c.least && s <= c.most && c.is(s)
				require.Equal(t, want, f.ordinary([]float32{s}), "%v %v %x", c.scale, s, high<<16+low)
				if want {
					found++
					require.NoError(t, (&Params{Shape: []int{2}, Scale: []float32{1, s}}).check(&f, foreign, 0))
				} else {
					require.False(t, f.ordinary([]float32{1, s, 1}), "%v %v", c.scale, s)
				}
			}
		}
		require.Greater(t, found, 100)
	}
}

// holds tells whether a scale is one of the type's.
func (f *format) holds(s float32) bool { return f.roundScale(s) == s }
