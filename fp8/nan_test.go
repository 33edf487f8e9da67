package fp8_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/lowbit-go/lowbit/fp8"
)

// A NaN keeps its sign both ways, where a format has one, and E5M2's its payload, as a float16's that is its upper byte.
func TestNaNBits(t *testing.T) {
	for bits, codes := range map[uint32][5]uint8{
		0x7FC00000: {0x7F, 0x7F, 0x80, 0x80, 0xFF},
		0xFFC00000: {0xFF, 0xFF, 0x80, 0x80, 0xFF},
		0x7F800001: {0x7F, 0x7F, 0x80, 0x80, 0xFF},
		0xFFFFFFFF: {0xFF, 0xFF, 0x80, 0x80, 0xFF},
	} {
		x := math.Float32frombits(bits)
		assert.Equal(t, codes, [5]uint8{uint8(fp8.E4M3FNFromFloat32(x)), uint8(fp8.E5M2FromFloat32(x)), uint8(fp8.E4M3FNUZFromFloat32(x)),
			uint8(fp8.E5M2FNUZFromFloat32(x)), uint8(fp8.E8M0FromFloat32(x))}, "%#x", bits)
		assert.Equal(t, codes, [5]uint8{uint8(fp8.E4M3FNFromFloat32Sat(x)), uint8(fp8.E5M2FromFloat32Sat(x)), uint8(fp8.E4M3FNUZFromFloat32Sat(x)),
			uint8(fp8.E5M2FNUZFromFloat32Sat(x)), uint8(fp8.E8M0FromFloat32Sat(x))}, "%#x saturating", bits)
	}
	for _, c := range []struct {
		x    float32
		want uint32
	}{
		{fp8.E4M3FN(0x7F).Float32(), 0x7FC00000},
		{fp8.E4M3FN(0xFF).Float32(), 0xFFC00000},
		{fp8.E5M2(0x7D).Float32(), 0x7FE00000},
		{fp8.E5M2(0x7E).Float32(), 0x7FC00000},
		{fp8.E5M2(0x7F).Float32(), 0x7FE00000},
		{fp8.E5M2(0xFD).Float32(), 0xFFE00000},
		{fp8.E4M3FNUZ(0x80).Float32(), 0xFFC00000},
		{fp8.E5M2FNUZ(0x80).Float32(), 0xFFC00000},
		{fp8.E8M0(0xFF).Float32(), 0x7FC00000},
	} {
		assert.Equal(t, c.want, math.Float32bits(c.x), "%#x", c.want)
	}
}
