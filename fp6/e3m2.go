package fp6

import (
	"cmp"
	"fmt"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// E3M2 is a number of the FP6 format of the OCP MX specification 1.0, section 5.3,
// that has the greater range: one sign bit, three exponent bits with bias 3, two
// mantissa bits, in the low six bits of a byte. The two bits above do not count;
// the functions here leave them zero. == compares codes, Equal compares values.
type E3M2 uint8

// Limits of E3M2, as untyped constants; each is an E3M2 value.
const (
	E3M2Max               = 28     // code 0x1F, 1.75 * 2^4, the largest value
	E3M2SmallestNormal    = 0.25   // code 0x04, the least value with full precision
	E3M2SmallestSubnormal = 0.0625 // code 0x01, the least value above zero
	E3M2Epsilon           = 0.25   // from 1 to the next value
	E3M2MaxExp            = 4      // exponent of E3M2Max, for fp8.E8M0Scale
)

const (
	e3m2MantBits = 2
	e3m2MinExp   = -2
)

var e3m2Values = values(e3m2MantBits, e3m2MinExp)

// E3M2FromFloat32 returns the E3M2 nearest to x; of two equally near ones the one
// with an even code. It saturates, there being nothing else to give: an x beyond
// E3M2Max, infinity included, becomes +-E3M2Max (OCP MX 1.0, section 6.3, for
// values of a block). The format has no NaN and the specification leaves its
// conversion open: a NaN becomes +0. A negative x that rounds to zero becomes -0.
func E3M2FromFloat32(x float32) E3M2 { return E3M2(code(x, e3m2MantBits, e3m2MinExp)) }

// E3M2FromFloat64 is E3M2FromFloat32 for a float64: x is rounded once, not first to
// float32.
func E3M2FromFloat64(x float64) E3M2 { return E3M2FromFloat32(minifloat.Narrow(x)) }

// Float32 returns the value of x, exactly.
func (x E3M2) Float32() float32 { return e3m2Values[x&codeMask] }

// E3M2FromBits returns the E3M2 with the code b, whose two highest bits are dropped.
func E3M2FromBits(b uint8) E3M2 { return E3M2(b) & codeMask }

// Bits returns the code of x, 0 to 63, the sign in bit 5.
func (x E3M2) Bits() uint8 { return uint8(x) & codeMask }

// IsZero reports whether x is +0 or -0.
func (x E3M2) IsZero() bool { return x&maxCode == 0 }

// IsNormal reports whether the magnitude of x is at least E3M2SmallestNormal.
func (x E3M2) IsNormal() bool { return x&maxCode>>e3m2MantBits != 0 }

// IsSubnormal reports whether x is not zero and its magnitude less than
// E3M2SmallestNormal.
func (x E3M2) IsSubnormal() bool { return !x.IsNormal() && !x.IsZero() }

// Signbit reports whether the sign bit of x is set; it is for -0 too.
func (x E3M2) Signbit() bool { return x&signMask != 0 }

// Equal reports whether x and y are the same number: the zeros are equal.
func (x E3M2) Equal(y E3M2) bool { return x.Float32() == y.Float32() }

// Less reports whether x < y.
func (x E3M2) Less(y E3M2) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does; the zeros are equal. It serves
// slices.SortFunc.
func (x E3M2) Compare(y E3M2) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the value in decimal, as in "-0.5".
func (x E3M2) String() string { return text(x.Float32()) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x E3M2) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
