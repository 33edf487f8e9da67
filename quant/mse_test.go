package quant

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
)

// all is the search without giving any candidate up: each of them, one group at a time.
func (s *searcher) all(low, high []float32, x, weights []float32) {
	length := len(x) / len(low)
	for g := range low {
		r, least := Range{low[g], high[g]}, 0.0
		for c := range s.count() {
			s.low, s.high = grow(s.low, 1), grow(s.high, 1)
			candidate := Range{}
			candidate.Min, candidate.Max = s.fraction(c, r)
			s.low[0], s.high[0] = min(candidate.Min, 0), max(candidate.Max, 0)
			s.choose(1)
			var e [1]float32
			s.error(&s.params, e[:], x[g*length:][:length], part(weights, g*length, length))
			if c == 0 || float64(e[0]) < least {
				least, low[g], high[g] = float64(e[0]), candidate.Min, candidate.Max
			}
		}
	}
}

// adjacent is the search for groups one after the other.
func (s *searcher) adjacent(low, high []float32, x, weights []float32) {
	if s.alike() {
		s.searchBatch(x, weights, low, high)
		return
	}
	length := len(x) / len(low)
	for g := range low {
		r := s.rangeOf(func(yield func(weighted) bool) {
			yield(weighted{x[g*length:][:length], part(weights, g*length, length)})
		})
		low[g], high[g] = r.Min, r.Max
	}
}

// TestSearchGivesUpNothing holds the search against one that tries all candidates.
func TestSearchGivesUpNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	special := []float32{0, float32(math.Inf(1)), float32(math.NaN()), math.MaxFloat32, 1e-40, 1e30, -1e30}
	for _, spec := range []Spec{
		{DType: Int4}, {DType: Int2}, {DType: Int8}, {DType: Uint4}, {DType: Int4, Scheme: SymmetricWithClipping},
		{DType: Int4, Scheme: Asymmetric}, {DType: Uint8, Scheme: Asymmetric, Formulation: MinVal}, {DType: Int4, ScaleDType: ScaleFloat16},
		{DType: Float8E4M3FN}, {DType: Float4E2M1FN}, {DType: Float8E5M2}, {DType: Float8E4M3FN, ScaleDType: ScaleE8M0},
		{DType: Int4, Dialect: CompressedTensors},
	} {
		for _, arguments := range []string{``, `{"from":80,"to":1}`, `{"norm":2.5}`} {
			if newFormat(spec).scale == ScaleE8M0 && arguments != "" {
				continue
			}
			for _, e := range []arithmetic{arithmeticOf[float32](), arithmeticOf[bf16.BFloat16]()} {
				spec.RangeCalculator = Algorithm{"mse", arguments}
				a, err := spec.resolved().algorithms(e)
				require.NoError(t, err, "%v", spec)
				s := &a.ranges.(*mse).alone
				for _, length := range []int{1, 5, 16, 32, 100} {
					groups := 1 + r.IntN(40)
					x, weights := make([]float32, groups*length), []float32(nil)
					for i := range x {
						x[i] = e.element.round(float32(r.NormFloat64() * math.Exp(r.NormFloat64())))
						if r.IntN(200) == 0 {
							x[i] = e.element.round(special[r.IntN(len(special))])
						}
					}
					if s.signed = false; r.IntN(2) == 0 {
						weights = make([]float32, len(x))
						s.signed = r.IntN(4) == 0
						for i := range weights {
							weights[i] = r.Float32()
							if s.signed {
								weights[i] -= .3
							}
						}
					}
					var low, high [2][]float32
					for k := range 2 {
						low[k], high[k] = make([]float32, groups), make([]float32, groups)
						for g := range groups {
							low[k][g], high[k][g] = kernelMin(x[g*length:][:length]), kernelMax(x[g*length:][:length])
						}
					}
					s.all(low[0], high[0], x, weights)
					s.adjacent(low[1], high[1], x, weights)
					require.Equal(t, asBits(low[0]), asBits(low[1]), "%v, groups of %d", spec, length)
					require.Equal(t, asBits(high[0]), asBits(high[1]), "%v, groups of %d", spec, length)
					for g := range groups {
						found := s.rangeOf(func(yield func(weighted) bool) {
							yield(weighted{x[g*length:][:length], part(weights, g*length, length)})
						})
						require.Equal(t, asBits([]float32{low[0][g], high[0][g]}), asBits([]float32{found.Min, found.Max}), "%v, a group of %d", spec, length)
					}
				}
			}
		}
	}
}

// asBits returns bits, of any NaN the same.
func asBits(x []float32) []uint32 {
	bits := make([]uint32, len(x))
	for i, v := range x {
		bits[i] = math.Float32bits(v)
		if v != v {
			bits[i] = math.Float32bits(float32(math.NaN()))
		}
	}
	return bits
}

// TestSearchWorkers holds searches with any number of workers against one.
func TestSearchWorkers(t *testing.T) {
	was := minShare
	minShare = 16
	defer func() { minShare = was }()
	r := rand.New(rand.NewPCG(3, 4))
	x := make([]float32, 4*9000)
	for i := range x {
		x[i] = float32(r.NormFloat64() * math.Exp(r.NormFloat64()))
	}
	importance := make([]float32, 9000)
	for i := range importance {
		importance[i] = r.Float32()
	}
	for _, granularity := range []Granularity{PerBlock(1, 30), PerChannel(0), PerChannel(1), PerTensor(), PerBlock(1, 4500)} {
		for _, weights := range [][]float32{nil, importance} {
			var want Params
			for workers := 1; workers <= 8; workers++ {
				q, err := New[float32](Spec{DType: Int4, Granularity: granularity, RangeCalculator: Algorithm{Name: "mse"}}, Weight)
				require.NoError(t, err)
				q.Workers, q.Importance = workers, weights
				require.NoError(t, q.Observe(Tensor[float32]{Data: x, Shape: []int{4, 9000}}), "%v", granularity)
				p, err := q.Params()
				require.NoError(t, err)
				if workers == 1 {
					want = p.clone()
				}
				require.Equal(t, want.Scale, p.Scale, "%v, %d workers", granularity, workers)
			}
		}
	}
}

// BenchmarkSearch tells what the search for ranges takes, beside fake-quantization of what it searches.
func BenchmarkSearch(b *testing.B) {
	const rows, columns = 32, 4096
	x, y := make([]float32, rows*columns), make([]float32, rows*columns)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	in := Tensor[float32]{Data: x, Shape: []int{rows, columns}}
	for _, spec := range []Spec{
		{DType: Int4, Granularity: PerBlock(1, 32)}, {DType: Int4, Granularity: PerBlock(1, 128)}, {DType: Int4, Granularity: PerChannel(0)},
		{DType: Int4, Granularity: PerBlock(1, 32), Scheme: Asymmetric}, {DType: Int2, Granularity: PerBlock(1, 32)}, {DType: Int8, Granularity: PerBlock(1, 32)},
		{DType: Float8E4M3FN, Granularity: PerBlock(1, 32)}, {DType: Float4E2M1FN, Granularity: PerBlock(1, 32)}, {DType: Int4, Granularity: PerTensor()},
		{DType: Float4E2M1FN, ScaleDType: ScaleE4M3FN, Granularity: PerBlock(1, 16)},
		{DType: Float4E2M1FN, ScaleDType: ScaleE4M3FN, Dialect: CompressedTensors, Granularity: PerBlock(1, 16)},
	} {
		for _, ranges := range []string{"mse", "minmax"} {
			spec.RangeCalculator.Name = ranges
			q, err := New[float32](spec, Weight)
			require.NoError(b, err)
			q.Workers = 1
			b.Run(fmt.Sprintf("%s/%v/%v/%v/%v", ranges, spec.DType, spec.Granularity, spec.Scheme, spec.Dialect), func(b *testing.B) {
				for range b.N {
					require.NoError(b, q.Observe(in))
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/weight")
			})
		}
	}
	scales := make([]float32, len(x)/32)
	for i := range scales {
		scales[i] = .4
	}
	b.Run("fakequantize/32", func(b *testing.B) {
		for range b.N {
			kernels.FakeQuantizeInt(y, kernels.NoMask, x, kernels.Grid{Rows: 1, Groups: len(scales), Len: 32}, &kernels.IntParams{Min: -8, Max: 7, Scale: scales})
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/weight")
	})
}

// BenchmarkHistogram counts elements of which many are in few bins, or all in one.
func BenchmarkHistogram(b *testing.B) {
	x := make([]float32, 1<<20)
	r := rand.New(rand.NewPCG(7, 8))
	for _, name := range []string{"normal", "constant"} {
		for i := range x {
			if x[i] = 1; name == "normal" {
				x[i] = float32(r.NormFloat64())
			}
		}
		b.Run(name, func(b *testing.B) {
			var h Histogram[float32]
			b.SetBytes(int64(4 * len(x)))
			for range b.N {
				h.Add(x)
			}
		})
	}
}
