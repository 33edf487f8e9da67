package fp4

import (
	"cmp"
	"fmt"
	"math"
	"strconv"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// E2M1 is a number of the FP4 format of the OCP MX specification 1.0, section
// 5.3: one sign bit, two exponent bits with bias 1, one mantissa bit, in the low
// nibble of a byte. The high nibble of a code does not count; the functions
// here leave it zero. == compares codes, Equal compares values.
type E2M1 uint8

const (
	codeMask = 0x0F
	signMask = 0x08
	maxCode  = 0x07
	mantBits = 1
	minExp   = 0
)

// Limits of E2M1, as untyped constants; each is an E2M1 value.
const (
	E2M1Max               = 6   // the largest value
	E2M1SmallestNormal    = 1   // the least value with full precision
	E2M1SmallestSubnormal = 0.5 // the least value above zero
	E2M1Epsilon           = 0.5 // from 1 to the next value
	E2M1MaxExp            = 2   // exponent of E2M1Max, for fp8.E8M0Scale
)

// E2M1FromFloat32 returns the E2M1 nearest to x; of two equally near ones the
// one with an even code. It saturates, there being nothing else to give: an x
// beyond E2M1Max, infinity included, becomes +-E2M1Max (OCP MX 1.0, section
// 6.3, for values of a block). The format has no NaN and the specification
// leaves its conversion open: a NaN becomes +0. A negative x that rounds to
// zero becomes -0.
func E2M1FromFloat32(x float32) E2M1 {
	if x != x {
		return 0
	}
	c := min(minifloat.Magnitude(x, mantBits, minExp), maxCode)
	return E2M1(c) | E2M1(math.Float32bits(x)>>28)&signMask
}

// E2M1FromFloat64 is E2M1FromFloat32 for a float64: x is rounded once, not
// first to float32.
func E2M1FromFloat64(x float64) E2M1 { return E2M1FromFloat32(minifloat.Narrow(x)) }

var values = func() (v [16]float32) {
	for c := range uint32(signMask) {
		m := minifloat.Value(c, mantBits, minExp)
		v[c], v[c|signMask] = m, float32(math.Copysign(float64(m), -1))
	}
	return v
}()

// Float32 returns the value of x, exactly.
func (x E2M1) Float32() float32 { return values[x&codeMask] }

// E2M1FromBits returns the E2M1 with the code b, whose high nibble is dropped.
func E2M1FromBits(b uint8) E2M1 { return E2M1(b) & codeMask }

// Bits returns the code of x, 0 to 15, the sign in bit 3.
func (x E2M1) Bits() uint8 { return uint8(x) & codeMask }

// IsZero reports whether x is +0 or -0.
func (x E2M1) IsZero() bool { return x&maxCode == 0 }

// IsNormal reports whether the magnitude of x is at least E2M1SmallestNormal.
func (x E2M1) IsNormal() bool { return x&maxCode > 1 }

// IsSubnormal reports whether x is 0.5 or -0.5, the only subnormals.
func (x E2M1) IsSubnormal() bool { return x&maxCode == 1 }

// Signbit reports whether the sign bit of x is set; it is for -0 too.
func (x E2M1) Signbit() bool { return x&signMask != 0 }

// Equal reports whether x and y are the same number: the zeros are equal.
func (x E2M1) Equal(y E2M1) bool { return x.Float32() == y.Float32() }

// Less reports whether x < y.
func (x E2M1) Less(y E2M1) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does; the zeros are equal. It
// serves slices.SortFunc.
func (x E2M1) Compare(y E2M1) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the value in decimal, as in "-0.5".
func (x E2M1) String() string { return strconv.FormatFloat(float64(x.Float32()), 'g', -1, 32) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x E2M1) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
