package fp8

import (
	"cmp"
	"fmt"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// E4M3FN is the E4M3 format of the OCP FP8 specification 1.0 (torch's
// float8_e4m3fn, safetensors' F8_E4M3): one sign bit, four exponent bits with
// bias 7, three mantissa bits. FN is for "finite": there are no infinities, the
// highest exponent holds numbers, and S.1111.111 alone is NaN. Its zero value
// is +0. A Go conversion from and to uint8 gives and takes the code; == compares
// codes, Equal compares values.
type E4M3FN uint8

// Limits of E4M3FN, as untyped constants; each is an E4M3FN value.
const (
	E4M3FNMax               = 448    // code 0x7E, 1.75 * 2^8, the largest value
	E4M3FNSmallestNormal    = 0x1p-6 // code 0x08, 0.015625
	E4M3FNSmallestSubnormal = 0x1p-9 // code 0x01, 0.001953125, the least value above zero
	E4M3FNEpsilon           = 0x1p-3 // 0.125, from 1 to the next value
	E4M3FNMaxExp            = 8      // exponent of E4M3FNMax, for E8M0Scale
)

// E4M3FNNaN is the positive NaN; 0xFF, the negative one, is the only other.
const E4M3FNNaN E4M3FN = 0x7F

const (
	e4m3fnMantBits = 3
	e4m3fnMinExp   = -6
	e4m3fnTop      = 0x7E // the code of E4M3FNMax
)

var e4m3fnValues = values[E4M3FN](e4m3fnMantBits, e4m3fnMinExp)

// E4M3FNFromFloat32 returns the E4M3FN nearest to x; of two equally near ones
// the one with an even code. What is out of range becomes NaN with the sign of
// x: infinity, and any magnitude above 464, which lies half-way from 448 to
// the 480 that the grid would have next; 464 itself becomes 448. A NaN stays a
// NaN with its sign. (Conversion without saturation of the OCP FP8 specification
// 1.0; torch's x.to(torch.float8_e4m3fn) gives the same.)
func E4M3FNFromFloat32(x float32) E4M3FN { return e4m3fn(x, e4m3fnTop+1) }

// E4M3FNFromFloat32Sat is E4M3FNFromFloat32 with saturation: what is out of
// range, infinity included, becomes +-E4M3FNMax. A NaN stays a NaN with its
// sign. (Conversion with saturation of the OCP FP8 specification 1.0.)
func E4M3FNFromFloat32Sat(x float32) E4M3FN { return e4m3fn(x, e4m3fnTop) }

// E4M3FNFromFloat64 is E4M3FNFromFloat32 for a float64: x is rounded once, not
// first to float32.
func E4M3FNFromFloat64(x float64) E4M3FN { return E4M3FNFromFloat32(minifloat.Narrow(x)) }

// E4M3FNFromFloat64Sat is E4M3FNFromFloat32Sat for a float64: x is rounded
// once, not first to float32.
func E4M3FNFromFloat64Sat(x float64) E4M3FN { return E4M3FNFromFloat32Sat(minifloat.Narrow(x)) }

// e4m3fn rounds x and ends the codes at top; the one after e4m3fnTop is NaN.
func e4m3fn(x float32, top uint32) E4M3FN {
	if x != x {
		return E4M3FNNaN | E4M3FN(sign(x))
	}
	c := min(minifloat.Magnitude(x, e4m3fnMantBits, e4m3fnMinExp), top)
	return E4M3FN(uint8(c) | sign(x))
}

// E4M3FNFromBits returns the E4M3FN with the code b.
func E4M3FNFromBits(b uint8) E4M3FN { return E4M3FN(b) }

// Bits returns the code of x, the sign in bit 7.
func (x E4M3FN) Bits() uint8 { return uint8(x) }

// Float32 returns the value of x, exactly.
func (x E4M3FN) Float32() float32 { return e4m3fnValues[x] }

// IsNaN reports whether x is 0x7F or 0xFF.
func (x E4M3FN) IsNaN() bool { return x&^signMask == E4M3FNNaN }

// IsInf returns false: E4M3FN has no infinities. The parameter is that of
// math.IsInf.
func (x E4M3FN) IsInf(int) bool { return false }

// IsFinite reports whether x is not NaN.
func (x E4M3FN) IsFinite() bool { return !x.IsNaN() }

// IsZero reports whether x is +0 or -0.
func (x E4M3FN) IsZero() bool { return x&^signMask == 0 }

// IsNormal reports whether x is finite and its magnitude at least
// E4M3FNSmallestNormal.
func (x E4M3FN) IsNormal() bool { return x.IsFinite() && x&0x78 != 0 }

// IsSubnormal reports whether x is not zero and its magnitude less than
// E4M3FNSmallestNormal.
func (x E4M3FN) IsSubnormal() bool { return x&0x78 == 0 && !x.IsZero() }

// Signbit reports whether the sign bit of x is set, be x a zero or a NaN.
func (x E4M3FN) Signbit() bool { return x&signMask != 0 }

// Equal reports whether x and y are the same number: a NaN equals nothing, and the
// zeros are equal.
func (x E4M3FN) Equal(y E4M3FN) bool { return x.Float32() == y.Float32() }

// Less reports whether x < y; it is false if either is a NaN.
func (x E4M3FN) Less(y E4M3FN) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does: NaNs are equal to each other
// and less than any number; the zeros are equal. It serves slices.SortFunc.
func (x E4M3FN) Compare(y E4M3FN) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the shortest decimal number that float32 reads as x, "NaN" for a NaN.
func (x E4M3FN) String() string { return text(x.Float32()) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x E4M3FN) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
