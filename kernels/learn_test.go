package kernels

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
)

// TestLearnImplementations holds all implementations against the portable code: groups in a row and over rows, of several chunks and of none, quotients
// that are ties, on the ends of codes and beside them, and values that are not finite.
func TestLearnImplementations(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		r := newSource(93)
		for _, g := range []Grid{
			{1, 37, 32}, {1, 5, 1}, {1, 3, 0}, {1, 18, 99}, {1, 2, 9001}, {5, 17, 13}, {300, 35, 1}, {1025, 3, 8}, {3, 1, 2000},
		} {
			testLearn[float32](t, r, g)
			testLearn[float16.Float16](t, r, g)
			testLearn[bf16.BFloat16](t, r, g)
		}
	})
}

func testLearn[T Float](t *testing.T, r *source, g Grid) {
	special := []float32{0, float32(math.Copysign(0, -1)), 1e-40, float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, float32(math.NaN())}
	scale, zeroPoint := make([]float32, g.Groups), make([]int32, g.Groups)
	for i := range scale {
		scale[i], zeroPoint[i] = []float32{1, .5, .1, 3e-5}[r.IntN(4)], int32(r.IntN(16)-8)
		if r.IntN(8) == 0 {
			scale[i] = special[r.IntN(len(special))]
		}
	}
	n := g.Rows * g.Groups * g.Len
	x, dy := make([]T, n), make([]T, n)
	for i := range x {
		s := scale[i/g.Len%g.Groups]
		v, d := float32(r.Float64()*40-20)*s, float32(r.Float64()-.5)
		switch r.IntN(16) {
		case 0, 1, 2, 3:
			v = float32(r.IntN(80)-40) / 2 * s
		case 4:
			v = math.Nextafter32(v, float32(r.IntN(3)-1))
		case 5:
			if i/g.Len%g.Groups%2 == 0 { // others stay numbers
				v, d = special[r.IntN(len(special))], special[r.IntN(len(special))]
			}
		}
		x[i], dy[i] = rounded[T](v), rounded[T](d)
	}
	for _, f := range []fakeQuantizer{
		{ints: &IntParams{Min: -8, Max: 7, Scale: scale, ZeroPoint: zeroPoint}}, {ints: &IntParams{Min: 3, Max: 9, Scale: scale}},
		{ints: &IntParams{Max: 1<<16 - 1, Scale: scale}}, {floats: &FloatParams{Format: E2M1, Scale: scale}}, {floats: &FloatParams{Format: E5M2, Scale: scale}},
	} {
		learned := func(impl isa) (list [2][]float32) {
			list[0] = make([]float32, g.Groups)
			if f.ints != nil {
				list[1] = make([]float32, g.Groups)
			}
			learnWith(impl, list[0], list[1], dy, x, g, f, .7)
			return list
		}
		want, got := learned(generic), learned(current())
		for i := range want {
			require.Equal(t, view4(want[i]), view4(got[i]), "%T, %v, integers %v", x, g, f.ints)
		}
	}
}
