//go:build !race

package quant_test

import (
	"math/rand/v2"
	"testing"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// After the first pass of a shape no call allocates, though other shapes come between: a prompt's tokens, one to sixteen at a time.
func TestNoAllocationsOfAlternatingShapes(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	const most = 16
	for _, spec := range []string{
		`{}`,
		`{"granularity":{"type":"per_channel","axis":1},"qscheme":"asymmetric"}`,
		`{"dtype":"int4","granularity":{"type":"per_channel","axis":0},"qparam_calculator_cls":"dynamic"}`,
		`{"dtype":"float4_e2m1fn","granularity":{"type":"per_block","axis":-1,"block_size":32},"qparam_calculator_cls":"dynamic"}`,
	} {
		q := mustNew[float32](t, spec, quant.Activation)
		var y, values quant.Tensor[float32]
		mask, codes, packed := quant.Mask{Kind: quant.BitMask}, quant.Codes{}, quant.Codes{Packed: true}
		var xs []quant.Tensor[float32]
		for tokens := range most {
			xs = append(xs, random[float32](r, false, 1+tokens, 64), random[float32](r, false, most-tokens, 64))
		}
		prompt := func() {
			for _, x := range xs {
				require.NoError(t, q.FakeQuantize(&y, x, &mask))
				require.NoError(t, q.Observe(x))
				require.NoError(t, q.Quantize(&codes, x))
				require.NoError(t, q.Quantize(&packed, x))
				require.NoError(t, q.QuantizeValues(&values, x))
				require.NoError(t, quant.Dequantize(&y, packed, 1))
			}
		}
		prompt()
		assert.Zero(t, testing.AllocsPerRun(5, prompt), spec)
	}
}

// After the first pass of a shape no call allocates, with one worker or more. (Under the race detector pools forget.)
func TestNoAllocations(t *testing.T) {
	quant.ShareEvery(t, 1024)
	r := rand.New(rand.NewPCG(13, 14))
	for _, spec := range []string{
		`{}`,
		`{"dtype":"int4","qscheme":"asymmetric","granularity":{"type":"per_channel","axis":0}}`,
		`{"dtype":"uint2","granularity":{"type":"per_block","axis":1,"block_size":32}}`,
		`{"dtype":"float4_e2m1fn","granularity":{"type":"per_channel","axis":-1}}`,
		`{"dtype":"float8_e5m2","granularity":{"type":"per_block","block_size":[4,32]}}`,
	} {
		for _, workers := range []int{1, 2} {
			q := mustNew[float32](t, spec, quant.Activation)
			q.Workers = workers
			x := random[float32](r, false, 64, 96)
			var y, dx, values quant.Tensor[float32]
			mask, codes, packed := quant.Mask{Kind: quant.BitMask}, quant.Codes{}, quant.Codes{Packed: true}
			pass := func() {
				require.NoError(t, q.FakeQuantize(&y, x, &mask))
				require.NoError(t, q.Backward(&dx, y, mask))
				require.NoError(t, q.Observe(x))
				require.NoError(t, q.Quantize(&codes, x))
				require.NoError(t, q.Quantize(&packed, x))
				require.NoError(t, q.QuantizeValues(&values, x))
				require.NoError(t, quant.Dequantize(&y, packed, workers))
			}
			pass()
			assert.Zero(t, testing.AllocsPerRun(20, pass), "%d workers %s", workers, spec)
		}
	}
}
