package kernels

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/internal/codeformat"
)

// madeUp is a row for codes of a byte, with its conversions from its definition.
func madeUp(mantissa, bias int, top byte) codeformat.Row {
	g := smallFormat(7-mantissa, mantissa, bias)[:int(top)+1]
	return codeformat.Row{Name: fmt.Sprintf("E%dM%dB%d", 7-mantissa, mantissa, bias), Bits: 8, Float: &codeformat.Float{
		Width: 8, Mantissa: mantissa, Bias: bias, Top: top, NaN: 0x7f,
		Cast: func(v float32) byte {
			if v != v {
				return 0x7f
			}
			return byte(g.nearest(float64(v))) | byte(math.Float32bits(v)>>31<<7)
		},
		Value: func(code byte) float32 {
			if code&0x7f > top {
				return nan32
			}
			return float32(math.Copysign(g[code&0x7f], float64(int8(code))))
		},
	}}
}

// A row is all that the kernels want of a format. This has rows of formats that there are not in the place of another's.
func TestMadeUpFormats(t *testing.T) {
	was := formats[E5M2]
	t.Cleanup(func() { formats[E5M2] = was })
	for _, row := range []codeformat.Row{madeUp(3, 11, 0x7e), madeUp(3, 3, 0x7e), madeUp(2, 30, 0x7b), madeUp(4, 3, 0x7e), madeUp(1, 31, 0x7d)} {
		t.Run(row.Name, func(t *testing.T) {
			formats[E5M2] = describe(E5M2, &row)
			r := newSource(11)
			g := Grid{1, 40, 67}
			x, scale := make([]float32, 40*67), make([]float32, 40)
			for i := range scale {
				scale[i] = float32(math.Ldexp(1+r.Float64(), r.IntN(20)-10)) / formats[E5M2].largest
			}
			scale[7], scale[9] = 0x1p-120, -0x1p110
			p := &FloatParams{Format: E5M2, Scale: scale}
			for i := range x {
				x[i] = float32(row.Value(byte(r.Uint32()))*scale[i/67]) * float32(1+r.Float64()/16)
			}
			y, codes, back, mask := make([]float32, len(x)), make([]byte, len(x)), make([]float32, len(x)), make([]byte, len(x))
			portableFakeQuantizeFloat(y, ByteMask(mask), x, g, p)
			portableQuantizeFloat(codes, x, g, p)
			portableDequantizeFloat(back, codes, g, p)
			require.Equal(t, view4(y), view4(back))
			forEachImplementation(t, func(t *testing.T) {
				y2, codes2, back2, mask2 := make([]float32, len(x)), make([]byte, len(x)), make([]float32, len(x)), make([]byte, len(x))
				FakeQuantizeFloat(y2, ByteMask(mask2), x, g, p)
				QuantizeFloat(codes2, x, g, p)
				DequantizeFloat(back2, codes, g, p)
				require.Equal(t, codes, codes2)
				require.Equal(t, mask, mask2)
				require.Equal(t, view4(y), view4(y2))
				require.Equal(t, view4(back), view4(back2))
			})
		})
	}
}

// Every format that there is has assembly that reads it.
func TestFormatsAreRead(t *testing.T) {
	for f := Int8; f < formatsEnd; f++ {
		require.False(t, formats[f].unread, f)
	}
}
