package fp6

import (
	"math"
	"strconv"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// Of the codes of both formats.
const (
	codeMask = 0x3F
	signMask = 0x20
	maxCode  = 0x1F
)

// code returns the code of the value nearest to x.
func code(x float32, mantBits uint, minExp int) uint8 {
	if x != x {
		return 0
	}
	c := min(minifloat.Magnitude(x, mantBits, minExp), maxCode)
	return uint8(c) | uint8(math.Float32bits(x)>>26)&signMask
}

// values returns the value of each code.
func values(mantBits uint, minExp int) (v [codeMask + 1]float32) {
	for c := range uint32(signMask) {
		m := minifloat.Value(c, mantBits, minExp)
		v[c], v[c|signMask] = m, float32(math.Copysign(float64(m), -1))
	}
	return v
}

func text(x float32) string { return strconv.FormatFloat(float64(x), 'g', -1, 32) }
