package quant_test

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
)

// ownFormula is the formula, as a user would write it.
type ownFormula struct{}

func (ownFormula) Quantize(codes []float32, mask []byte, x []float32, g quant.Group) {
	for i, x := range x {
		r := (x - g.FloatOffset) / g.Scale
		if !g.DType.IsFloat() {
			r = float32(math.RoundToEven(float64(r))) + g.QuantOffset
		}
		codes[i], mask[i] = min(max(r, g.QuantMin), g.QuantMax), 0
		if r >= g.QuantMin && r <= g.QuantMax {
			mask[i] = 1
		}
	}
}

// ownMinMax is minmax, as a user would write it.
type ownMinMax struct{}

func (ownMinMax) Range(group iter.Seq[[]float32]) quant.Range {
	r := quant.Range{Min: float32(math.Inf(1)), Max: float32(math.Inf(-1))}
	for piece := range group {
		for _, x := range piece {
			r = quant.Range{Min: min(r.Min, x), Max: max(r.Max, x)}
		}
	}
	return r
}

// ownStatic is static, as a user would write it, with a state that only one goroutine at a time may touch.
type ownStatic struct{ calls int }

func (s *ownStatic) Next(_, seen quant.Range, _ func(float32) float32) quant.Range {
	s.calls++
	return seen
}

func init() {
	quant.RegisterQuantizeStep("own", func(quant.Request) (quant.QuantizeStep, error) { return ownFormula{}, nil })
	quant.RegisterRangeCalculator("own", func(quant.Request) (quant.RangeCalculator, error) { return ownMinMax{}, nil })
	quant.RegisterCalculator("own", func(quant.Request) (quant.Calculator, error) { return new(ownStatic), nil })
}

// What a user writes with the built-in formulas in it gives the built-in bits, on any tiling.
func TestOwn(t *testing.T) {
	quant.ShareEvery(t, 16)
	r := rand.New(rand.NewPCG(17, 18))
	for range rounds(150) {
		testOwn[float32](t, r)
		testOwn[float16.Float16](t, r)
		testOwn[bf16.BFloat16](t, r)
	}
}

func testOwn[T kernels.Float](t *testing.T, r *rand.Rand) {
	shape, g := tilings(r)
	if r.IntN(20) == 0 {
		shape, g = []int{3, 10000}, quant.PerChannel(r.IntN(2))
	}
	s := quant.Spec{DType: quant.DType(r.IntN(9)), Granularity: g}
	if !s.DType.IsFloat() {
		s.Scheme, s.Formulation = quant.Scheme(r.IntN(3)), quant.Formulation(r.IntN(2))
	}
	what := fmt.Sprint(shape, s)
	kind := quant.MaskKind(r.IntN(3))
	run := func(s quant.Spec, x quant.Tensor[T]) (y, values quant.Tensor[T], mask quant.Mask, codes, packed quant.Codes, st quant.State) {
		q, err := quant.New[T](s, quant.Weight)
		require.NoError(t, err)
		q.Workers = 4
		mask.Kind, packed.Packed = kind, true
		require.NoError(t, q.FakeQuantize(&y, x, &mask), what)
		require.NoError(t, q.Quantize(&codes, x), what)
		require.NoError(t, q.QuantizeValues(&values, x), what)
		if err := q.Quantize(&packed, x); err != nil {
			require.ErrorIs(t, err, quant.ErrShape)
		}
		return y, values, mask, codes, packed, q.State()
	}
	x := random[T](r, r.IntN(2) == 0, shape...)
	wantY, wantValues, wantMask, wantCodes, wantPacked, wantState := run(s, x)
	some := s
	some.Calculator.Name = "own"
	y, _, _, _, _, _ := run(some, x)
	requireSame(t, what+" own calculator", wantY.Data, y.Data)
	s.FakeQuantize.Name, s.RangeCalculator.Name, s.Calculator.Name = "own", "own", "own"
	y, values, mask, codes, packed, state := run(s, x)
	requireSame(t, what, wantY.Data, y.Data)
	requireSame(t, what, wantValues.Data, values.Data)
	assert.Equal(t, wantMask, mask, what)
	requireCodes(t, what, s.DType, wantCodes.Data, codes.Data)
	if s.DType.Bits() < 8 {
		assert.Equal(t, wantPacked.Data, packed.Data, what)
	} else {
		requireCodes(t, what, s.DType, wantPacked.Data, packed.Data)
	}
	assert.Len(t, state, len(wantState)+2, "a calculator of one's own keeps running ranges")
}

// A calculator's range is clamped to its sides of zero.
type beyondZero struct{}

func (beyondZero) Next(_, _ quant.Range, _ func(float32) float32) quant.Range {
	return quant.Range{Min: 1, Max: -1}
}

// first takes a group's first piece for all of it.
type first struct{}

func (first) Range(group iter.Seq[[]float32]) (r quant.Range) {
	for piece := range group {
		r.Max = piece[0]
		break
	}
	return r
}

func TestRegister(t *testing.T) {
	quant.RegisterRangeCalculator("first", func(quant.Request) (quant.RangeCalculator, error) { return first{}, nil })
	stops := mustNew[float32](t, `{"range_calculator_cls":"first"}`, quant.Weight)
	long := tensor(make([]float32, 10000), 10000)
	long.Data[0], long.Data[1] = 127.5, 255
	require.NoError(t, stops.Observe(long))
	found, err := stops.Params()
	require.NoError(t, err)
	assert.Equal(t, []float32{1}, found.Scale)

	quant.RegisterCalculator("beyond zero", func(quant.Request) (quant.Calculator, error) { return beyondZero{}, nil })
	q := mustNew[float32](t, `{"qparam_calculator_cls":"beyond zero"}`, quant.Activation)
	for range 2 {
		require.NoError(t, q.Observe(tensor([]float32{-1, 1}, 2)))
	}
	p, err := q.Params()
	require.NoError(t, err)
	assert.Equal(t, []float32{0x1p-23}, p.Scale, "that of no range")

	assert.Panics(t, func() {
		quant.RegisterCalculator("static", func(quant.Request) (quant.Calculator, error) { return beyondZero{}, nil })
	})
	assert.Panics(t, func() {
		quant.RegisterRangeCalculator("", func(quant.Request) (quant.RangeCalculator, error) { return ownMinMax{}, nil })
	})
	assert.Panics(t, func() { quant.RegisterQuantizeStep("none", nil) })
	_, err = quant.ParseSpec([]byte(`{"range_calculator_cls":"none"}`))
	var e *quant.Error
	require.ErrorAs(t, err, &e)
	assert.Contains(t, e.Want, "minmax")
	assert.Contains(t, e.Want, "own")
}
