package kernels

import (
	"math"

	"github.com/lowbit-go/lowbit/internal/codeformat"
)

// float8 describes codes with the sign bit above the exponent to the assembly that
// writes them: the words that asm.QuantizeFp tells of.
type float8 struct {
	least             int32
	ruler             float32
	weights, top, nan int32
}

// newFloat8 describes a format by its row. Codes are clipped to top: that of the
// largest value to saturate, the one behind it, which is that of NaN or infinity, to
// overflow.
func newFloat8(f *codeformat.Float, top byte) float8 {
	inEach := func(b byte) int32 { return int32(uint32(b) * 0x01010101) }
	nan := byte(0) // of what has none
	if f.NaN != codeformat.NoNaN {
		nan = byte(f.NaN)
	}
	field, place := f.Field(), 23-f.Mantissa
	steps := uint32(-(field+place)<<f.Mantissa) & 0xffff // of the least exponent, taken away
	return float8{
		least:   int32(field << 23),
		ruler:   math.Float32frombits(uint32(127+place)<<23 | steps),
		weights: 128 | 1<<(16+f.Mantissa),
		top:     inEach(top), nan: inEach(nan),
	}
}
