package fp8

import (
	"cmp"
	"fmt"
	"math"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// E8M0 is the scale format of the OCP MX specification 1.0, section 5.4.1
// (torch's float8_e8m0fnu, safetensors' F8_E8M0): eight exponent bits with bias
// 127 and nothing else. Code c is 2^(c-127), code 0xFF is NaN; there is no sign,
// no zero and no infinity. Its zero value is 2^-127. A Go conversion from and to
// uint8 gives and takes the code, and == compares codes.
type E8M0 uint8

// Limits of E8M0, as untyped constants; each is an E8M0 value.
const (
	E8M0Max = 0x1p127  // code 0xFE, 1.7014118e+38
	E8M0Min = 0x1p-127 // code 0x00, 5.877472e-39, a subnormal as a float32
)

// Codes of E8M0 with a name.
const (
	E8M0One E8M0 = 0x7F // 2^0
	E8M0NaN E8M0 = 0xFF // the only NaN
)

const (
	e8m0Bias = 127
	e8m0Top  = 0xFE // the code of E8M0Max
)

// E8M0Scale returns the power of two by which a block of numbers whose largest
// magnitude is maxAbs is divided before it is rounded to an element format
// whose largest value has the exponent maxExp (E4M3FNMaxExp, E5M2MaxExp,
// fp4.E2M1MaxExp):
//
//	2^(floor(log2(maxAbs)) - maxExp)
//
// That is the shared scale of the OCP MX specification 1.0, section 6.3. The
// logarithm is the float32's exponent field, so that a subnormal or zero maxAbs
// counts as 2^-127, infinity and NaN as 2^128. The result is not below 2^-126,
// the smallest normal float32. The sign of maxAbs does not count.
//
// The scaled block may go beyond the format's largest value (below 512, say, with
// 448 for E4M3FN, below 8 with 6 for E2M1): encode it with saturation. maxExp
// must not be negative.
func E8M0Scale(maxAbs float32, maxExp int) E8M0 {
	field := int(math.Float32bits(maxAbs) >> 23 & 0xFF)
	return E8M0(max(field-maxExp, 1))
}

// E8M0FromFloat32 returns the E8M0 nearest to x; half-way, at 1.5 times a power
// of two, the larger one (IEEE 754-2019, 4.3.1, for numbers of one digit, whose
// last digit is never even). Zero and what is less than 2^-127 become 2^-127.
// What is out of range becomes NaN: infinity, 1.5 * 2^127 and above. So do NaN
// and what is less than zero.
//
// The MX specification leaves this conversion open. torch's
// x.to(torch.float8_e8m0fnu) is the same but that it drops the sign, and gives
// 2^-126 between 2^-127 and 1.5 * 2^-127, where 2^-127 is nearer.
//
// For the scale of a block of numbers see E8M0Scale, which rounds down.
func E8M0FromFloat32(x float32) E8M0 { return e8m0(x, e8m0Top+1) }

// E8M0FromFloat32Sat is E8M0FromFloat32 with saturation: what is above
// E8M0Max, infinity included, becomes E8M0Max. NaN and what is less than zero
// become NaN.
func E8M0FromFloat32Sat(x float32) E8M0 { return e8m0(x, e8m0Top) }

// E8M0FromFloat64 is E8M0FromFloat32 for a float64: x is rounded once, not
// first to float32.
func E8M0FromFloat64(x float64) E8M0 { return E8M0FromFloat32(minifloat.Narrow(x)) }

// E8M0FromFloat64Sat is E8M0FromFloat32Sat for a float64: x is rounded once, not
// first to float32.
func E8M0FromFloat64Sat(x float64) E8M0 { return E8M0FromFloat32Sat(minifloat.Narrow(x)) }

// e8m0 rounds x and ends the codes at top; the one after e8m0Top is NaN.
func e8m0(x float32, top uint32) E8M0 {
	if !(x >= 0) {
		return E8M0NaN
	}
	// The code is the exponent field, and half a unit of it rounds the mantissa.
	// In a subnormal float32 2^-127 is itself a mantissa bit, one place lower.
	b := math.Float32bits(x) &^ (1 << 31)
	half := uint32(1 << 22)
	if b < 1<<23 {
		half >>= 1
	}
	return E8M0(min((b+half)>>23, top))
}

// E8M0FromBits returns the E8M0 with the code b.
func E8M0FromBits(b uint8) E8M0 { return E8M0(b) }

// Bits returns the code of x.
func (x E8M0) Bits() uint8 { return uint8(x) }

// Float32 returns the value of x, exactly. Code 0 is a subnormal float32.
func (x E8M0) Float32() float32 {
	switch x {
	case 0:
		return E8M0Min
	case E8M0NaN:
		return float32(math.NaN())
	}
	return math.Float32frombits(uint32(x) << 23)
}

// Exponent returns the n of the value 2^n, from -127 to 127. For the NaN it
// returns 128.
func (x E8M0) Exponent() int { return int(x) - e8m0Bias }

// IsNaN reports whether x is the NaN, 0xFF.
func (x E8M0) IsNaN() bool { return x == E8M0NaN }

// IsInf returns false: E8M0 has no infinities. The parameter is that of
// math.IsInf.
func (x E8M0) IsInf(int) bool { return false }

// IsFinite reports whether x is not NaN.
func (x E8M0) IsFinite() bool { return !x.IsNaN() }

// IsZero returns false: E8M0 has no zero.
func (x E8M0) IsZero() bool { return false }

// IsNormal reports whether x is not NaN.
func (x E8M0) IsNormal() bool { return !x.IsNaN() }

// IsSubnormal returns false: E8M0 has no mantissa and so no subnormals.
func (x E8M0) IsSubnormal() bool { return false }

// Signbit returns false: E8M0 has no sign.
func (x E8M0) Signbit() bool { return false }

// Equal reports whether x and y are the same number: the NaN equals nothing.
func (x E8M0) Equal(y E8M0) bool { return x == y && !x.IsNaN() }

// Less reports whether x < y; it is false if either is the NaN.
func (x E8M0) Less(y E8M0) bool { return x.Float32() < y.Float32() }

// Compare returns -1, 0 or 1 as cmp.Compare does: the NaN is equal to itself and
// less than any number. It serves slices.SortFunc.
func (x E8M0) Compare(y E8M0) int { return cmp.Compare(x.Float32(), y.Float32()) }

// String returns the shortest decimal number that float32 reads as x, "NaN" for
// the NaN.
func (x E8M0) String() string { return text(x.Float32()) }

// Format prints the code for the verbs of integers (%x, %d, %b, ...), the value for those of floats, and String's text for the others.
func (x E8M0) Format(s fmt.State, verb rune) {
	minifloat.Format(s, verb, uint64(x), x.Float32(), x.String())
}
