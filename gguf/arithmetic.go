package gguf

import "math"

// fromHalf widens a float16.
func fromHalf(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	mantissa := uint32(h & 0x3ff)
	switch exponent := uint32(h>>10) & 31; exponent {
	case 0:
		return math.Float32frombits(math.Float32bits(float32(mantissa)*0x1p-24) | sign)
	case 31:
		return math.Float32frombits(0xff<<23 | mantissa<<13 | sign)
	default:
		return math.Float32frombits((exponent+112)<<23 | mantissa<<13 | sign)
	}
}

// toHalf rounds to float16, half to even: from 65520 on to infinity. A NaN becomes the quiet NaN without a sign.
func toHalf(x float32) uint16 {
	bits := math.Float32bits(x)
	sign, abs := uint16(bits>>16&0x8000), bits&^(1<<31)
	switch {
	case abs > 0xff<<23:
		return 0x7e00
	case abs >= 0x477ff000: // 65520
		return sign | 0x7c00
	case abs >= 113<<23:
		return sign | uint16((abs+0xfff+abs>>13&1)>>13-112<<10)
	default:
		// The sum's unit is that of the smallest float16, and it rounds half to even.
		return sign | uint16(math.Float32bits(math.Float32frombits(abs)+0.5)-math.Float32bits(0.5))
	}
}

// badHalf tells whether a float16 is a NaN or an infinity.
func badHalf(h uint16) bool { return h&0x7c00 == 0x7c00 }

// truncated converts as x86 does: toward zero, what does not fit an int32 and NaN to the least int32. It is for numbers that may be any; on
// those that fit, Go's own conversion is the same everywhere.
func truncated(x float32) int32 {
	if x >= -0x1p31 && x < 0x1p31 {
		return int32(x)
	}
	return math.MinInt32
}

// abs32 is the magnitude.
func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// magic is what ggml rounds by: in the sum the unit is 1.
const magic32 = 12582912

// rounded is the low 23 bits of x + magic32, less 2^22: half to even where |x| < 2^22, and other numbers in the same range beyond. A NaN gives
// 0, as the NaN that x86 makes of Inf - Inf does.
func rounded(x float32) int32 {
	if x != x {
		return 0
	}
	return int32(math.Float32bits(x+magic32)&(1<<23-1)) - 1<<22
}

// inverse is 1/d, 0 for 0.
func inverse(d float32) float32 {
	if d == 0 {
		return 0
	}
	return 1 / d
}
