package quant_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
)

// With RequireFinite a NaN or an infinity is an error, and nothing has changed; finite tensors have the bits that they have without.
func TestRequireFinite(t *testing.T) {
	quant.ShareEvery(t, 64)
	r := rand.New(rand.NewPCG(31, 32))
	for _, spec := range []string{
		`{}`,
		`{"qparam_calculator_cls":"moving_average"}`,
		`{"dtype":"int4","qparam_calculator_cls":"dynamic","granularity":{"type":"per_block","axis":-1,"block_size":8}}`,
		`{"dtype":"float4_e2m1fn","granularity":{"type":"per_block","axis":-1,"block_size":8}}`,
		`{"granularity":{"type":"per_channel","axis":1},"qscheme":"asymmetric"}`,
		`{"float_range":[-1,1]}`,
		`{"float_range":[-1,null]}`,
		`{"range_calculator_cls":"own"}`,
		`{"fake_quantize_cls":"own"}`,
		`{"qparam_calculator_cls":{"name":"histogram","range":{"name":"percentile","num":9,"den":10}}}`,
	} {
		for _, workers := range []int{1, 3} {
			testRequireFinite[float32](t, r, spec, workers)
			testRequireFinite[float16.Float16](t, r, spec, workers)
			testRequireFinite[bf16.BFloat16](t, r, spec, workers)
		}
	}
}

func testRequireFinite[T kernels.Float](t *testing.T, r *rand.Rand, spec string, workers int) {
	x := random[T](r, false, 5, 64)
	plain, q := mustNew[T](t, spec, quant.Activation), mustNew[T](t, spec, quant.Activation)
	q.RequireFinite, q.Name, q.Workers = true, "a", workers
	for range 2 {
		var want, got quant.Tensor[T]
		wantMask, mask := quant.Mask{Kind: quant.BitMask}, quant.Mask{Kind: quant.BitMask}
		require.NoError(t, plain.FakeQuantize(&want, x, &wantMask))
		require.NoError(t, q.FakeQuantize(&got, x, &mask))
		requireSame(t, spec, want.Data, got.Data)
		require.Equal(t, wantMask, mask)
		var wantCodes, codes quant.Codes
		require.NoError(t, plain.Quantize(&wantCodes, x))
		require.NoError(t, q.Quantize(&codes, x))
		require.Equal(t, wantCodes, codes)
		require.Equal(t, plain.State(), q.State())
	}
	was := q.State()
	for _, odd := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		bad := quant.Tensor[T]{Data: append([]T{}, x.Data...), Shape: x.Shape}
		bad.Data[r.IntN(len(bad.Data))] = fromFloat32[T](float32(odd))
		same := append([]T{}, bad.Data...)
		mask, codes, values := quant.Mask{Kind: quant.ByteMask}, quant.Codes{}, quant.Tensor[T]{}
		for _, err := range []error{q.FakeQuantize(&bad, bad, &mask), q.Quantize(&codes, bad), q.QuantizeValues(&values, bad)} {
			require.ErrorIs(t, err, quant.ErrNonFinite, spec)
		}
		if spec != `{"float_range":[-1,1]}` { // which nothing is observed for
			require.ErrorIs(t, q.Observe(bad), quant.ErrNonFinite, spec)
		}
		require.True(t, slices.EqualFunc(same, bad.Data, func(a, b T) bool { return math.Float32bits(toFloat32(a)) == math.Float32bits(toFloat32(b)) }), spec)
		assert.Empty(t, mask.Data)
		assert.Empty(t, codes)
		assert.Empty(t, values)
		assert.Equal(t, was, q.State(), spec)
	}
	x.Data[3], x.Data[77] = fromFloat32[T](float32(math.NaN())), fromFloat32[T](float32(math.Inf(1)))
	require.EqualError(t, q.FakeQuantize(&x, x, nil), `quant: not finite: tensor "a" is with 1 NaN and 1 infinite of 320 elements, want finite elements`)
	require.NoError(t, plain.FakeQuantize(&x, x, nil))
}
