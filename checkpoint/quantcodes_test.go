package checkpoint

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

func TestReadCodes(t *testing.T) {
	for scheme, dtype := range map[string]quant.DType{
		"W8A8": quant.Int8, "W4A16": quant.Uint4, "W4A16_ASYM": quant.Uint4, "FP8_DYNAMIC": quant.Float8E4M3FN, "MXFP4A16": quant.Float4E2M1FN,
	} {
		for _, x := range open(t, filepath.Join("testdata/ct", scheme)).Tensors() {
			if !x.Quantized() {
				continue
			}
			c, err := x.ReadCodes()
			require.NoError(t, err)
			assert.Equal(t, dtype, c.Spec.DType, scheme)
			if slices.Contains(c.Params.Scale, 0x1p-127) {
				continue // of a block of zeros; package quant has none below 2^-126
			}
			var y quant.Tensor[bf16.BFloat16]
			require.NoError(t, quant.Dequantize(&y, c, 1), scheme)
			toggleEndian(y.Data)
			require.Equal(t, readAs(t, x, safetensors.BF16, x.Rows()), bytesOf(y.Data), "%s %s", scheme, x.Name())
		}
	}
	d := damaged(t)["fp8"]
	x := lookup(t, open(t, folder(t, d.config, d.all)), d.name)
	c, err := x.ReadCodes()
	require.NoError(t, err)
	var y quant.Tensor[float32]
	require.NoError(t, quant.Dequantize(&y, c, 1))
	assert.Equal(t, floatBytes(y.Data), readAs(t, x, safetensors.F32, 7))

	// Blocks that do not divide the matrix, as DeepSeek's 576 rows.
	blocks := make([]byte, 9*11)
	for i := range blocks {
		blocks[i] = byte(i)
	}
	x = lookup(t, open(t, folder(t, strings.Replace(d.config, "128,128", "4,5", 1), tensors{"m.weight": {safetensors.F8_E4M3, []int{9, 11}, blocks},
		"m.weight_scale_inv": of(safetensors.F32, []int{3, 3}, 1, 2, float32(3), 4, 5, 6, 7, 8, 9)})), "m.weight")
	c, err = x.ReadCodes()
	require.NoError(t, err)
	require.NoError(t, quant.Dequantize(&y, c, 1))
	assert.Equal(t, floatBytes(y.Data), readAs(t, x, safetensors.F32, 9))

	// Rows of 10 codes take a word and two bytes more than they need.
	codes := make([]int32, 2*3)
	for i := range codes {
		codes[i] = int32(0x12345678 * (i + 1))
	}
	x = lookup(t, open(t, folder(t, ctConfig("pack-quantized", `"num_bits":4,"type":"int","symmetric":true,"strategy":"channel"`), tensors{
		"m.weight_packed": of(safetensors.I32, []int{2, 3}, codes...), "m.weight_scale": of(safetensors.F32, []int{2, 1}, float32(1), 2), "m.weight_shape": of(safetensors.I64, []int{2}, int64(2), 18),
	})), "m.weight")
	c, err = x.ReadCodes()
	require.NoError(t, err)
	require.NoError(t, quant.Dequantize(&y, c, 1))
	assert.Equal(t, floatBytes(y.Data), readAs(t, x, safetensors.F32, 1))

	for scheme, want := range map[string]string{"gptq": "whose codes package quant does not have", "NVFP4": "has codes that package quant does not have", "int8": "whose codes package quant does not have"} {
		d := damaged(t)[scheme]
		_, err := lookup(t, open(t, folder(t, d.config, d.all)), d.name).ReadCodes()
		assert.ErrorContains(t, err, want)
	}
}

// TestPlanTiles makes plans of random checkpoints with pieces of random sizes: the runs cover every byte of every output once, and a plan that
// is made anew is the same.
func TestPlanTiles(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	rounds := 10
	if os.Getenv("LOWBIT_EXHAUSTIVE") == "1" {
		rounds = 500
	}
	for range rounds {
		all := tensors{}
		for i := range 1 + r.IntN(5) {
			shape := []int{1 + r.IntN(40), (1 + r.IntN(4)) * 64}
			if r.IntN(4) == 0 {
				shape[1] += r.IntN(60)
			}
			dtype := []safetensors.DType{safetensors.F32, safetensors.F16, safetensors.BF16}[r.IntN(3)]
			name := fmt.Sprintf("%d.weight", i)
			if r.IntN(4) == 0 {
				name = fmt.Sprintf("%d.bias", i)
			}
			data := make([]byte, shape[0]*shape[1]*dtype.Bits()/8)
			for i := range data {
				data[i] = uint8(r.IntN(60)) // no infinities
			}
			all[name] = raw{dtype, shape, data}
		}
		in := open(t, folder(t, "", all))
		preset := CompressedTensorsPresets()[r.IntN(len(ctPresets))]
		most := int64(1 + r.IntN(1<<r.IntN(17)))
		job := func() Job { return ctJob(t, preset) }
		p := checkPlan(t, in, job, most)

		out := filepath.Join(t.TempDir(), "out")
		require.NoError(t, p.WriteFolder(t.Context(), out, WriteOptions{Workers: 1 + r.IntN(4)}))
		checkPlan(t, open(t, out), func() Job { return Dequantization{} }, most)
	}
}

// checkPlan plans a job twice, and looks at one of the plans.
func checkPlan(t *testing.T, c *Checkpoint, job func() Job, most int64) *Plan {
	t.Helper()
	p, err := NewPlan(c, job(), most)
	require.NoError(t, err)
	q, err := NewPlan(c, job(), most)
	require.NoError(t, err)
	for i, s := range p.Shards {
		require.Equal(t, s.Head, q.Shards[i].Head)
		require.Equal(t, s.Pieces, q.Shards[i].Pieces)
		covered := make([]int, s.Size)
		for k := range s.Head {
			covered[k]++
		}
		var scratch Scratch
		for _, task := range s.Pieces {
			require.NoError(t, p.Do(&scratch, &s, task, func(data []byte, off int64) error {
				for k := range data {
					covered[off+int64(k)]++
				}
				return nil
			}))
		}
		for k, n := range covered {
			if n != 1 {
				t.Fatalf("%s: byte %d is written %d times", s.Name, k, n)
			}
		}
	}
	a, err := p.Digest()
	require.NoError(t, err)
	b, err := q.Digest()
	require.NoError(t, err)
	require.Equal(t, a, b)
	return p
}
