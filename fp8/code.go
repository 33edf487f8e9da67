package fp8

import (
	"math"
	"strconv"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// signMask is the sign bit of every format here but E8M0.
const signMask = 0x80

// sign returns the sign bit of x, for NaN too.
func sign(x float32) uint8 { return uint8(math.Float32bits(x)>>24) & signMask }

// values returns the value of each code of a type with the given grid. A NaN is quiet, with the code's sign and, if there are several
// of a sign, its mantissa.
func values[T interface {
	~uint8
	IsNaN() bool
	IsInf(int) bool
}](mantBits uint, minExp int) (v [256]float32) {
	for i := range v {
		c := T(i)
		bits := math.Float32bits(minifloat.Value(uint32(c&^signMask), mantBits, minExp))
		switch first := c &^ signMask >> mantBits << mantBits; {
		case c.IsInf(0):
			bits = 0x7F800000
		case c.IsNaN() && first.IsInf(0):
			bits = 0x7FC00000 | uint32(c-first)&^signMask<<(23-mantBits)
		case c.IsNaN():
			bits = 0x7FC00000
		}
		v[i] = math.Float32frombits(bits | uint32(c&signMask)<<24)
	}
	return v
}

func text(x float32) string { return strconv.FormatFloat(float64(x), 'g', -1, 32) }
