package fp8

import (
	"cmp"
	"fmt"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// E4M3FNUZ is the 1.4.3 format of Noune et al., "8-bit Numerical Formats for
// Deep Neural Networks" (arXiv 2206.02915), as AMD's MI300 and torch's
// float8_e4m3fnuz have it: one sign bit, four exponent bits with bias 8, three
// mantissa bits. FNUZ is for "finite, unsigned zero": there are no infinities,
// one zero, and the code that would be -0 is the only NaN. Its values are half
// of those that the same codes have in E4M3FN. Its zero value is 0. A Go
// conversion from and to uint8 gives and takes the code; == compares codes,
// Equal compares values.
type E4M3FNUZ uint8

// Limits of E4M3FNUZ, as untyped constants; each is an E4M3FNUZ value.
const (
	E4M3FNUZMax               = 240     // code 0x7F, 1.875 * 2^7, the largest value
	E4M3FNUZSmallestNormal    = 0x1p-7  // code 0x08, 0.0078125
	E4M3FNUZSmallestSubnormal = 0x1p-10 // code 0x01, 0.0009765625, the least value above zero
	E4M3FNUZEpsilon           = 0x1p-3  // 0.125, from 1 to the next value
	E4M3FNUZMaxExp            = 7       // exponent of E4M3FNUZMax, for E8M0Scale
)

// E4M3FNUZNaN is the only NaN.
const E4M3FNUZNaN E4M3FNUZ = 0x80

const (
	e4m3fnuzMantBits = 3
	e4m3fnuzMinExp   = -7
	e4m3fnuzTop      = 0x7F // the code of E4M3FNUZMax
)

var e4m3fnuzValues = values[E4M3FNUZ](e4m3fnuzMantBits, e4m3fnuzMinExp)

// E4M3FNUZFromFloat32 returns the E4M3FNUZ nearest to x; of two equally near
// ones the one with an even code. What is out of range becomes NaN: infinity,
// and any magnitude of 248 or more, which lies half-way from the largest value
// to the 256 that the grid would have next. A NaN becomes E4M3FNUZNaN, and what
// rounds to zero becomes +0. (torch's x.to(torch.float8_e4m3fnuz) gives the
// same.)
func E4M3FNUZFromFloat32(x float32) E4M3FNUZ { return e4m3fnuz(x, e4m3fnuzTop+1) }

// E4M3FNUZFromFloat32Sat is E4M3FNUZFromFloat32 with saturation: what is out
// of range, infinity included, becomes +-E4M3FNUZMax, as the OCP FP8
// specification has it for its formats. A NaN becomes E4M3FNUZNaN.
func E4M3FNUZFromFloat32Sat(x float32) E4M3FNUZ { return e4m3fnuz(x, e4m3fnuzTop) }

// E4M3FNUZFromFloat64 is E4M3FNUZFromFloat32 for a float64: x is rounded once,
// not first to float32.
func E4M3FNUZFromFloat64(x float64) E4M3FNUZ { return E4M3FNUZFromFloat32(minifloat.Narrow(x)) }

// E4M3FNUZFromFloat64Sat is E4M3FNUZFromFloat32Sat for a float64: x is rounded
// once, not first to float32.
func E4M3FNUZFromFloat64Sat(x float64) E4M3FNUZ { return E4M3FNUZFromFloat32Sat(minifloat.Narrow(x)) }

// e4m3fnuz rounds x and ends the codes at top; the one after e4m3fnuzTop is NaN.
func e4m3fnuz(x float32, top uint32) E4M3FNUZ {
	if x != x {
		return E4M3FNUZNaN
	}
	c := min(minifloat.Magnitude(x, e4m3fnuzMantBits, e4m3fnuzMinExp), top)
	if c == 0 {
		return 0 // there is no -0
	}
	return E4M3FNUZ(uint8(c) | sign(x))
}

// E4M3FNUZFromBits returns the E4M3FNUZ with the code b.
func E4M3FNUZFromBits(b uint8) E4M3FNUZ { return E4M3FNUZ(b) }

// Bits returns the code of x, the sign in bit 7.
func (x E4M3FNUZ) Bits() uint8 { return uint8(x) }

// Float32 returns the value of x, exactly.
func (x E4M3FNUZ) Float32() float32 { return e4m3fnuzValues[x] }

// IsNaN reports whether x is the NaN, 0x80.
func (x E4M3FNUZ) IsNaN() bool { return x == E4M3FNUZNaN }

// IsInf returns false: E4M3FNUZ has no infinities. The parameter is that of
// math.IsInf.
func (x E4M3FNUZ) IsInf(int) bool { return false }

// IsFinite reports whether x is not NaN.
func (x E4M3FNUZ) IsFinite() bool { return !x.IsNaN() }

// IsZero reports whether x is zero.
func (x E4M3FNUZ) IsZero() bool { return x == 0 }

// IsNormal reports whether x is finite and its magnitude at least
// E4M3FNUZSmallestNormal.
func (x E4M3FNUZ) IsNormal() bool { return x.IsFinite() && x&0x78 != 0 }

// IsSubnormal reports whether x is not zero and its magnitude less than
// E4M3FNUZSmallestNormal.
func (x E4M3FNUZ) IsSubnormal() bool { return x.IsFinite() && x&0x78 == 0 && !x.IsZero() }

// Signbit reports whether the sign bit of x is set, as it is for the NaN.
func (x E4M3FNUZ) Signbit() bool { return x&signMask != 0 }

// Equal reports whether x and y are the same number: a NaN equals nothing.
func (x E4M3FNUZ) Equal(y E4M3FNUZ) bool { return x.Float32() == y.Float32() }

// Less reports whether x < y; it is false if either is a NaN.
func (x E4M3FNUZ) Less(y E4M3FNUZ) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does: NaNs are equal to each other
// and less than any number. It serves slices.SortFunc.
func (x E4M3FNUZ) Compare(y E4M3FNUZ) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the shortest decimal number that float32 reads as x, "NaN" for the NaN.
func (x E4M3FNUZ) String() string { return text(x.Float32()) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x E4M3FNUZ) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
