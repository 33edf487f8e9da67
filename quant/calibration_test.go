package quant

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/golden"
	"github.com/lowbit-go/lowbit/kernels"
)

// calibration calls f with each golden case of a kind, on each implementation.
func calibration[P any](t *testing.T, kind string, f func(t *testing.T, c golden.CalibrationCase, p P)) {
	cases, err := golden.Calibration(kind)
	require.NoError(t, err)
	was := kernels.Implementation()
	t.Cleanup(func() { require.NoError(t, kernels.Use(was)) })
	for _, name := range kernels.Implementations() {
		require.NoError(t, kernels.Use(name))
		t.Run(name, func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					var p P
					require.NoError(t, json.Unmarshal(c.Params, &p))
					f(t, c, p)
				})
			}
		})
	}
}

// goldenSpec is how the cases name a format.
type goldenSpec struct {
	Kind, Scheme, Fmt string
	Qmin, Qmax        float64
}

func (g goldenSpec) spec(t *testing.T) (s Spec) {
	switch [2]float64{g.Qmin, g.Qmax} {
	case [2]float64{-128, 127}:
		s.DType = Int8
	case [2]float64{-8, 7}:
		s.DType = Int4
	case [2]float64{-2, 1}:
		s.DType = Int2
	case [2]float64{0, 15}:
		s.DType = Uint4
	case [2]float64{0, 255}:
		s.DType = Uint8
	case [2]float64{-448, 448}:
		s.DType = Float8E4M3FN
	case [2]float64{-6, 6}:
		s.DType = Float4E2M1FN
	default:
		t.Fatalf("no format of %+v", g)
	}
	switch g.Scheme {
	case "asym":
		s.Scheme = Asymmetric
	case "e8m0":
		s.ScaleDType = ScaleE8M0
	}
	return s
}

// TestMSE holds the search against golden results, group by group, several groups at a time, and whole tensors with any number of workers.
func TestMSE(t *testing.T) {
	ShareEvery(t, 16)
	type params struct {
		Spec         goldenSpec
		Input        string
		Rows, L      int
		Hi, Lo, Grid int
		Norm         float64
		Weighted     int
	}
	calibration(t, "rec_mse", func(t *testing.T, c golden.CalibrationCase, p params) {
		in := c.Input(p.Input)
		all, columns := golden.Values[float32](in), in.Shape[1]
		var weights []float32
		if p.Weighted != 0 {
			weights = golden.Values[float32](c.Tensor("weights"))
		}
		spec := p.Spec.spec(t)
		arguments, err := json.Marshal(map[string]any{"grid": p.Grid, "from": p.Hi, "to": p.Lo, "norm": p.Norm})
		require.NoError(t, err)
		spec.RangeCalculator = Algorithm{"mse", string(arguments)}
		a, err := spec.resolved().algorithms(arithmeticOf[float32]())
		require.NoError(t, err)
		m := &a.ranges.(*mse).alone
		wantMin, wantMax := golden.Values[float32](c.Tensor("min")), golden.Values[float32](c.Tensor("max"))
		wantScale, wantError := golden.Values[float32](c.Tensor("scale")), golden.Values[float64](c.Tensor("error"))
		wantZero := golden.Values[int32](c.Tensor("zero_point"))
		bits := func(want, got float32) {
			t.Helper()
			if want != want {
				require.True(t, got != got, "want NaN, got %v", got)
				return
			}
			require.Equal(t, math.Float32bits(want), math.Float32bits(got))
		}
		perRow := (columns + p.L - 1) / p.L
		for row := range p.Rows {
			for g := range perRow {
				i := row*perRow + g
				x := all[row*columns:][:columns][g*p.L : min((g+1)*p.L, columns)]
				var w []float32
				if weights != nil {
					w = weights[g*p.L : min((g+1)*p.L, columns)]
				}
				r := m.rangeOf(func(yield func(weighted) bool) {
					for at := 0; at < len(x); at += chunk {
						end := min(at+chunk, len(x))
						part := weighted{x: x[at:end]}
						if w != nil {
							part.weights = w[at:end]
						}
						if !yield(part) {
							return
						}
					}
				})
				bits(wantMin[i], r.Min)
				bits(wantMax[i], r.Max)
				m.low, m.high = []float32{min(r.Min, 0)}, []float32{max(r.Max, 0)}
				m.choose(1)
				bits(wantScale[i], m.params.Scale[0])
				if !spec.DType.IsFloat() {
					require.Equal(t, wantZero[i], m.params.complete(&m.format).ZeroPoint[0])
				}
				total := 0.0
				for at := 0; at < len(x); at += chunk {
					var e [1]float32
					n := min(chunk, len(x)-at)
					m.error(&m.params, e[:], x[at:][:n], part(w, at, n))
					total += float64(e[0])
				}
				if wantError[i] == wantError[i] {
					require.Equal(t, wantError[i], total)
				} else {
					require.True(t, total != total)
				}
				if len(x) <= chunk {
					low, high := []float32{kernelMin(x)}, []float32{kernelMax(x)}
					m.adjacent(low, high, x, w)
					bits(wantMin[i], low[0])
					bits(wantMax[i], high[0])
				}
			}
		}
		spec.Granularity = PerBlock(1, p.L).Partial()
		for workers := 1; workers <= 8; workers++ {
			q, err := New[float32](spec, Weight)
			require.NoError(t, err)
			q.Workers, q.Importance = workers, weights
			require.NoError(t, q.Observe(Tensor[float32]{all[:p.Rows*columns], []int{p.Rows, columns}}))
			params, err := q.Params()
			require.NoError(t, err)
			for i, want := range wantScale {
				bits(want, params.Scale[i])
			}
		}
	})
}

func kernelMin(x []float32) float32 { return slices.Min(x) }
func kernelMax(x []float32) float32 { return slices.Max(x) }

// TestMovingPercentile is the range calculator percentile under the calculator moving_average.
func TestMovingPercentile(t *testing.T) {
	calibration(t, "rec_moving", func(t *testing.T, c golden.CalibrationCase, p struct{ Num, Den int }) {
		arguments, err := json.Marshal(map[string]int{"num": p.Num, "den": p.Den})
		require.NoError(t, err)
		q, err := New[float32](Spec{RangeCalculator: Algorithm{"percentile", string(arguments)}}, Activation)
		require.NoError(t, err)
		batches := c.Tensor("batches")
		x, n := golden.Values[float32](batches), batches.Shape[1]
		var ranges []float32
		for len(x) > 0 {
			require.NoError(t, q.Observe(Tensor[float32]{x[:n], []int{n}}))
			ranges = append(ranges, q.observer.running[0].Min, q.observer.running[0].Max)
			x = x[n:]
		}
		require.Equal(t, -1, c.Tensor("ranges").Diff(golden.Bytes(ranges)))
	})
}

// TestStochasticMask holds masks, which do not depend on chance, against golden ones.
func TestStochasticMask(t *testing.T) {
	type params struct {
		Qmin, Qmax float32
		ZeroPoint  float32 `json:"zero_point"`
	}
	calibration(t, "rec_sr_int", func(t *testing.T, c golden.CalibrationCase, p params) {
		v := golden.Values[float32](c.Tensor("v"))
		codes, mask := make([]float32, len(v)), make([]byte, len(v))
		stochastic{}.Quantize(codes, mask, v, Group{DType: Int8, QuantMin: p.Qmin, QuantMax: p.Qmax, Scale: 1, QuantOffset: p.ZeroPoint})
		require.Equal(t, -1, c.Tensor("mask").Diff(mask))
	})
}

// TestPercentile holds order statistics, of bins with few elements and with many, against sorted elements.
func TestPercentile(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 7))
	infinity := float32(math.Inf(1))
	for _, n := range []int{1, few, few + 1, 3 * few, 1 << 15} {
		for _, step := range []float32{0, 1e-7, 1e-3} {
			x, numbers := make([]float32, n), []float32{}
			for i := range x {
				x[i] = (1 + step*float32(r.IntN(n))) * float32(1-2*r.IntN(2))
				if r.IntN(9) == 0 {
					x[i] = []float32{infinity, -infinity, math.Float32frombits(0x7f800001), math.Float32frombits(0xffc00000), 1e-41}[r.IntN(5)]
				}
				if x[i] == x[i] {
					numbers = append(numbers, x[i])
				}
			}
			slices.Sort(numbers)
			for _, num := range []uint64{1, 500, 999, 1000} {
				k := rank(uint64(len(numbers)), num, 1000)
				p := percentile{num: num, den: 1000}
				got := p.Range(slices.Chunk(x, 1000))
				if len(numbers) > 0 {
					require.Equal(t, Range{numbers[uint64(len(numbers))-k], numbers[k-1]}, got, "%d elements, step %v, %d of 1000", n, step, num)
				}
			}
		}
	}
}

// TestPercentileOfMany takes order statistics of more equal elements than 32 bits count.
func TestPercentileOfMany(t *testing.T) {
	if os.Getenv("LOWBIT_EXHAUSTIVE") == "" {
		t.Skip("half a minute: LOWBIT_EXHAUSTIVE=1 runs it")
	}
	x := slices.Repeat([]float32{-1.25}, 1<<16)
	group := func(yield func([]float32) bool) {
		for range 1<<16 + 1 {
			if !yield(x) {
				return
			}
		}
		yield([]float32{3, 4, 5})
	}
	for _, c := range []struct {
		num, den uint64
		want     Range
	}{{1, 2, Range{-1.25, -1.25}}, {1<<32 - 1, 1 << 32, Range{-1.25, 4}}, {1, 1, Range{-1.25, 5}}} {
		p := percentile{num: c.num, den: c.den}
		require.Equal(t, c.want, p.Range(group))
	}
}

// TestHistogram holds histograms, cut and merged in several ways, and their percentiles against golden ones.
func TestHistogram(t *testing.T) {
	type params struct {
		DType string
		Q     [][2]uint64
		NaN   uint64
	}
	calibration(t, "rec_bins", func(t *testing.T, c golden.CalibrationCase, p params) {
		switch p.DType {
		case "f32":
			testHistogram(t, c, golden.Values[float32](c.Tensor("x")), p.Q, p.NaN)
		case "f16":
			testHistogram(t, c, golden.Values[float16.Float16](c.Tensor("x")), p.Q, p.NaN)
		case "bf16":
			testHistogram(t, c, golden.Values[bf16.BFloat16](c.Tensor("x")), p.Q, p.NaN)
		}
	})
}

func testHistogram[T kernels.Float](t *testing.T, c golden.CalibrationCase, x []T, q [][2]uint64, nan uint64) {
	var whole Histogram[T]
	whole.Add(x)
	var keys []uint16
	var counts []uint64
	for i, n := range whole.h.used() {
		keys, counts = append(keys, i), append(counts, n)
	}
	require.Equal(t, golden.Values[uint16](c.Tensor("keys")), keys)
	require.Equal(t, golden.Values[uint64](c.Tensor("counts")), counts)
	n, gotNaN := whole.Count()
	require.Equal(t, uint64(len(x)), n+gotNaN)
	require.Equal(t, nan, gotNaN)

	var coarse, exact []float32
	for _, q := range q {
		r := whole.Percentile(q[0], q[1])
		coarse = append(coarse, r.Min, r.Max)
		p := percentile{num: q[0], den: q[1]}
		pieces := func(yield func([]float32) bool) {
			wide := make([]float32, len(x))
			widen(wide, x)
			for len(wide) > 0 && yield(wide[:min(777, len(wide))]) {
				wide = wide[min(777, len(wide)):]
			}
		}
		r = p.Range(pieces)
		exact = append(exact, r.Min, r.Max)
		require.Equal(t, r, p.count(pieces), "counted rather than sorted")
	}
	require.Equal(t, -1, c.Tensor("coarse").Diff(golden.Bytes(coarse)))
	require.Equal(t, -1, c.Tensor("exact").Diff(golden.Bytes(exact)))

	encoded, err := whole.MarshalBinary()
	require.NoError(t, err)
	for _, cut := range []int{700, 3999, 4000} {
		parts := slices.Collect(slices.Chunk(x, cut))
		slices.Reverse(parts)
		var merged Histogram[T]
		for _, part := range parts {
			var h Histogram[T]
			h.Add(part)
			b, err := h.MarshalBinary()
			require.NoError(t, err)
			var read Histogram[T]
			require.NoError(t, read.UnmarshalBinary(b))
			merged.Merge(&read)
		}
		got, err := merged.MarshalBinary()
		require.NoError(t, err)
		require.Equal(t, encoded, got, "parts of %d", cut)
	}
	for i := 0; i < len(encoded); i += 1 + i/5 { // no damaged encoding is taken for another histogram with impossible parts, and none panics
		damaged := slices.Clone(encoded)
		damaged[i] ^= 0x81
		var h Histogram[T]
		if err := h.UnmarshalBinary(damaged); err != nil {
			require.ErrorIs(t, err, ErrState)
			require.Equal(t, Histogram[T]{}, h)
		}
		require.Error(t, h.UnmarshalBinary(encoded[:i]))
	}
}

// TestHistogramMSE holds the errors of a histogram's candidates, and what is picked, against golden ones.
func TestHistogramMSE(t *testing.T) {
	type params struct {
		Spec         goldenSpec
		Base, DType  string
		Hi, Lo, Grid int
	}
	calibration(t, "rec_binmse", func(t *testing.T, c golden.CalibrationCase, p params) {
		var h histogram
		x := c.Of(p.Base, "x")
		switch p.DType {
		case "f32":
			add(&h, golden.Values[float32](x))
		case "f16":
			add(&h, golden.Values[float16.Float16](x))
		case "bf16":
			add(&h, golden.Values[bf16.BFloat16](x))
		}
		spec := p.Spec.spec(t)
		arguments, err := json.Marshal(map[string]any{"grid": p.Grid, "from": p.Hi, "to": p.Lo})
		require.NoError(t, err)
		spec.RangeCalculator = Algorithm{"mse", string(arguments)}
		a, err := spec.resolved().algorithms(arithmeticOf[float32]()) // the golden ranges are not rounded to the tensor's type
		require.NoError(t, err)
		m := &a.ranges.(*mse).alone
		errors, best := m.histogramErrors(&h), 0
		require.Equal(t, golden.Values[float64](c.Tensor("errors")), errors)
		for i, e := range errors {
			if e < errors[best] {
				best = i
			}
		}
		require.Equal(t, golden.Values[int32](c.Tensor("pick"))[0], int32(m.from-best))
		low, high := m.fraction(best, h.ends())
		require.Equal(t, Range{low, high}, m.ofHistogram(&h))
	})
}

// TestMSELayouts searches groups that lie in memory in several ways: each has the range that it has by itself, whatever the workers.
func TestMSELayouts(t *testing.T) {
	const rows, columns = 48, 96
	x, importance := make([]float32, rows*columns), make([]float32, columns)
	for i := range x {
		x[i] = float32(math.Sin(float64(i*i))) * float32(1+i%7)
	}
	for i := range importance {
		importance[i] = float32(i%5) + 0.25
	}
	for _, granularity := range []Granularity{PerTensor(), PerChannel(0), PerChannel(1), PerBlock(1, 32), PerBlock(0, 16), PerBlocks(12, 24)} {
		for _, dtype := range []DType{Int4, Int2, Uint4, Float8E4M3FN, Float4E2M1FN} {
			for _, importance := range [][]float32{nil, importance} {
				spec := Spec{DType: dtype, Granularity: granularity, RangeCalculator: Algorithm{Name: "mse"}}
				q, err := New[float32](spec, Weight)
				require.NoError(t, err)
				q.Importance = importance
				require.NoError(t, q.Observe(Tensor[float32]{x, []int{rows, columns}}))
				got, err := q.Params()
				require.NoError(t, err)

				var tiles tiling
				groups, err := granularity.Groups([]int{rows, columns}, Weight)
				require.NoError(t, err)
				tiles.resolve([]int{rows, columns}, groups)
				for g := range tiles.count {
					var group, weights []float32
					for at, n := range tiles.runs(g) {
						for k := range n {
							group = append(group, x[at+k])
							if importance != nil {
								weights = append(weights, importance[(at+k)%columns])
							}
						}
					}
					alone, err := New[float32](Spec{DType: dtype, RangeCalculator: Algorithm{Name: "mse"}}, Weight)
					require.NoError(t, err)
					alone.Importance = weights
					require.NoError(t, alone.Observe(Tensor[float32]{group, []int{len(group)}}))
					want, err := alone.Params()
					require.NoError(t, err)
					require.Equal(t, want.Scale[0], got.Scale[g], "%v %v, group %d", dtype, granularity, g)
				}
			}
		}
	}
}

// TestImportanceOfMatrices has weights for each matrix of a tensor, and the same ones for all: each element has that of its place.
func TestImportanceOfMatrices(t *testing.T) {
	shape := []int{2, 3, 5, 16}
	const matrices, rows, columns = 6, 5, 16
	x := make([]float32, matrices*rows*columns)
	for i := range x {
		x[i] = float32(math.Sin(float64(i*i))) * float32(1+i%7)
	}
	weights := make([]float32, matrices*columns)
	for i := range weights {
		weights[i] = float32(i*i%11) + 0.25
	}
	for _, c := range []struct {
		weights []float32
		perRow  func(row int) []float32
	}{
		{weights, func(row int) []float32 { return weights[row/rows*columns:][:columns] }},
		{weights[:columns], func(int) []float32 { return weights[:columns] }},
	} {
		var flat []float32
		for row := range matrices * rows {
			flat = append(flat, c.perRow(row)...)
		}
		for _, granularity := range []Granularity{PerTensor(), PerBlocks(1, 1, 1, 16), PerBlocks(1, 1, 5, 16), PerBlocks(1, 3, 5, 16), PerBlocks(1, 1, 1, 4)} {
			spec := Spec{DType: Int4, RangeCalculator: Algorithm{Name: "mse"}, Granularity: granularity}
			q, err := New[float32](spec, Weight)
			require.NoError(t, err)
			q.Importance = c.weights
			require.NoError(t, q.Observe(Tensor[float32]{x, shape}))
			got, err := q.Params()
			require.NoError(t, err)
			length := len(x) / len(got.Scale)
			for g, scale := range got.Scale {
				alone, err := New[float32](Spec{DType: Int4, RangeCalculator: spec.RangeCalculator}, Weight)
				require.NoError(t, err)
				alone.Importance = flat[g*length:][:length]
				require.NoError(t, alone.Observe(Tensor[float32]{x[g*length:][:length], []int{length}}))
				want, err := alone.Params()
				require.NoError(t, err)
				require.Equal(t, want.Scale[0], scale, "%v, group %d", granularity, g)
			}
		}
	}
}

// TestImportanceMistakes are weights that do not fit, or that nobody takes.
func TestImportanceMistakes(t *testing.T) {
	x := Tensor[float32]{make([]float32, 6), []int{2, 3}}
	q, err := New[float32](Spec{RangeCalculator: Algorithm{Name: "mse"}}, Weight)
	require.NoError(t, err)
	q.Importance = make([]float32, 2)
	require.ErrorIs(t, q.Observe(x), ErrShape)
	require.ErrorIs(t, q.Observe(Tensor[float32]{x.Data, []int{3, 2, 1}}), ErrShape)
	q, err = New[float32](Spec{}, Weight)
	require.NoError(t, err)
	q.Importance = make([]float32, 3)
	require.ErrorIs(t, q.Observe(x), ErrSpec)
}

// TestHistogramCalculator goes over batches, saves and loads in between, and gives what one histogram of all gives.
func TestHistogramCalculator(t *testing.T) {
	for _, within := range []string{`{"name":"percentile","num":99,"den":100}`, `"mse"`, `{"name":"mse","grid":32,"from":32,"to":4}`} {
		spec := Spec{DType: Uint8, Scheme: Asymmetric, Calculator: Algorithm{"histogram", `{"range":` + within + `}`}}
		testHistogramCalculator[float32](t, spec)
		testHistogramCalculator[float16.Float16](t, spec)
		testHistogramCalculator[bf16.BFloat16](t, spec)
	}
}

func testHistogramCalculator[T kernels.Float](t *testing.T, spec Spec) {
	const batches, n = 5, 300
	all, wide := make([]T, batches*n), make([]float32, batches*n)
	for i := range wide {
		v := float32(math.Tan(float64(i))) + 3
		if i == 700 {
			v = float32(math.Inf(1))
		}
		wide[i] = v
	}
	switch all := any(all).(type) {
	case []float32:
		copy(all, wide)
	case []float16.Float16:
		kernels.EncodeFloat16(all, wide)
	case []bf16.BFloat16:
		kernels.EncodeBFloat16(all, wide)
	}
	whole, err := New[T](spec, Activation)
	require.NoError(t, err)
	require.NoError(t, whole.Observe(Tensor[T]{all, []int{len(all)}}))
	want, err := whole.Params()
	require.NoError(t, err)
	q, err := New[T](spec, Activation)
	require.NoError(t, err)
	for i := range batches {
		fresh, err := New[T](spec, Activation)
		require.NoError(t, err)
		require.NoError(t, fresh.LoadState(q.State()))
		q = fresh
		require.NoError(t, q.Observe(Tensor[T]{all[i*n:][:n], []int{n}}))
	}
	got, err := q.Params()
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, whole.State(), q.State())

	damaged := q.State()
	counts := damaged["qparams_calculator.histogram_counts"]
	counts.Data = counts.Data[8:]
	damaged["qparams_calculator.histogram_counts"] = counts
	require.ErrorIs(t, q.LoadState(damaged), ErrState)
	_, err = New[T](Spec{Granularity: PerChannel(0), Calculator: spec.Calculator}, Activation)
	require.ErrorIs(t, err, ErrSpec)
}

// TestStochastic rounds by chance, and by an element's place: so a tensor that is quantized in the reference's order has the codes of
// the rule, whatever its groups.
func TestStochastic(t *testing.T) {
	x := make([]float32, 5000)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)))
	}
	random := kernels.Random{Seed: 7, Stream: 1 << 40}
	for _, dtype := range []DType{Int8, Int4, Float8E4M3FN} {
		for _, granularity := range []Granularity{PerTensor(), PerBlock(0, 50)} {
			q, err := New[float32](Spec{DType: dtype, Granularity: granularity, FakeQuantize: Algorithm{"stochastic", `{"seed":7,"stream":1099511627776}`}}, Weight)
			require.NoError(t, err)
			var y Tensor[float32]
			require.NoError(t, q.QuantizeValues(&y, Tensor[float32]{x, []int{len(x)}}))
			p, err := q.Params()
			require.NoError(t, err)
			want := make([]float32, len(x))
			for i := range want {
				want[i] = x[i] / p.Scale[i*len(p.Scale)/len(x)]
			}
			if dtype.IsFloat() {
				kernels.StochasticFloat(want, want, kernels.E4M3FN, random)
			} else {
				lo, hi := q.Spec().QuantRange()
				kernels.StochasticInt(want, want, float32(lo), float32(hi), random)
			}
			for i := range want {
				require.Equal(t, want[i]+0, y.Data[i]+0)
			}
		}
	}
	_, err := New[float32](Spec{FakeQuantize: Algorithm{"stochastic", `{"seed":-1}`}}, Weight)
	require.ErrorIs(t, err, ErrSpec)
}

// TestPiecesSearch quantizes a tensor part by part: the codes and parameters are those of the whole.
func TestPiecesSearch(t *testing.T) {
	const rows, columns = 60, 64
	x, importance := make([]float32, rows*columns), make([]float32, columns)
	for i := range x {
		x[i] = float32(math.Sin(float64(i*i))) * float32(1+i%7)
	}
	for i := range importance {
		importance[i] = float32(i%3) + 1
	}
	shape := []int{rows, columns}
	for _, spec := range []Spec{
		{DType: Int4, Granularity: PerBlock(1, 16), RangeCalculator: Algorithm{Name: "mse"}},
		{DType: Int4, Granularity: PerChannel(1), RangeCalculator: Algorithm{"percentile", `{"num":9,"den":10}`}},
		{DType: Int8, Granularity: PerChannel(0), FakeQuantize: Algorithm{"stochastic", `{"seed":3}`}},
		{DType: Int4, Granularity: Granularity{kind: perBlock, axis: 1, size: 24, partial: true}, RangeCalculator: Algorithm{Name: "mse"}},
		{DType: Int4, Granularity: Granularity{kind: perBlock, axis: 1, size: 40, partial: true}, RangeCalculator: Algorithm{Name: "mse"}},
		{DType: Int4, Granularity: Granularity{kind: perBlock, axis: 0, size: 32, partial: true}, RangeCalculator: Algorithm{"percentile", `{"num":9,"den":10}`}},
		{DType: Int4, Calculator: Algorithm{Name: "histogram"}},
		{DType: Uint8, Scheme: Asymmetric, Calculator: Algorithm{"histogram", `{"range":{"name":"percentile","num":9,"den":10}}`}, FloatRange: FixedMin(-1)},
	} {
		p, err := NewPieces[float32](spec, Weight, shape, true)
		require.NoError(t, err)
		q, err := New[float32](spec, Weight)
		require.NoError(t, err)
		if spec.RangeCalculator.Name == "mse" {
			p.Importance, q.Importance = importance, importance
		}
		want := Codes{Packed: true}
		require.NoError(t, q.Quantize(&want, Tensor[float32]{x, shape}))
		codes, scales := make([]byte, len(want.Data)), make([]float32, len(want.Params.Scale))
		other, err := New[float32](Spec{Granularity: PerChannel(0)}, Weight)
		require.NoError(t, err)
		for part := range p.Parts(700) {
			var params Params
			var c Codes
			require.NoError(t, other.Quantize(&c, Tensor[float32]{x[:35], []int{5, 7}})) // passes are pooled, and that of the part may have been this one's
			require.NoError(t, p.Quantize(codes[part.Byte:][:part.Bytes], &params, part, x[part.First:][:part.Len]))
			copy(scales[part.Group:], params.Scale)
		}
		require.Equal(t, want.Data, codes)
		require.Equal(t, want.Params.Scale, scales)
		var r Ranges
		err = p.Observe(&r, p.Whole(), x)
		require.Equal(t, spec.Searches(), err != nil)
	}
}
