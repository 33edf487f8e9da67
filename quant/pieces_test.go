package quant_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
)

// A tensor in pieces of any length gets the bits that it gets whole, for any tiling and any format.
func TestPieces(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(21, 22))
		for range rounds(150) {
			testPieces[float32](t, r)
			testPieces[float16.Float16](t, r)
			testPieces[bf16.BFloat16](t, r)
		}
	})
}

func testPieces[T kernels.Float](t *testing.T, r *rand.Rand) {
	shape, g := tilings(r)
	if len(shape) > 0 && r.IntN(3) == 0 && g.String() == quant.PerTensor().String() {
		shape[len(shape)-1] += 100 + r.IntN(100) // rows that are longer than a piece
	}
	s := quant.Spec{DType: quant.DType(r.IntN(9)), Granularity: g}
	if !s.DType.IsFloat() {
		s.Scheme, s.Formulation = quant.Scheme(r.IntN(3)), quant.Formulation(r.IntN(2))
	}
	switch r.IntN(8) {
	case 0:
		s.FloatRange = quant.FixedMin(-1)
	case 1:
		s.FloatRange = quant.FixedRange(-1, 1.5)
	}
	target := quant.Target(r.IntN(3))
	x := random[T](r, r.IntN(2) == 0, shape...)
	checkPieces(t, fmt.Sprint(shape, target, s), s, target, x, r.IntN(2) == 0, 1+r.IntN(200))
}

// checkPieces holds the codes and parameters of a tensor in pieces, from several goroutines, against those of the whole, and what they dequantize to.
func checkPieces[T kernels.Float](t *testing.T, what string, s quant.Spec, target quant.Target, x quant.Tensor[T], packed bool, most int) {
	t.Helper()
	q, err := quant.New[T](s, target)
	require.NoError(t, err, what)
	p, err := quant.NewPieces[T](s, target, x.Shape, packed)
	want := quant.Codes{Packed: packed}
	if whole := q.Quantize(&want, x); whole != nil {
		require.Equal(t, whole, err, what)
		return
	}
	require.NoError(t, err, what)
	got := quant.Codes{Spec: want.Spec, Shape: want.Shape, Packed: packed, Data: make([]byte, len(want.Data)), Params: quant.Params{Shape: want.Params.Shape}}
	of := func(piece quant.Part) ([]byte, []T) {
		return got.Data[piece.Byte:][:piece.Bytes], x.Data[piece.First:][:piece.Len]
	}
	cut := func(part quant.Part, do func(piece quant.Part) error) {
		var wait sync.WaitGroup
		next := part.First
		for piece := range p.Cut(part, most) {
			assert.Equal(t, next, piece.First, what)
			assert.LessOrEqual(t, piece.Len, max(most, 64), what)
			next += piece.Len
			wait.Go(func() { assert.NoError(t, do(piece), what) })
		}
		wait.Wait()
		assert.Equal(t, part.First+part.Len, next, what)
	}
	var params quant.Params
	next := 0
	for part := range p.Parts(most) {
		require.Equal(t, next, part.First, what)
		require.Equal(t, len(got.Params.Scale), part.Group, what)
		next += part.Len
		if part.Len <= most {
			codes, x := of(part)
			require.NoError(t, p.Quantize(codes, &params, part, x), what)
		} else {
			var ranges quant.Ranges
			if !p.Fixed() {
				cut(part, func(piece quant.Part) error {
					_, x := of(piece)
					return p.Observe(&ranges, piece, x)
				})
			}
			params, err = p.Params(&ranges, part)
			require.NoError(t, err, what)
			cut(part, func(piece quant.Part) error {
				codes, x := of(piece)
				return p.QuantizeBy(params, codes, piece, x)
			})
		}
		got.Params.Scale = append(got.Params.Scale, params.Scale...)
		got.Params.ZeroPoint = append(got.Params.ZeroPoint, params.ZeroPoint...)
		got.Params.MinVal = append(got.Params.MinVal, params.MinVal...)
	}
	require.Equal(t, len(x.Data), next, what)
	requireSame(t, what+" scale", want.Params.Scale, got.Params.Scale)
	requireSame(t, what+" minval", want.Params.MinVal, got.Params.MinVal)
	require.Equal(t, want.Params.ZeroPoint, got.Params.ZeroPoint, what)
	if packed && s.DType.Bits() < 8 {
		require.Equal(t, want.Data, got.Data, what)
	} else {
		requireCodes(t, what, s.DType, want.Data, got.Data)
	}

	var back quant.Tensor[T]
	require.NoError(t, quant.Dequantize(&back, want, 1), what)
	got.Data = want.Data
	p, err = quant.PiecesOf[T](quant.Codes{Spec: want.Spec, Shape: want.Shape, Packed: packed, Params: quant.Params{Shape: want.Params.Shape}})
	require.NoError(t, err, what)
	y := make([]T, len(x.Data))
	for part := range p.Parts(most) {
		params := quant.Params{Scale: want.Params.Scale[part.Group:][:part.Groups]}
		if !s.DType.IsFloat() {
			params.ZeroPoint, params.MinVal = want.Params.ZeroPoint[part.Group:][:part.Groups], want.Params.MinVal[part.Group:][:part.Groups]
		}
		cut(part, func(piece quant.Part) error {
			codes, _ := of(piece)
			return p.Dequantize(y[piece.First:][:piece.Len], piece, codes, params)
		})
	}
	requireSame(t, what+" dequantized", back.Data, y)
}

// Several forward passes in pieces leave the state, the values and the masks that they leave whole, whatever the calculator and the switches.
func TestForwardInPieces(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(23, 24))
		for range rounds(60) {
			testForwardInPieces[float32](t, r)
			testForwardInPieces[float16.Float16](t, r)
		}
	})
}

func testForwardInPieces[T kernels.Float](t *testing.T, r *rand.Rand) {
	shape, g := tilings(r)
	s := quant.Spec{DType: quant.DType(r.IntN(9)), Granularity: g, Calculator: quant.Algorithm{Name: []string{"static", "moving_average", "global_minmax", "dynamic"}[r.IntN(4)]}}
	if r.IntN(8) == 0 && s.Calculator.Name != "dynamic" {
		s.FloatRange = quant.FixedRange(-1, 1.5)
	}
	what := fmt.Sprint(shape, s)
	whole, err := quant.New[T](s, quant.Activation)
	require.NoError(t, err, what)
	q, err := quant.New[T](s, quant.Activation)
	require.NoError(t, err, what)
	p, err := quant.NewPieces[T](s, quant.Activation, shape, false)
	require.NoError(t, err, what)
	for pass := range 3 {
		if pass == 2 && s.Calculator.Name != "dynamic" {
			require.NoError(t, whole.EnableObserver(false))
			require.NoError(t, q.EnableObserver(false))
		}
		x := random[T](r, false, shape...)
		var want quant.Tensor[T]
		wantMask := quant.Mask{Kind: quant.MaskKind(r.IntN(3))}
		require.NoError(t, whole.FakeQuantize(&want, x, &wantMask), what)

		var ranges quant.Ranges
		most := 64 * r.IntN(5)
		for piece := range p.Cut(p.Whole(), most) {
			require.NoError(t, p.Observe(&ranges, piece, x.Data[piece.First:][:piece.Len]), what)
		}
		require.NoError(t, q.ObserveRanges(shape, &ranges), what)
		params, err := q.Params()
		require.NoError(t, err, what)
		mask := quant.Mask{Kind: wantMask.Kind}
		for piece := range p.Cut(p.Whole(), most) {
			part := mask
			part.Data = nil
			at := x.Data[piece.First:][:piece.Len]
			require.NoError(t, p.FakeQuantizeBy(params, at, &part, piece, at), what)
			mask.Data = append(mask.Data, part.Data...)
		}
		requireSame(t, what, want.Data, x.Data)
		require.True(t, bytes.Equal(wantMask.Data, mask.Data), what)
		require.Equal(t, whole.State(), q.State(), what)
	}
}

// What is not from Parts or Cut, or does not fit it, is an error.
func TestPiecesMistakes(t *testing.T) {
	spec := quant.Spec{DType: quant.Int4, Granularity: quant.PerChannel(0)}
	p, err := quant.NewPieces[float32](spec, quant.Weight, []int{4, 67}, true)
	require.NoError(t, err)
	assert.False(t, p.Fixed())
	parts := slices.Collect(p.Parts(67))
	require.Equal(t, quant.Part{First: 67, Len: 67, Byte: 34, Bytes: 34, Group: 1, Groups: 1}, parts[1])
	pieces := slices.Collect(p.Cut(parts[1], 0))
	require.Equal(t, []quant.Part{{67, 64, 34, 32, 1, 1}, {131, 3, 66, 2, 1, 1}}, pieces)

	x, codes, params := make([]float32, 67), make([]byte, 34), quant.Params{Scale: []float32{1}}
	shape := func(err error, words string) {
		t.Helper()
		assert.ErrorIs(t, err, quant.ErrShape)
		assert.ErrorContains(t, err, words)
	}
	for _, wrong := range []quant.Part{
		{}, {First: -1, Len: 67}, {First: 1, Len: 268, Bytes: 34}, {First: 67, Len: 67}, {67, 67, 34, 34, 0, 1}, {67, 67, 34, 34, 1, 4}, {67, 67, 34, 34, -1, 3}, {67, 67, 34, 34, 1, 100}, {-1, 67, 34, 34, 1, 1},
		{68, 66, 35, 33, 1, 1}, {69, 66, 35, 33, 1, 2}, {67, 65, 34, 33, 1, 1}, {67, 100, 34, 51, 1, 2},
	} {
		shape(p.Quantize(codes, &params, wrong, x), "Part")
		shape(p.Observe(new(quant.Ranges), wrong, x), "Part")
		shape(p.QuantizeBy(params, codes, wrong, x), "Part")
		shape(p.Dequantize(x, wrong, codes, params), "Part")
		_, err := p.Params(new(quant.Ranges), wrong)
		shape(err, "Part")
		for piece := range p.Cut(wrong, 64) {
			shape(p.Observe(new(quant.Ranges), piece, make([]float32, max(0, piece.Len))), "Part")
		}
	}
	shape(p.Quantize(codes[:32], &params, pieces[0], x[:64]), "whole part")
	shape(p.Quantize(codes[:33], &params, parts[1], x), "34")
	shape(p.Quantize(codes, &params, parts[1], x[1:]), "len(x) is 66, want 67")
	shape(p.QuantizeBy(params, codes[1:], parts[1], x), "34")
	shape(p.Dequantize(x[1:], parts[1], codes, params), "len(dst) is 66, want 67")
	shape(p.Dequantize(x, parts[1], codes[1:], params), "34")
	var ranges quant.Ranges
	require.NoError(t, p.Observe(&ranges, pieces[0], x[:64]))
	both := slices.Collect(p.Parts(134))[0]
	shape(p.Observe(&ranges, both, append(x, x...)), "Ranges")
	_, err = p.Params(&ranges, both)
	shape(err, "Ranges")
	assert.ErrorIs(t, p.QuantizeBy(quant.Params{Scale: []float32{1, 1}}, codes, parts[1], x), quant.ErrParams)
	err = p.QuantizeBy(quant.Params{Scale: []float32{0}}, codes, parts[1], x)
	assert.ErrorIs(t, err, quant.ErrParams)
	assert.ErrorContains(t, err, "Params.Scale[1] is 0", "the tensor's second group")

	quant.RegisterRangeCalculator("whole", func(quant.Request) (quant.RangeCalculator, error) { return ownMinMax{}, nil })
	quant.RegisterQuantizeStep("whole", func(quant.Request) (quant.QuantizeStep, error) { return ownFormula{}, nil })
	_, err = quant.NewPieces[float32](spec, quant.Weight, nil, true)
	shape(err, "axis")
	_, err = quant.NewPieces[float32](quant.Spec{Granularity: quant.PerBlock(0, 3)}, quant.Weight, []int{4}, true)
	assert.ErrorIs(t, err, quant.ErrDisabled)
	for _, own := range []quant.Spec{{DType: 99}, {RangeCalculator: quant.Algorithm{Name: "whole"}}, {FakeQuantize: quant.Algorithm{Name: "whole"}}} {
		_, err = quant.NewPieces[float32](own, quant.Weight, []int{4}, true)
		assert.ErrorIs(t, err, quant.ErrSpec)
	}
	for _, c := range []quant.Codes{{Spec: quant.Spec{DType: 99}}, {Shape: []int{-1}}, {Shape: []int{4}, Params: quant.Params{Shape: []int{3}}}} {
		_, err = quant.PiecesOf[float32](c)
		assert.Error(t, err)
	}
	empty, err := quant.PiecesOf[float32](quant.Codes{Shape: []int{0, 3}})
	require.NoError(t, err)
	assert.Empty(t, slices.Collect(empty.Parts(1)))
	assert.Zero(t, empty.Whole())
	shape(empty.Observe(&ranges, quant.Part{Len: 1}, x[:1]), "Part")

	shape(p.FakeQuantizeBy(params, x[1:], nil, parts[1], x), "len(dst)")
	shape(p.FakeQuantizeBy(params, x, nil, quant.Part{}, x), "Part")
	shape(p.FakeQuantizeBy(params, x, &quant.Mask{Kind: 3}, parts[1], x), "Mask.Kind")
	assert.ErrorIs(t, p.FakeQuantizeBy(quant.Params{}, x, nil, parts[1], x), quant.ErrParams)
	q, err := quant.New[float32](spec, quant.Weight)
	require.NoError(t, err)
	shape(q.ObserveRanges([]int{-1}, &ranges), "shape")
	shape(q.ObserveRanges(nil, &ranges), "axis")
	shape(q.ObserveRanges([]int{4, 67}, &ranges), "Ranges")
	require.NoError(t, q.ObserveRanges([]int{0, 3}, &ranges), "nothing to observe")
	_, err = q.Params()
	assert.ErrorIs(t, err, quant.ErrNotObserved)
	own, err := quant.New[float32](quant.Spec{RangeCalculator: quant.Algorithm{Name: "whole"}}, quant.Weight)
	require.NoError(t, err)
	assert.ErrorIs(t, own.ObserveRanges([]int{4}, &ranges), quant.ErrSpec)
}

// Ranges are of no use before all elements of their part were observed, in whatever order.
func TestUnobservedRanges(t *testing.T) {
	spec := quant.Spec{DType: quant.Int4, Granularity: quant.PerChannel(0)}
	p, err := quant.NewPieces[float32](spec, quant.Weight, []int{2, 1000}, false)
	require.NoError(t, err)
	part := slices.Collect(p.Parts(1))[1]
	x := random[float32](rand.New(rand.NewPCG(23, 24)), false, 1000).Data
	var ranges quant.Ranges
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 1, 0, 2}, {2, 2, 0, 3, 0, 1}} {
		ranges = quant.Ranges{}
		pieces := slices.Collect(p.Cut(part, 256))
		require.Len(t, pieces, 4)
		for _, i := range order {
			_, err := p.Params(&ranges, part)
			require.ErrorIs(t, err, quant.ErrNotObserved)
			piece := pieces[i]
			require.NoError(t, p.Observe(&ranges, piece, x[piece.First-part.First:][:piece.Len]))
		}
		got, err := p.Params(&ranges, part)
		require.NoError(t, err)
		var want quant.Params
		require.NoError(t, p.Quantize(make([]byte, 1000), &want, part, x))
		assert.Equal(t, want, got)
	}
	_, err = p.Params(&ranges, slices.Collect(p.Parts(1))[0])
	require.ErrorIs(t, err, quant.ErrNotObserved, "another part's")
	require.EqualError(t, err, "quant: no parameters yet: Ranges of elements 0 to 999 is without element 0, want each piece of them observed")

	q, err := quant.New[float32](spec, quant.Weight)
	require.NoError(t, err)
	ranges = quant.Ranges{}
	require.NoError(t, p.Observe(&ranges, p.Whole(), slices.Concat(x, x)))
	require.NoError(t, q.ObserveRanges([]int{2, 1000}, &ranges))
	was := q.State()
	ranges = quant.Ranges{}
	piece := slices.Collect(p.Cut(p.Whole(), 1000))[0]
	require.NoError(t, p.Observe(&ranges, piece, make([]float32, piece.Len)))
	require.ErrorIs(t, q.ObserveRanges([]int{2, 1000}, &ranges), quant.ErrNotObserved)
	assert.Equal(t, was, q.State())
}

// Memory of parameters that is used for one spec after the other keeps no scale of a whole tensor.
func TestPiecesGlobalAgain(t *testing.T) {
	var params quant.Params
	x := make([]float32, 32)
	for i := range x {
		x[i] = float32(i - 9)
	}
	for _, spec := range []quant.Spec{
		{DType: quant.Float4E2M1FN, Granularity: quant.PerBlock(-1, 16), ScaleDType: quant.ScaleE4M3FN, Dialect: quant.ModelOpt},
		{DType: quant.Int8},
		{DType: quant.Float8E4M3FN, Granularity: quant.PerBlock(-1, 32)},
	} {
		p, err := quant.NewPieces[float32](spec, quant.Weight, []int{1, 32}, true)
		require.NoError(t, err)
		for part := range p.Parts(32) {
			codes := make([]byte, part.Bytes)
			require.NoError(t, p.Quantize(codes, &params, part, x))
			require.NoError(t, p.Dequantize(make([]float32, 32), part, codes, params))
		}
	}
}

// A tensor with a scale of its own beside those of its groups: of its pieces only that is found first, and then its parts have the bits that they have in
// the whole, values and masks too.
func TestPiecesByGlobal(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	for _, dialect := range []quant.Dialect{quant.TorchAO, quant.ModelOpt, quant.CompressedTensors, quant.CompressedTensorsF32} {
		for _, ranges := range []string{"minmax", "mse", "percentile"} {
			for _, shape := range [][]int{{400}, {10, 48}, {3, 4, 32}, {7, 40}, {1, 1 << 17}} {
				testPiecesByGlobal[float32](t, r, dialect, ranges, shape)
				testPiecesByGlobal[float16.Float16](t, r, dialect, ranges, shape)
				testPiecesByGlobal[bf16.BFloat16](t, r, dialect, ranges, shape)
			}
		}
	}
}

func testPiecesByGlobal[T kernels.Float](t *testing.T, r *rand.Rand, dialect quant.Dialect, ranges string, shape []int) {
	t.Helper()
	s := quant.Spec{
		DType: quant.Float4E2M1FN, Granularity: quant.PerBlock(-1, 16), ScaleDType: quant.ScaleE4M3FN, Dialect: dialect, GlobalScale: quant.GlobalOn,
		RangeCalculator: quant.Algorithm{Name: ranges},
	}
	if ranges == "percentile" {
		s.RangeCalculator.Arguments = `{"num":9,"den":10}`
	}
	if shape[len(shape)-1]%16 != 0 {
		s.Granularity = quant.PerBlock(-1, 16).Partial()
	}
	switch r.IntN(6) {
	case 0:
		s.FloatRange = quant.FixedMin(-1)
	case 1:
		s.FloatRange = quant.FixedRange(-1, 1.5)
	}
	x := random[T](r, r.IntN(3) == 0, shape...)
	packed, most := shape[len(shape)-1]%2 == 0 && r.IntN(2) == 0, 16+r.IntN(3*len(x.Data)/4)
	what := fmt.Sprint(shape, s, packed, most)
	q, err := quant.New[T](s, quant.Weight)
	require.NoError(t, err, what)
	want := quant.Codes{Packed: packed}
	require.NoError(t, q.Quantize(&want, x), what)
	var fake quant.Tensor[T]
	wantMask := quant.Mask{Kind: quant.ByteMask}
	require.NoError(t, q.FakeQuantize(&fake, x, &wantMask), what)

	p, err := quant.NewPieces[T](s, quant.Weight, shape, packed)
	require.NoError(t, err, what)
	require.True(t, p.Gathers())
	var all quant.Ranges
	parts := slices.Collect(p.ByGlobal(0).Parts(most))
	if len(x.Data) > 400 {
		require.Greater(t, len(parts), 1, what)
	}
	for _, part := range parts {
		if !p.Fixed() {
			_, err := p.Global(&all)
			require.ErrorIs(t, err, quant.ErrNotObserved, what)
			require.NoError(t, p.ObserveGlobal(&all, part, x.Data[part.First:][:part.Len]), what)
		}
	}
	kept, err := all.MarshalBinary()
	require.NoError(t, err)
	require.LessOrEqual(t, len(kept), 8*9, "one range is kept, whatever the number of groups")
	global, err := p.Global(&all)
	require.NoError(t, err, what)
	require.Equal(t, math.Float32bits(want.Params.Global), math.Float32bits(global), "%s: %08x and %08x", what, math.Float32bits(want.Params.Global), math.Float32bits(global))

	known := p.ByGlobal(global)
	require.False(t, known.Gathers())
	got := quant.Codes{Data: make([]byte, len(want.Data))}
	y, mask := make([]T, len(x.Data)), make([]byte, len(wantMask.Data))
	for _, part := range parts {
		in := x.Data[part.First:][:part.Len]
		var params, again quant.Params
		require.NoError(t, known.Quantize(got.Data[part.Byte:][:part.Bytes], &params, part, in), what)
		requireSame(t, what, []float32{global}, []float32{params.Global})
		got.Params.Scale = append(got.Params.Scale, params.Scale...)
		m := quant.Mask{Kind: quant.ByteMask, Data: mask[part.First:][:0]}
		require.NoError(t, known.FakeQuantize(y[part.First:][:part.Len], &m, &again, part, in), what)
		require.Equal(t, len(again.Scale), len(params.Scale))
		requireSame(t, what, params.Scale, again.Scale)
	}
	requireSame(t, what, want.Params.Scale, got.Params.Scale)
	require.Equal(t, want.Data, got.Data, what)
	requireSame(t, what, fake.Data, y)
	require.Equal(t, wantMask.Data, mask, what)
}

// Where the last block of an axis may be shorter, parts are no longer than where all blocks are of one size.
func TestPartialParts(t *testing.T) {
	for _, c := range []struct {
		shape []int
		sizes []int
		unit  int
	}{
		{[]int{100}, []int{32}, 32}, {[]int{9, 100}, []int{1, 32}, 100}, {[]int{100, 6}, []int{32, 1}, 192}, {[]int{9, 100}, []int{4, 32}, 400},
		{[]int{4, 9, 100}, []int{1, 4, 32}, 900}, {[]int{4, 9, 100}, []int{1, 3, 32}, 300}, {[]int{4, 9, 100}, []int{2, 1, 32}, 1800}, {[]int{3, 64}, []int{128, 48}, 192},
	} {
		spec, err := quant.ParseSpec(fmt.Appendf(nil, `{"dtype":"int8","granularity":{"type":"per_block","block_size":%s,"partial":true}}`, strings.ReplaceAll(fmt.Sprint(c.sizes), " ", ",")))
		require.NoError(t, err)
		p, err := quant.NewPieces[float32](spec, quant.Weight, c.shape, false)
		require.NoError(t, err)
		assert.Equal(t, c.unit, p.Unit(), "%v", c)
		groups, size := 0, p.Whole().Len
		for part := range p.Parts(1) {
			require.Equal(t, groups, part.Group, "%v", c)
			require.Equal(t, min(c.unit, size-part.First), part.Len, "%v", c)
			groups += part.Groups
		}
		require.Equal(t, p.Whole().Groups, groups, "%v", c)
	}
}

// One group that is searched through as often as the search wants gets the parameters that it gets in memory.
func TestPiecesSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	for _, text := range []string{
		`"range_calculator_cls":"mse"`, `"range_calculator_cls":{"name":"mse","norm":2.5}`, `"range_calculator_cls":{"name":"percentile","num":9,"den":10}`,
		`"qparam_calculator_cls":"histogram"`, `"qparam_calculator_cls":{"name":"histogram","range":{"name":"percentile","num":99,"den":100}}`,
		`"range_calculator_cls":"mse","float_range":[-1,null]`, `"range_calculator_cls":"mse","qscheme":"asymmetric","qformulation":"minval"`,
	} {
		for _, n := range []int{1, 100, 4096, 70000, 140001} {
			testPiecesSearch[float32](t, r, text, n)
			testPiecesSearch[float16.Float16](t, r, text, n)
			testPiecesSearch[bf16.BFloat16](t, r, text, n)
		}
	}
	testPiecesSearch[bf16.BFloat16](t, r, `"range_calculator_cls":"mse"`, 17<<16+5) // more than workers take before errors are added up
	spec, err := quant.ParseSpec([]byte(`{"dtype":"int8","granularity":{"type":"per_channel","axis":0},"range_calculator_cls":"mse"}`))
	require.NoError(t, err)
	p, err := quant.NewPieces[float32](spec, quant.Weight, []int{2, 100}, false)
	require.NoError(t, err)
	_, err = p.Search(p.Whole(), 1, nil)
	require.ErrorIs(t, err, quant.ErrShape)
	want := errors.New("no more")
	_, err = p.Search(slices.Collect(p.Parts(1))[1], 2, func(_ []float32, first int) error {
		assert.Equal(t, 100, first)
		return want
	})
	require.Equal(t, want, err)
	p, err = quant.NewPieces[float32](quant.Spec{}, quant.Weight, []int{2, 100}, false)
	require.NoError(t, err)
	_, err = p.Search(p.Whole(), 1, nil)
	require.ErrorIs(t, err, quant.ErrSpec)
}

func testPiecesSearch[T kernels.Float](t *testing.T, r *rand.Rand, text string, n int) {
	t.Helper()
	spec, err := quant.ParseSpec([]byte(`{"dtype":"int8",` + text + `}`))
	require.NoError(t, err)
	x := random[T](r, r.IntN(3) == 0, 1, n)
	p, err := quant.NewPieces[T](spec, quant.Weight, x.Shape, false)
	require.NoError(t, err)
	if spec.RangeCalculator.Name == "mse" && r.IntN(2) == 0 {
		p.Importance = make([]float32, n)
		for i := range p.Importance {
			p.Importance[i] = r.Float32()
		}
	}
	var want quant.Params
	require.NoError(t, p.Quantize(make([]byte, n), &want, p.Whole(), x.Data), text)
	for _, workers := range []int{0, 1, 2, 5} {
		got, err := p.Search(p.Whole(), workers, func(dst []T, first int) error {
			copy(dst, x.Data[first:])
			return nil
		})
		require.NoError(t, err, text)
		requireSame(t, text, want.Scale, got.Scale)
		requireSame(t, text, want.MinVal, got.MinVal)
		require.Equal(t, want.ZeroPoint, got.ZeroPoint, text)
	}
}
