package fp8

import (
	"cmp"
	"fmt"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// E5M2FNUZ is the 1.5.2 format of Noune et al., "8-bit Numerical Formats for
// Deep Neural Networks" (arXiv 2206.02915), as AMD's MI300 and torch's
// float8_e5m2fnuz have it: one sign bit, five exponent bits with bias 16, two
// mantissa bits. FNUZ is for "finite, unsigned zero": there are no infinities,
// one zero, and the code that would be -0 is the only NaN. Its values are half
// of those that the same codes have in E5M2, and go on where those end. Its
// zero value is 0. A Go conversion from and to uint8 gives and takes the code;
// == compares codes, Equal compares values.
type E5M2FNUZ uint8

// Limits of E5M2FNUZ, as untyped constants; each is an E5M2FNUZ value.
const (
	E5M2FNUZMax               = 57344   // code 0x7F, 1.75 * 2^15, the largest value
	E5M2FNUZSmallestNormal    = 0x1p-15 // code 0x04, 3.0517578e-05
	E5M2FNUZSmallestSubnormal = 0x1p-17 // code 0x01, 7.6293945e-06, the least value above zero
	E5M2FNUZEpsilon           = 0x1p-2  // 0.25, from 1 to the next value
	E5M2FNUZMaxExp            = 15      // exponent of E5M2FNUZMax, for E8M0Scale
)

// E5M2FNUZNaN is the only NaN.
const E5M2FNUZNaN E5M2FNUZ = 0x80

const (
	e5m2fnuzMantBits = 2
	e5m2fnuzMinExp   = -15
	e5m2fnuzTop      = 0x7F // the code of E5M2FNUZMax
)

var e5m2fnuzValues = values[E5M2FNUZ](e5m2fnuzMantBits, e5m2fnuzMinExp)

// E5M2FNUZFromFloat32 returns the E5M2FNUZ nearest to x; of two equally near
// ones the one with an even code. What is out of range becomes NaN: infinity,
// and any magnitude of 61440 or more, which lies half-way from the largest value
// to the 65536 that the grid would have next. A NaN becomes E5M2FNUZNaN, and what
// rounds to zero becomes +0. (torch's x.to(torch.float8_e5m2fnuz) gives the
// same.)
func E5M2FNUZFromFloat32(x float32) E5M2FNUZ { return e5m2fnuz(x, e5m2fnuzTop+1) }

// E5M2FNUZFromFloat32Sat is E5M2FNUZFromFloat32 with saturation: what is out
// of range, infinity included, becomes +-E5M2FNUZMax, as the OCP FP8
// specification has it for its formats. A NaN becomes E5M2FNUZNaN.
func E5M2FNUZFromFloat32Sat(x float32) E5M2FNUZ { return e5m2fnuz(x, e5m2fnuzTop) }

// E5M2FNUZFromFloat64 is E5M2FNUZFromFloat32 for a float64: x is rounded once,
// not first to float32.
func E5M2FNUZFromFloat64(x float64) E5M2FNUZ { return E5M2FNUZFromFloat32(minifloat.Narrow(x)) }

// E5M2FNUZFromFloat64Sat is E5M2FNUZFromFloat32Sat for a float64: x is rounded
// once, not first to float32.
func E5M2FNUZFromFloat64Sat(x float64) E5M2FNUZ { return E5M2FNUZFromFloat32Sat(minifloat.Narrow(x)) }

// e5m2fnuz rounds x and ends the codes at top; the one after e5m2fnuzTop is NaN.
func e5m2fnuz(x float32, top uint32) E5M2FNUZ {
	if x != x {
		return E5M2FNUZNaN
	}
	c := min(minifloat.Magnitude(x, e5m2fnuzMantBits, e5m2fnuzMinExp), top)
	if c == 0 {
		return 0 // there is no -0
	}
	return E5M2FNUZ(uint8(c) | sign(x))
}

// E5M2FNUZFromBits returns the E5M2FNUZ with the code b.
func E5M2FNUZFromBits(b uint8) E5M2FNUZ { return E5M2FNUZ(b) }

// Bits returns the code of x, the sign in bit 7.
func (x E5M2FNUZ) Bits() uint8 { return uint8(x) }

// Float32 returns the value of x, exactly.
func (x E5M2FNUZ) Float32() float32 { return e5m2fnuzValues[x] }

// IsNaN reports whether x is the NaN, 0x80.
func (x E5M2FNUZ) IsNaN() bool { return x == E5M2FNUZNaN }

// IsInf returns false: E5M2FNUZ has no infinities. The parameter is that of
// math.IsInf.
func (x E5M2FNUZ) IsInf(int) bool { return false }

// IsFinite reports whether x is not NaN.
func (x E5M2FNUZ) IsFinite() bool { return !x.IsNaN() }

// IsZero reports whether x is zero.
func (x E5M2FNUZ) IsZero() bool { return x == 0 }

// IsNormal reports whether x is finite and its magnitude at least
// E5M2FNUZSmallestNormal.
func (x E5M2FNUZ) IsNormal() bool { return x.IsFinite() && x&0x7C != 0 }

// IsSubnormal reports whether x is not zero and its magnitude less than
// E5M2FNUZSmallestNormal.
func (x E5M2FNUZ) IsSubnormal() bool { return x.IsFinite() && x&0x7C == 0 && !x.IsZero() }

// Signbit reports whether the sign bit of x is set, as it is for the NaN.
func (x E5M2FNUZ) Signbit() bool { return x&signMask != 0 }

// Equal reports whether x and y are the same number: a NaN equals nothing.
func (x E5M2FNUZ) Equal(y E5M2FNUZ) bool { return x.Float32() == y.Float32() }

// Less reports whether x < y; it is false if either is a NaN.
func (x E5M2FNUZ) Less(y E5M2FNUZ) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does: NaNs are equal to each other
// and less than any number. It serves slices.SortFunc.
func (x E5M2FNUZ) Compare(y E5M2FNUZ) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the shortest decimal number that float32 reads as x, "NaN" for the NaN.
func (x E5M2FNUZ) String() string { return text(x.Float32()) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x E5M2FNUZ) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
