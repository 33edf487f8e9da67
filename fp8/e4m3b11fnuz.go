package fp8

import (
	"cmp"
	"fmt"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// E4M3B11FNUZ is E4M3FNUZ with another bias (ml_dtypes' float8_e4m3b11fnuz, the
// HFP8 of Sun et al., "Hybrid 8-bit Floating Point Training and Inference for
// Deep Neural Networks", 2019, with one NaN): one sign bit, four exponent bits
// with bias 11, three mantissa bits, no infinities, one zero, and the code that
// would be -0 is the only NaN. Its zero value is 0. A Go conversion from and to
// uint8 gives and takes the code; == compares codes, Equal compares values.
type E4M3B11FNUZ uint8

// Limits of E4M3B11FNUZ, as untyped constants; each is an E4M3B11FNUZ value.
const (
	E4M3B11FNUZMax               = 30      // code 0x7F, 1.875 * 2^4, the largest value
	E4M3B11FNUZSmallestNormal    = 0x1p-10 // code 0x08, 0.0009765625
	E4M3B11FNUZSmallestSubnormal = 0x1p-13 // code 0x01, 0.00012207031, the least value above zero
	E4M3B11FNUZEpsilon           = 0x1p-3  // 0.125, from 1 to the next value
	E4M3B11FNUZMaxExp            = 4       // exponent of E4M3B11FNUZMax, for E8M0Scale
)

// E4M3B11FNUZNaN is the only NaN.
const E4M3B11FNUZNaN E4M3B11FNUZ = 0x80

const (
	e4m3b11fnuzMantBits = 3
	e4m3b11fnuzMinExp   = -10
	e4m3b11fnuzTop      = 0x7F // the code of E4M3B11FNUZMax
)

var e4m3b11fnuzValues = values[E4M3B11FNUZ](e4m3b11fnuzMantBits, e4m3b11fnuzMinExp)

// E4M3B11FNUZFromFloat32 returns the E4M3B11FNUZ nearest to x; of two equally near
// ones the one with an even code. What is out of range becomes NaN: infinity,
// and any magnitude of 31 or more, which lies half-way from the largest value
// to the 32 that the grid would have next. A NaN becomes E4M3B11FNUZNaN, and what
// rounds to zero becomes +0. (ml_dtypes gives the same.)
func E4M3B11FNUZFromFloat32(x float32) E4M3B11FNUZ { return e4m3b11fnuz(x, e4m3b11fnuzTop+1) }

// E4M3B11FNUZFromFloat32Sat is E4M3B11FNUZFromFloat32 with saturation: what is out
// of range, infinity included, becomes +-E4M3B11FNUZMax, as the OCP FP8
// specification has it for its formats. A NaN becomes E4M3B11FNUZNaN.
func E4M3B11FNUZFromFloat32Sat(x float32) E4M3B11FNUZ { return e4m3b11fnuz(x, e4m3b11fnuzTop) }

// E4M3B11FNUZFromFloat64 is E4M3B11FNUZFromFloat32 for a float64: x is rounded once,
// not first to float32.
func E4M3B11FNUZFromFloat64(x float64) E4M3B11FNUZ {
	return E4M3B11FNUZFromFloat32(minifloat.Narrow(x))
}

// E4M3B11FNUZFromFloat64Sat is E4M3B11FNUZFromFloat32Sat for a float64: x is rounded
// once, not first to float32.
func E4M3B11FNUZFromFloat64Sat(x float64) E4M3B11FNUZ {
	return E4M3B11FNUZFromFloat32Sat(minifloat.Narrow(x))
}

// e4m3b11fnuz rounds x and ends the codes at top; the one after e4m3b11fnuzTop is NaN.
func e4m3b11fnuz(x float32, top uint32) E4M3B11FNUZ {
	if x != x {
		return E4M3B11FNUZNaN
	}
	c := min(minifloat.Magnitude(x, e4m3b11fnuzMantBits, e4m3b11fnuzMinExp), top)
	if c == 0 {
		return 0 // there is no -0
	}
	return E4M3B11FNUZ(uint8(c) | sign(x))
}

// E4M3B11FNUZFromBits returns the E4M3B11FNUZ with the code b.
func E4M3B11FNUZFromBits(b uint8) E4M3B11FNUZ { return E4M3B11FNUZ(b) }

// Bits returns the code of x, the sign in bit 7.
func (x E4M3B11FNUZ) Bits() uint8 { return uint8(x) }

// Float32 returns the value of x, exactly.
func (x E4M3B11FNUZ) Float32() float32 { return e4m3b11fnuzValues[x] }

// IsNaN reports whether x is the NaN, 0x80.
func (x E4M3B11FNUZ) IsNaN() bool { return x == E4M3B11FNUZNaN }

// IsInf returns false: E4M3B11FNUZ has no infinities. The parameter is that of
// math.IsInf.
func (x E4M3B11FNUZ) IsInf(int) bool { return false }

// IsFinite reports whether x is not NaN.
func (x E4M3B11FNUZ) IsFinite() bool { return !x.IsNaN() }

// IsZero reports whether x is zero.
func (x E4M3B11FNUZ) IsZero() bool { return x == 0 }

// IsNormal reports whether x is finite and its magnitude at least
// E4M3B11FNUZSmallestNormal.
func (x E4M3B11FNUZ) IsNormal() bool { return x.IsFinite() && x&0x78 != 0 }

// IsSubnormal reports whether x is not zero and its magnitude less than
// E4M3B11FNUZSmallestNormal.
func (x E4M3B11FNUZ) IsSubnormal() bool { return x.IsFinite() && x&0x78 == 0 && !x.IsZero() }

// Signbit reports whether the sign bit of x is set, as it is for the NaN.
func (x E4M3B11FNUZ) Signbit() bool { return x&signMask != 0 }

// Equal reports whether x and y are the same number: a NaN equals nothing.
func (x E4M3B11FNUZ) Equal(y E4M3B11FNUZ) bool { return x.Float32() == y.Float32() }

// Less reports whether x < y; it is false if either is a NaN.
func (x E4M3B11FNUZ) Less(y E4M3B11FNUZ) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does: NaNs are equal to each other
// and less than any number. It serves slices.SortFunc.
func (x E4M3B11FNUZ) Compare(y E4M3B11FNUZ) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the shortest decimal number that float32 reads as x, "NaN" for the NaN.
func (x E4M3B11FNUZ) String() string { return text(x.Float32()) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x E4M3B11FNUZ) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
