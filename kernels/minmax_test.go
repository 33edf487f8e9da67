package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
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
				offset := float64(r.IntN(3)-1) * 8 // at times all are positive, or all negative
				for i := range x {
					x[i] = rounded[T](float32(r.NormFloat64() + offset))
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

// TestEveryRange has each number of 16 bits among others of every kind, in
// groups of every kind of length and in columns, in a place of its own: the
// range must be that of the two.
func TestEveryRange(t *testing.T) {
	t.Run("f16", testEveryRange[float16.Float16])
	t.Run("bf16", testEveryRange[bf16.BFloat16])
}

func testEveryRange[T Float](t *testing.T) {
	const n = 1 << 16
	implementations := assembled(t)
	grids := []Grid{{1, n, 3}, {1, n, 16}, {1, n, 33}, {1, n, 64}, {7, n, 1}}
	if !brief() {
		grids = append(grids, Grid{1, n, 2}, Grid{1, n, 8}, Grid{1, n, 11}, Grid{1, n, 20}, Grid{1, n, 32}, Grid{1, n, 100}, Grid{1, n, 130}, Grid{2, n, 5})
	}
	for _, v := range []float64{0, 1, math.Inf(1), math.NaN()} {
		for _, other := range []T{rounded[T](float32(v)), rounded[T](float32(math.Copysign(v, -1)))} {
			pairs := make([]T, 2*n)
			for i := range n {
				pairs[2*i], pairs[2*i+1] = fromBits[T](uint32(i)), other
			}
			want, got := newRanges[T](n), newRanges[T](n)
			portableMinMax(want.min, want.max, pairs, Grid{1, n, 2})
			portableObserveInt(pairs, Grid{1, n, 2}, &want.symmetric)
			portableObserveInt(pairs, Grid{1, n, 2}, &want.asymmetric)
			for _, g := range grids {
				x := make([]T, elements(g))
				for i := range x {
					x[i] = other
				}
				for i := range n {
					at := i % (g.Rows * g.Len)
					x[(at/g.Len*n+i)*g.Len+at%g.Len] = fromBits[T](uint32(i))
				}
				for _, name := range implementations {
					require.NoError(t, Use(name))
					MinMax(got.min, got.max, x, g)
					ObserveInt(x, g, &got.symmetric)
					ObserveInt(x, g, &got.asymmetric)
					for k, result := range got.all() {
						e := f32
						if k < 2 {
							e = elementType[T]()
						}
						if i := differ(e, result, want.all()[k]); i >= 0 {
							t.Fatalf("%s: %+v, %#x among %#x: result %d is %#x, want %#x", name, g, i, bitsOf(other), k, word(result, e.size, i), word(want.all()[k], e.size, i))
						}
					}
				}
			}
		}
	}
}

// ranges are the results of kernels that observe.
type ranges[T Float] struct {
	min, max              []T
	symmetric, asymmetric IntRule
}

func newRanges[T Float](n int) ranges[T] {
	return ranges[T]{make([]T, n), make([]T, n), IntRule{Min: -127, Max: 127, Scale: make([]float32, n)},
		IntRule{Min: 0, Max: 15, Asymmetric: true, ByMinval: true, Scale: make([]float32, n), Minval: make([]float32, n)}}
}

// all are the results, the first two as elements.
func (r ranges[T]) all() [][]byte {
	size := int(unsafe.Sizeof(*new(T)))
	bytes := func(s []T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), size*len(s)) }
	return [][]byte{bytes(r.min), bytes(r.max), view4(r.symmetric.Scale), view4(r.asymmetric.Scale), view4(r.asymmetric.Minval)}
}
