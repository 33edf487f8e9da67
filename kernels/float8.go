package kernels

import "math"

// float8 describes codes of a byte, with the sign bit above the exponent, to the
// assembly that writes them: the words that asm.QuantizeFp tells of.
type float8 struct {
	least             int32
	ruler             float32
	weights, top, nan int32
}

// newFloat8 describes a format by its mantissa bits, the float32 exponent field of
// its least normal number, its greatest code without sign, and its NaN.
func newFloat8(mantissa, field int, top, nan byte) float8 {
	inEach := func(b byte) int32 { return int32(uint32(b) * 0x01010101) }
	place := 23 - mantissa
	steps := uint32(-(field+place)<<mantissa) & 0xffff // of the least exponent, taken away
	return float8{
		least:   int32(field << 23),
		ruler:   math.Float32frombits(uint32(127+place)<<23 | steps),
		weights: 128 | 1<<(16+mantissa),
		top:     inEach(top), nan: inEach(nan),
	}
}
