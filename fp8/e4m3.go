package fp8

import (
	"cmp"
	"fmt"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// E4M3 is the format of four exponent and three mantissa bits as IEEE 754 lays
// formats out (ml_dtypes' float8_e4m3): one sign bit, exponent bias 7, and the
// highest exponent for infinities and NaNs. It is not the E4M3 of the OCP FP8
// specification, which is E4M3FN; the codes of numbers up to 240 are the same.
// Its zero value is +0. A Go conversion from and to uint8 gives and takes the
// code; == compares codes, Equal compares values.
type E4M3 uint8

// Limits of E4M3, as untyped constants; each is an E4M3 value.
const (
	E4M3Max               = 240    // code 0x77, 1.875 * 2^7, the largest finite value
	E4M3SmallestNormal    = 0x1p-6 // code 0x08, 0.015625
	E4M3SmallestSubnormal = 0x1p-9 // code 0x01, 0.001953125, the least value above zero
	E4M3Epsilon           = 0x1p-3 // 0.125, from 1 to the next value
	E4M3MaxExp            = 7      // exponent of E4M3Max, for E8M0Scale
)

// Codes of the special values of E4M3.
const (
	E4M3Inf    E4M3 = 0x78
	E4M3NegInf E4M3 = 0xF8
	E4M3NaN    E4M3 = 0x7C // the NaN that conversions give; all from 0x79 to 0x7F and their negatives are NaNs
)

const (
	e4m3MantBits = 3
	e4m3MinExp   = -6
	e4m3Top      = 0x77 // the code of E4M3Max
)

var e4m3Values = values[E4M3](e4m3MantBits, e4m3MinExp)

// E4M3FromFloat32 returns the E4M3 nearest to x; of two equally near ones the
// one with an even code. A magnitude of 248 or more, half-way from 240 to the
// 256 that the grid would have next, becomes infinity with the sign of x, and
// infinity stays infinity. A NaN becomes E4M3NaN with its sign. (IEEE 754-2019,
// sections 4.3.1 and 7.4; ml_dtypes gives the same.)
func E4M3FromFloat32(x float32) E4M3 { return e4m3(x, e4m3Top+1) }

// E4M3FromFloat32Sat is E4M3FromFloat32 with saturation: what is out of range,
// infinity included, becomes +-E4M3Max. A NaN becomes E4M3NaN with its sign.
func E4M3FromFloat32Sat(x float32) E4M3 { return e4m3(x, e4m3Top) }

// E4M3FromFloat64 is E4M3FromFloat32 for a float64: x is rounded once, not
// first to float32.
func E4M3FromFloat64(x float64) E4M3 { return E4M3FromFloat32(minifloat.Narrow(x)) }

// E4M3FromFloat64Sat is E4M3FromFloat32Sat for a float64: x is rounded
// once, not first to float32.
func E4M3FromFloat64Sat(x float64) E4M3 { return E4M3FromFloat32Sat(minifloat.Narrow(x)) }

// e4m3 rounds x and ends the codes at top; the one after e4m3Top is infinity.
func e4m3(x float32, top uint32) E4M3 {
	if x != x {
		return E4M3NaN | E4M3(sign(x))
	}
	c := min(minifloat.Magnitude(x, e4m3MantBits, e4m3MinExp), top)
	return E4M3(uint8(c) | sign(x))
}

// E4M3FromBits returns the E4M3 with the code b.
func E4M3FromBits(b uint8) E4M3 { return E4M3(b) }

// Bits returns the code of x, the sign in bit 7.
func (x E4M3) Bits() uint8 { return uint8(x) }

// Float32 returns the value of x, exactly.
func (x E4M3) Float32() float32 { return e4m3Values[x] }

// IsNaN reports whether x is a NaN.
func (x E4M3) IsNaN() bool { return x&^signMask > E4M3Inf }

// IsInf reports whether x is an infinity: +Inf if sign > 0, -Inf if sign < 0,
// either if sign == 0.
func (x E4M3) IsInf(sign int) bool { return sign >= 0 && x == E4M3Inf || sign <= 0 && x == E4M3NegInf }

// IsFinite reports whether x is neither an infinity nor a NaN.
func (x E4M3) IsFinite() bool { return x&^signMask < E4M3Inf }

// IsZero reports whether x is +0 or -0.
func (x E4M3) IsZero() bool { return x&^signMask == 0 }

// IsNormal reports whether x is finite and its magnitude at least
// E4M3SmallestNormal.
func (x E4M3) IsNormal() bool { return x.IsFinite() && x&0x78 != 0 }

// IsSubnormal reports whether x is not zero and its magnitude less than
// E4M3SmallestNormal.
func (x E4M3) IsSubnormal() bool { return x&0x78 == 0 && !x.IsZero() }

// Signbit reports whether the sign bit of x is set, be x a zero or a NaN.
func (x E4M3) Signbit() bool { return x&signMask != 0 }

// Equal reports whether x and y are the same number: a NaN equals nothing, and the
// zeros are equal.
func (x E4M3) Equal(y E4M3) bool { return x.Float32() == y.Float32() }

// Less reports whether x < y; it is false if either is a NaN.
func (x E4M3) Less(y E4M3) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does: NaNs are equal to each other
// and less than any number; the zeros are equal. It serves slices.SortFunc.
func (x E4M3) Compare(y E4M3) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the shortest decimal number that float32 reads as x; "NaN",
// "+Inf" and "-Inf" for these.
func (x E4M3) String() string { return text(x.Float32()) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x E4M3) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
