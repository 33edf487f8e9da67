package fp6

import (
	"cmp"
	"fmt"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// E2M3 is a number of the FP6 format of the OCP MX specification 1.0, section 5.3,
// that has the greater precision: one sign bit, two exponent bits with bias 1, three
// mantissa bits, in the low six bits of a byte. The two bits above do not count;
// the functions here leave them zero. == compares codes, Equal compares values.
type E2M3 uint8

// Limits of E2M3, as untyped constants; each is an E2M3 value.
const (
	E2M3Max               = 7.5   // code 0x1F, 1.875 * 2^2, the largest value
	E2M3SmallestNormal    = 1     // code 0x08, the least value with full precision
	E2M3SmallestSubnormal = 0.125 // code 0x01, the least value above zero
	E2M3Epsilon           = 0.125 // from 1 to the next value
	E2M3MaxExp            = 2     // exponent of E2M3Max, for fp8.E8M0Scale
)

const (
	e2m3MantBits = 3
	e2m3MinExp   = 0
)

var e2m3Values = values(e2m3MantBits, e2m3MinExp)

// E2M3FromFloat32 returns the E2M3 nearest to x; of two equally near ones the one
// with an even code. It saturates, there being nothing else to give: an x beyond
// E2M3Max, infinity included, becomes +-E2M3Max (OCP MX 1.0, section 6.3, for
// values of a block). The format has no NaN and the specification leaves its
// conversion open: a NaN becomes +0. A negative x that rounds to zero becomes -0.
func E2M3FromFloat32(x float32) E2M3 { return E2M3(code(x, e2m3MantBits, e2m3MinExp)) }

// E2M3FromFloat64 is E2M3FromFloat32 for a float64: x is rounded once, not first to
// float32.
func E2M3FromFloat64(x float64) E2M3 { return E2M3FromFloat32(minifloat.Narrow(x)) }

// Float32 returns the value of x, exactly.
func (x E2M3) Float32() float32 { return e2m3Values[x&codeMask] }

// E2M3FromBits returns the E2M3 with the code b, whose two highest bits are dropped.
func E2M3FromBits(b uint8) E2M3 { return E2M3(b) & codeMask }

// Bits returns the code of x, 0 to 63, the sign in bit 5.
func (x E2M3) Bits() uint8 { return uint8(x) & codeMask }

// IsZero reports whether x is +0 or -0.
func (x E2M3) IsZero() bool { return x&maxCode == 0 }

// IsNormal reports whether the magnitude of x is at least E2M3SmallestNormal.
func (x E2M3) IsNormal() bool { return x&maxCode>>e2m3MantBits != 0 }

// IsSubnormal reports whether x is not zero and its magnitude less than
// E2M3SmallestNormal.
func (x E2M3) IsSubnormal() bool { return !x.IsNormal() && !x.IsZero() }

// Signbit reports whether the sign bit of x is set; it is for -0 too.
func (x E2M3) Signbit() bool { return x&signMask != 0 }

// Equal reports whether x and y are the same number: the zeros are equal.
func (x E2M3) Equal(y E2M3) bool { return x.Float32() == y.Float32() }

// Less reports whether x < y.
func (x E2M3) Less(y E2M3) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does; the zeros are equal. It serves
// slices.SortFunc.
func (x E2M3) Compare(y E2M3) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the value in decimal, as in "-0.5".
func (x E2M3) String() string { return text(x.Float32()) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x E2M3) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
