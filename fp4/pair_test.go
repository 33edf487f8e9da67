package fp4_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/lowbit-go/lowbit/fp4"
)

func TestPair(t *testing.T) {
	for i := range 256 {
		low, high := fp4.E2M1(i&15), fp4.E2M1(i>>4)
		p := fp4.Pair(i)
		assert.Equal(t, low, p.Low())
		assert.Equal(t, high, p.High())
		assert.EqualValues(t, i, p.Bits())
		assert.Equal(t, p, fp4.MakePair(low, high))
		assert.Equal(t, p, fp4.MakePair(low|0xA0, high|0x50), "high nibbles of codes do not count")

		a, b := p.Float32()
		assert.Equal(t, low.Float32(), a)
		assert.Equal(t, high.Float32(), b)
		assert.Equal(t, p, fp4.PairFromFloat32(a, b))
	}
	assert.Equal(t, "[0.5 -6]", fp4.PairFromFloat32(0.5, -6).String())
}
