package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
)

// TestMinMaxLengths holds every length of group that a loop may treat in its own
// way, with as many groups as are reduced together and some more, and columns of
// any number of rows, against the portable code.
func TestMinMaxLengths(t *testing.T) {
	t.Run("f32", testMinMaxLengths[float32])
	t.Run("f16", testMinMaxLengths[float16.Float16])
	t.Run("bf16", testMinMaxLengths[bf16.BFloat16])
}

func testMinMaxLengths[T Float](t *testing.T) {
	var grids []Grid
	for length := 1; length <= 300; length++ {
		grids = append(grids, Grid{1, 17, length})
	}
	for _, length := range []int{512, 1000, 1023, 1024, 1056, 2050} {
		grids = append(grids, Grid{1, 35, length})
	}
	for rows := 1; rows <= 20; rows++ {
		grids = append(grids, Grid{rows, 5 * rows, 1}, Grid{rows, 20, 3})
	}
	r := rand.New(rand.NewPCG(6, 1))
	odd := []float64{math.NaN(), math.Copysign(math.NaN(), -1), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1)}
	forEachImplementation(t, func(t *testing.T) {
		for _, g := range grids {
			x := make([]T, elements(g))
			lo, hi, wantLo, wantHi := make([]T, g.Groups), make([]T, g.Groups), make([]T, g.Groups), make([]T, g.Groups)
			for _, count := range []int{0, 1, 5} { // of odd ones
				for i := range x {
					x[i] = rounded[T](float32(r.NormFloat64()))
				}
				for range count {
					x[r.IntN(len(x))] = rounded[T](float32(odd[r.IntN(len(odd))]))
				}
				portableMinMax(wantLo, wantHi, x, g)
				MinMax(lo, hi, x, g)
				for i := range lo {
					what := func() string { return fmt.Sprintf("%+v, group %d", g, i) }
					same(t, what, lo[i], wantLo[i])
					same(t, what, hi[i], wantHi[i])
				}
			}
		}
	})
}
