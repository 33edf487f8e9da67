package bf16

import (
	"cmp"
	"fmt"
	"math"
	"strconv"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// BFloat16 is a bfloat16 number: one sign bit, eight exponent bits with bias
// 127, seven mantissa bits. Its zero value is +0. A Go conversion from and to
// uint16 gives and takes the bits; == compares those, Equal compares values.
type BFloat16 uint16

const (
	signMask = 0x8000
	expMask  = 0x7F80
	quietBit = 0x0040
)

// Limits, as untyped constants; each is a bfloat16 value.
const (
	Max               = 0x1.FEp127 // 3.3895314e+38, the largest finite value
	SmallestNormal    = 0x1p-126   // 1.1754944e-38
	SmallestSubnormal = 0x1p-133   // 9.1835e-41, the least value above zero
	Epsilon           = 0x1p-7     // 0.0078125, from 1 to the next value
)

// Codes of the special values.
const (
	Inf    BFloat16 = 0x7F80
	NegInf BFloat16 = 0xFF80
	NaN    BFloat16 = 0x7FC0 // the NaN of an empty payload; there are 253 others
)

// FromFloat32 returns the bfloat16 nearest to x; of two equally near ones the
// one with an even last bit. From Max plus half a unit of its last place
// (0x1.FFp127, 3.3961776e+38) upwards that is infinity. A NaN stays a NaN with
// its sign and the top of its payload, and becomes quiet.
func FromFloat32(x float32) BFloat16 {
	// A bfloat16 is the upper half of a float32, so rounding is one integer
	// addition, and a carry goes where it belongs.
	b := math.Float32bits(x)
	if x != x {
		return BFloat16(b>>16) | quietBit
	}
	return BFloat16((b + 0x7FFF + b>>16&1) >> 16)
}

// FromFloat64 is FromFloat32 for a float64: x is rounded once, not first to
// float32.
func FromFloat64(x float64) BFloat16 { return FromFloat32(minifloat.Narrow(x)) }

// Float32 returns the value of x, exactly; a NaN keeps its payload.
func (x BFloat16) Float32() float32 { return math.Float32frombits(uint32(x) << 16) }

// FromBits returns the bfloat16 with the bits b.
func FromBits(b uint16) BFloat16 { return BFloat16(b) }

// Bits returns the bits of x, the sign in the highest.
func (x BFloat16) Bits() uint16 { return uint16(x) }

// IsNaN reports whether x is a NaN.
func (x BFloat16) IsNaN() bool { return x&^signMask > Inf }

// IsInf reports whether x is an infinity: +Inf if sign > 0, -Inf if sign < 0,
// either if sign == 0.
func (x BFloat16) IsInf(sign int) bool {
	return sign >= 0 && x == Inf || sign <= 0 && x == NegInf
}

// IsFinite reports whether x is neither an infinity nor a NaN.
func (x BFloat16) IsFinite() bool { return x&^signMask < Inf }

// IsZero reports whether x is +0 or -0.
func (x BFloat16) IsZero() bool { return x&^signMask == 0 }

// IsNormal reports whether x is finite and its magnitude at least
// SmallestNormal.
func (x BFloat16) IsNormal() bool { return x.IsFinite() && x&expMask != 0 }

// IsSubnormal reports whether x is not zero and its magnitude less than
// SmallestNormal.
func (x BFloat16) IsSubnormal() bool { return x&expMask == 0 && !x.IsZero() }

// Signbit reports whether the sign bit of x is set, be x a zero or a NaN.
func (x BFloat16) Signbit() bool { return x&signMask != 0 }

// Equal reports whether x and y are the same number: a NaN equals nothing, and
// the zeros are equal.
func (x BFloat16) Equal(y BFloat16) bool { return x.Float32() == y.Float32() }

// Less reports whether x < y; it is false if either is a NaN.
func (x BFloat16) Less(y BFloat16) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does: the zeros are equal, NaNs are
// equal to each other and less than any number. It serves slices.SortFunc.
func (x BFloat16) Compare(y BFloat16) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the shortest decimal number that float32 reads as x; "NaN",
// "+Inf" and "-Inf" for these.
func (x BFloat16) String() string { return strconv.FormatFloat(float64(x.Float32()), 'g', -1, 32) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x BFloat16) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
