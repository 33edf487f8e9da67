//go:build !race

package quant_test

import (
	"math/rand/v2"
	"testing"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
