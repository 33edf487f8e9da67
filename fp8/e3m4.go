package fp8

import (
	"cmp"
	"fmt"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// E3M4 is the format of three exponent and four mantissa bits as IEEE 754 lays
// formats out (ml_dtypes' float8_e3m4): one sign bit, exponent bias 3, and the
// highest exponent for infinities and NaNs. Its zero value is +0. A Go
// conversion from and to uint8 gives and takes the code; == compares codes, Equal
// compares values.
type E3M4 uint8

// Limits of E3M4, as untyped constants; each is an E3M4 value.
const (
	E3M4Max               = 15.5   // code 0x6F, 1.9375 * 2^3, the largest finite value
	E3M4SmallestNormal    = 0x1p-2 // code 0x10, 0.25
	E3M4SmallestSubnormal = 0x1p-6 // code 0x01, 0.015625, the least value above zero
	E3M4Epsilon           = 0x1p-4 // 0.0625, from 1 to the next value
	E3M4MaxExp            = 3      // exponent of E3M4Max, for E8M0Scale
)

// Codes of the special values of E3M4.
const (
	E3M4Inf    E3M4 = 0x70
	E3M4NegInf E3M4 = 0xF0
	E3M4NaN    E3M4 = 0x78 // the NaN that conversions give; all from 0x71 to 0x7F and their negatives are NaNs
)

const (
	e3m4MantBits = 4
	e3m4MinExp   = -2
	e3m4Top      = 0x6F // the code of E3M4Max
)

var e3m4Values = values[E3M4](e3m4MantBits, e3m4MinExp)

// E3M4FromFloat32 returns the E3M4 nearest to x; of two equally near ones the
// one with an even code. A magnitude of 15.75 or more, half-way from 15.5 to the
// 16 that the grid would have next, becomes infinity with the sign of x, and
// infinity stays infinity. A NaN becomes E3M4NaN with its sign. (IEEE 754-2019,
// sections 4.3.1 and 7.4; ml_dtypes gives the same.)
func E3M4FromFloat32(x float32) E3M4 { return e3m4(x, e3m4Top+1) }

// E3M4FromFloat32Sat is E3M4FromFloat32 with saturation: what is out of range,
// infinity included, becomes +-E3M4Max. A NaN becomes E3M4NaN with its sign.
func E3M4FromFloat32Sat(x float32) E3M4 { return e3m4(x, e3m4Top) }

// E3M4FromFloat64 is E3M4FromFloat32 for a float64: x is rounded once, not
// first to float32.
func E3M4FromFloat64(x float64) E3M4 { return E3M4FromFloat32(minifloat.Narrow(x)) }

// E3M4FromFloat64Sat is E3M4FromFloat32Sat for a float64: x is rounded
// once, not first to float32.
func E3M4FromFloat64Sat(x float64) E3M4 { return E3M4FromFloat32Sat(minifloat.Narrow(x)) }

// e3m4 rounds x and ends the codes at top; the one after e3m4Top is infinity.
func e3m4(x float32, top uint32) E3M4 {
	if x != x {
		return E3M4NaN | E3M4(sign(x))
	}
	c := min(minifloat.Magnitude(x, e3m4MantBits, e3m4MinExp), top)
	return E3M4(uint8(c) | sign(x))
}

// E3M4FromBits returns the E3M4 with the code b.
func E3M4FromBits(b uint8) E3M4 { return E3M4(b) }

// Bits returns the code of x, the sign in bit 7.
func (x E3M4) Bits() uint8 { return uint8(x) }

// Float32 returns the value of x, exactly.
func (x E3M4) Float32() float32 { return e3m4Values[x] }

// IsNaN reports whether x is a NaN.
func (x E3M4) IsNaN() bool { return x&^signMask > E3M4Inf }

// IsInf reports whether x is an infinity: +Inf if sign > 0, -Inf if sign < 0,
// either if sign == 0.
func (x E3M4) IsInf(sign int) bool { return sign >= 0 && x == E3M4Inf || sign <= 0 && x == E3M4NegInf }

// IsFinite reports whether x is neither an infinity nor a NaN.
func (x E3M4) IsFinite() bool { return x&^signMask < E3M4Inf }

// IsZero reports whether x is +0 or -0.
func (x E3M4) IsZero() bool { return x&^signMask == 0 }

// IsNormal reports whether x is finite and its magnitude at least
// E3M4SmallestNormal.
func (x E3M4) IsNormal() bool { return x.IsFinite() && x&0x70 != 0 }

// IsSubnormal reports whether x is not zero and its magnitude less than
// E3M4SmallestNormal.
func (x E3M4) IsSubnormal() bool { return x&0x70 == 0 && !x.IsZero() }

// Signbit reports whether the sign bit of x is set, be x a zero or a NaN.
func (x E3M4) Signbit() bool { return x&signMask != 0 }

// Equal reports whether x and y are the same number: a NaN equals nothing, and the
// zeros are equal.
func (x E3M4) Equal(y E3M4) bool { return x.Float32() == y.Float32() }

// Less reports whether x < y; it is false if either is a NaN.
func (x E3M4) Less(y E3M4) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does: NaNs are equal to each other
// and less than any number; the zeros are equal. It serves slices.SortFunc.
func (x E3M4) Compare(y E3M4) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the shortest decimal number that float32 reads as x; "NaN",
// "+Inf" and "-Inf" for these.
func (x E3M4) String() string { return text(x.Float32()) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x E3M4) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
