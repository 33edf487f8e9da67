package nonfinite

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
)

func TestName(t *testing.T) {
	assert.Equal(t, []string{"NaN", "an infinity", "NaN or an infinity"}, []string{Name(2, 0), Name(0, 1), Name(1, 1)})
}

func TestCount(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, c := range []struct {
		x                       []float32
		nans, infinities, first int
	}{
		{nil, 0, 0, -1},
		{[]float32{0, -1, 60000}, 0, 0, -1},
		{[]float32{0, nan, inf, nan}, 2, 1, 1},
		{[]float32{1, 2, 3, -inf}, 0, 1, 3},
	} {
		var h []float16.Float16
		var b []bf16.BFloat16
		for _, v := range c.x {
			h, b = append(h, float16.Fromfloat32(min(v, 60000))), append(b, bf16.FromFloat32(v))
		}
		check := func(nans, infinities, first int) {
			assert.Equal(t, []int{c.nans, c.infinities, c.first}, []int{nans, infinities, first})
		}
		check(Count(c.x))
		check(Count(b))
		if c.first != 3 { // min has made it finite
			check(Count(h))
		}
	}
}
