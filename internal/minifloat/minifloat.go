// Package minifloat rounds to the value grid of a small binary floating-point
// format and reads values back from it: the one formula behind the conversions
// of packages fp8 and fp4.
//
// A grid has two parameters: mantBits, the number p of mantissa bits that are
// stored, and minExp, the exponent of the smallest normal number. Its
// non-negative values, counted from zero upwards, are
//
//	m < 2^p   m * 2^(minExp-p)                              zero and the subnormals
//	m >= 2^p  (2^p + m mod 2^p) * 2^(minExp-p + m/2^p - 1)  the normals
//
// where / is integer division. The number m is at the same time the code of
// the value without its sign, because exponent and mantissa are adjacent
// fields. The grid has no upper end: where a format stops, and what it puts
// there (infinity, NaN or its largest value), is for the caller to say with a
// minimum of two codes. Signs and NaNs are the caller's too.
//
// Everything starts from float32; Narrow makes one of a float64 in a way that
// spares the result a second rounding.
package minifloat

import "math"

// Of float32.
const (
	bias     = 127
	mantissa = 23
	signMask = 1 << 31
)

// huge is the bit pattern of 2^100. Larger numbers are cut to it, so that
// nothing overflows, infinity included.
const huge = (bias + 100) << mantissa

// Magnitude returns the code of the grid's value that is nearest to |x|; of
// two equally near ones the even code (without mantissa bits: zero next to it,
// else the larger value). An |x| above 2^100 has the code of 2^100. NaN is not a
// valid argument. The parameters' range is mantBits < 23, -126 <= minExp <= 1.
func Magnitude(x float32, mantBits uint, minExp int) uint32 {
	// Beside |x| in [2^e, 2^(e+1)), a number M = 2^(e+23-p) has as its last
	// place the spacing of the grid there; so the sum is rounded as wanted, and
	// what the sum's bits gained is |x| in units of that spacing. Subnormals
	// are the same with the smallest normal's e, and a carry into the next
	// exponent is a carry into the exponent field.
	least := uint32(bias + minExp)
	b := min(math.Float32bits(x)&^signMask, huge)
	e := max(b>>mantissa, least)
	m := (e + mantissa - uint32(mantBits)) << mantissa
	sum := math.Float32frombits(b) + math.Float32frombits(m)
	return math.Float32bits(sum) - m + (e-least)<<mantBits
}

// Value returns the value of a code, the inverse of Magnitude, exactly. The
// value must be at most 2^100.
func Value(code uint32, mantBits uint, minExp int) float32 {
	// Read as the top bits of a float32 the code has the right mantissa and an
	// exponent that is off by a constant, for subnormals as for normals.
	v := math.Float32frombits(code << (mantissa - mantBits))
	return v * math.Float32frombits(uint32(2*bias-1+minExp)<<mantissa)
}

// Narrow rounds x to odd: an x that is not a float32 becomes the one of its two
// neighbours whose last bit is 1. Such a number is on the same side of each
// value and midpoint of a coarser grid as x is, and on none of them; so to round
// it to a format whose last place is at least two binary places above
// float32's, bfloat16 or smaller, gives what rounding x itself gives. (Boldo and
// Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms
// using rounding to odd", 2008.) What is beyond the range of float32 becomes its
// largest value. NaN stays NaN, with its sign and the top of its payload, quiet.
func Narrow(x float64) float32 {
	if x != x { // by hand, as machines differ here
		b := math.Float64bits(x)
		return math.Float32frombits(uint32(b>>63)<<31 | 0x7FC00000 | uint32(b>>29)&0x3FFFFF)
	}
	y := float32(x)
	b := math.Float32bits(y)
	if float64(y) != x {
		if math.Abs(float64(y)) > math.Abs(x) {
			b-- // truncated, infinity too
		}
		b |= 1
	}
	return math.Float32frombits(b)
}
