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

// values returns the value of each code of a type with the given grid.
func values[T interface {
	~uint8
	IsNaN() bool
	IsInf(int) bool
}](mantBits uint, minExp int) (v [256]float32) {
	for i := range v {
		c := T(i)
		m := float64(minifloat.Value(uint32(c&^signMask), mantBits, minExp))
		switch {
		case c.IsNaN():
			m = math.NaN()
		case c.IsInf(0):
			m = math.Inf(1)
		}
		if c&signMask != 0 {
			m = math.Copysign(m, -1)
		}
		v[i] = float32(m)
	}
	return v
}

func text(x float32) string { return strconv.FormatFloat(float64(x), 'g', -1, 32) }
