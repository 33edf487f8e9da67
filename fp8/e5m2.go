package fp8

import (
	"cmp"
	"fmt"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// E5M2 is the E5M2 format of the OCP FP8 specification 1.0 (torch's
// float8_e5m2, safetensors' F8_E5M2): one sign bit, five exponent bits with
// bias 15, two mantissa bits. It follows IEEE 754 and is a float16 without its
// lower byte, with infinities and NaNs. Its zero value is +0. A Go conversion
// from and to uint8 gives and takes the code; == compares codes, Equal compares
// values.
type E5M2 uint8

// Limits of E5M2, as untyped constants; each is an E5M2 value.
const (
	E5M2Max               = 57344   // code 0x7B, 1.75 * 2^15, the largest finite value
	E5M2SmallestNormal    = 0x1p-14 // code 0x04, 6.1035156e-05
	E5M2SmallestSubnormal = 0x1p-16 // code 0x01, 1.5258789e-05, the least value above zero
	E5M2Epsilon           = 0x1p-2  // 0.25, from 1 to the next value
	E5M2MaxExp            = 15      // exponent of E5M2Max, for E8M0Scale
)

// Codes of the special values of E5M2.
const (
	E5M2Inf    E5M2 = 0x7C
	E5M2NegInf E5M2 = 0xFC
	E5M2NaN    E5M2 = 0x7F // the NaN that conversions give; 0x7D, 0x7E and their negatives are NaNs too
)

const (
	e5m2MantBits = 2
	e5m2MinExp   = -14
	e5m2Top      = 0x7B // the code of E5M2Max
)

var e5m2Values = values[E5M2](e5m2MantBits, e5m2MinExp)

// E5M2FromFloat32 returns the E5M2 nearest to x; of two equally near ones the
// one with an even code. A magnitude of 61440 or more, half-way from 57344 to
// the 65536 that the grid would have next, becomes infinity with the sign of x,
// and infinity stays infinity. A NaN becomes E5M2NaN with its sign. (IEEE
// 754-2019, sections 4.3.1 and 7.4, and conversion without saturation of the OCP
// FP8 specification 1.0; torch's x.to(torch.float8_e5m2) gives the same.)
func E5M2FromFloat32(x float32) E5M2 { return e5m2(x, e5m2Top+1) }

// E5M2FromFloat32Sat is E5M2FromFloat32 with saturation: what is out of range,
// infinity included, becomes +-E5M2Max. A NaN becomes E5M2NaN with its sign.
// (Conversion with saturation of the OCP FP8 specification 1.0.)
func E5M2FromFloat32Sat(x float32) E5M2 { return e5m2(x, e5m2Top) }

// E5M2FromFloat64 is E5M2FromFloat32 for a float64: x is rounded once, not
// first to float32.
func E5M2FromFloat64(x float64) E5M2 { return E5M2FromFloat32(minifloat.Narrow(x)) }

// E5M2FromFloat64Sat is E5M2FromFloat32Sat for a float64: x is rounded
// once, not first to float32.
func E5M2FromFloat64Sat(x float64) E5M2 { return E5M2FromFloat32Sat(minifloat.Narrow(x)) }

// e5m2 rounds x and ends the codes at top; the one after e5m2Top is infinity.
func e5m2(x float32, top uint32) E5M2 {
	if x != x {
		return E5M2NaN | E5M2(sign(x))
	}
	c := min(minifloat.Magnitude(x, e5m2MantBits, e5m2MinExp), top)
	return E5M2(uint8(c) | sign(x))
}

// E5M2FromBits returns the E5M2 with the code b.
func E5M2FromBits(b uint8) E5M2 { return E5M2(b) }

// Bits returns the code of x, the sign in bit 7.
func (x E5M2) Bits() uint8 { return uint8(x) }

// Float32 returns the value of x, exactly.
func (x E5M2) Float32() float32 { return e5m2Values[x] }

// IsNaN reports whether x is a NaN.
func (x E5M2) IsNaN() bool { return x&^signMask > E5M2Inf }

// IsInf reports whether x is an infinity: +Inf if sign > 0, -Inf if sign < 0,
// either if sign == 0.
func (x E5M2) IsInf(sign int) bool { return sign >= 0 && x == E5M2Inf || sign <= 0 && x == E5M2NegInf }

// IsFinite reports whether x is neither an infinity nor a NaN.
func (x E5M2) IsFinite() bool { return x&^signMask < E5M2Inf }

// IsZero reports whether x is +0 or -0.
func (x E5M2) IsZero() bool { return x&^signMask == 0 }

// IsNormal reports whether x is finite and its magnitude at least
// E5M2SmallestNormal.
func (x E5M2) IsNormal() bool { return x.IsFinite() && x&0x7C != 0 }

// IsSubnormal reports whether x is not zero and its magnitude less than
// E5M2SmallestNormal.
func (x E5M2) IsSubnormal() bool { return x&0x7C == 0 && !x.IsZero() }

// Signbit reports whether the sign bit of x is set, be x a zero or a NaN.
func (x E5M2) Signbit() bool { return x&signMask != 0 }

// Equal reports whether x and y are the same number: a NaN equals nothing, and the
// zeros are equal.
func (x E5M2) Equal(y E5M2) bool { return x.Float32() == y.Float32() }

// Less reports whether x < y; it is false if either is a NaN.
func (x E5M2) Less(y E5M2) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does: NaNs are equal to each other
// and less than any number; the zeros are equal. It serves slices.SortFunc.
func (x E5M2) Compare(y E5M2) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the shortest decimal number that float32 reads as x; "NaN",
// "+Inf" and "-Inf" for these.
func (x E5M2) String() string { return text(x.Float32()) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x E5M2) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
