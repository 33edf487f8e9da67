//go:build !race

package main

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/lowbit-go/lowbit/safetensors"
)

// A tensor's size makes no difference to the memory that it takes, whether it can be quantized at once or has to be observed first. (Under the
// race detector pools forget.)
func TestStreamMemory(t *testing.T) {
	in, codes, out := place(t, "in"), place(t, "codes"), place(t, "out")
	save(t, in, noise("w", safetensors.F32, 1024, 4096)) // 16 MB
	inPieces(t, 64<<10, 256<<10)
	for _, spec := range []string{
		int8Spec, `{"dtype":"int8","granularity":{"type":"per_channel","axis":0}}`, `{"dtype":"int4","granularity":{"type":"per_channel","axis":1}}`,
		`{"dtype":"float4_e2m1fn","granularity":{"type":"per_block","axis":1,"block_size":32}}`, `{"dtype":"int4","granularity":{"type":"per_block","axis":0,"block_size":16}}`,
		`{"dtype":"float4_e2m1fn","granularity":{"type":"per_block","axis":1,"block_size":16},"scale_dtype":"float8_e4m3fn"}`,
		`{"dtype":"int4","granularity":{"type":"per_block","axis":1,"block_size":48,"partial":true}}`, `{"dtype":"int8","range_calculator_cls":"mse"}`,
		`{"dtype":"int8","range_calculator_cls":{"name":"percentile","num":99,"den":100}}`, `{"dtype":"int8","qparam_calculator_cls":"histogram"}`,
	} {
		for _, args := range [][]string{
			{"quantize", "--workers", "4", "--pack", "--spec", spec, "-o", codes, in},
			{"dequantize", "--workers", "4", "-o", out, codes},
			{"fakequant", "--workers", "4", "--spec", spec, "-o", out, in},
			{"quantize", "--workers", "4", "--include", "none", "--spec", spec, "-o", out, in}, // a copy
			{"calibrate", "--workers", "4", "--ranges", "-o", out, in},
			{"calibrate", "--workers", "4", "--histogram", "-o", out, in},
			{"calibrate", "--workers", "4", "--importance", "-o", out, in},
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			assert.Zero(t, lowbit(t, args...).status, "%q", args)
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(12<<20), "%q", args)
		}
	}
}
