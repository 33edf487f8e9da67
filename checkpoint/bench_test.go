package checkpoint

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// benchmarkCheckpoints are matrices of 4096 x 4096.
func benchmarkCheckpoints() map[string]struct {
	config string
	all    tensors
} {
	const n = 4096
	r := rand.NewChaCha8([32]byte{})
	codes := func(dtype safetensors.DType, shape ...int) raw {
		x := raw{dtype, shape, make([]byte, safetensors.ShapeOf(shape...).Elements()*dtype.Bits()/8)}
		r.Read(x.data)
		return x
	}
	scales := func(dtype safetensors.DType, shape ...int) raw {
		return raw{dtype, shape, bytes.Repeat([]byte{120}, safetensors.ShapeOf(shape...).Elements())}
	}
	ones := func(shape ...int) raw {
		x := make([]bf16.BFloat16, safetensors.ShapeOf(shape...).Elements())
		for i := range x {
			x[i] = bf16.FromFloat32(1)
		}
		return of(safetensors.BF16, shape, x...)
	}
	half := func(shape ...int) raw {
		return ones(shape...).cast(safetensors.F16)
	}
	zeros := func(shape ...int) raw {
		return raw{safetensors.I32, shape, bytes.Repeat([]byte{0x77}, 4*safetensors.ShapeOf(shape...).Elements())}
	}
	index := make([]int32, n)
	for i := range index {
		index[i] = int32(i / 128)
	}
	shuffled := slices.Clone(index)
	rand.New(r).Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	type entry = struct {
		config string
		all    tensors
	}
	group := func(bits, size int) string {
		return fmt.Sprintf(`"num_bits":%d,"type":"int","strategy":"group","group_size":%d`, bits, size)
	}
	shape := of(safetensors.I64, []int{2}, int64(n), n)
	return map[string]entry{
		"plain":     {"", tensors{"m.weight": ones(n, n)}},
		"w8a8":      {ctConfig("int-quantized", `"num_bits":8,"type":"int","strategy":"channel"`), tensors{"m.weight": codes(safetensors.I8, n, n), "m.weight_scale": ones(n, 1)}},
		"w4a16":     {ctConfig("pack-quantized", group(4, 128)), tensors{"m.weight_packed": codes(safetensors.I32, n, n/8), "m.weight_scale": ones(n, n/128), "m.weight_shape": shape}},
		"w4a16-any": {ctConfig("pack-quantized", `"num_bits":4,"type":"int","strategy":"group","group_size":128,"actorder":"group"`), tensors{"m.weight_packed": codes(safetensors.I32, n, n/8), "m.weight_scale": ones(n, n/128), "m.weight_shape": shape, "m.weight_g_idx": of(safetensors.I32, []int{n}, shuffled...)}},
		"w3a16":     {ctConfig("pack-quantized", group(3, 128)), tensors{"m.weight_packed": codes(safetensors.I32, n, n*3/32), "m.weight_scale": ones(n, n/128), "m.weight_shape": shape}},
		"fp8-block": {`{"dtype":"bfloat16","quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]}}`, tensors{"m.weight": codes(safetensors.F8_E4M3, n, n), "m.weight_scale_inv": ones(n/128, n/128)}},
		"nvfp4":     {ctConfig("nvfp4-pack-quantized", `"num_bits":4,"type":"float","strategy":"tensor_group","group_size":16`), tensors{"m.weight_packed": codes(safetensors.U8, n, n/2), "m.weight_scale": scales(safetensors.F8_E4M3, n, n/16), "m.weight_global_scale": of(safetensors.F32, []int{1}, float32(1))}},
		"mxfp4":     {ctConfig("mxfp4-pack-quantized", `"num_bits":4,"type":"float","strategy":"group","group_size":32`), tensors{"m.weight_packed": codes(safetensors.U8, n, n/2), "m.weight_scale": scales(safetensors.U8, n, n/32)}},
		"mxfp6":     {ctConfig("mxfp6-pack-quantized", `"num_bits":6,"type":"float","strategy":"group","group_size":32`), tensors{"m.weight_packed": codes(safetensors.U8, n, n/4*3), "m.weight_scale": scales(safetensors.U8, n, n/32)}},
		"gptq4":     {`{"quantization_config":{"quant_method":"gptq","bits":4,"group_size":128,"checkpoint_format":"gptq"}}`, tensors{"m.qweight": codes(safetensors.I32, n/8, n), "m.qzeros": zeros(n/128, n/8), "m.scales": half(n/128, n), "m.g_idx": of(safetensors.I32, []int{n}, index...)}},
		"gptq-any":  {`{"quantization_config":{"quant_method":"gptq","bits":4,"group_size":128,"desc_act":true,"checkpoint_format":"gptq"}}`, tensors{"m.qweight": codes(safetensors.I32, n/8, n), "m.qzeros": zeros(n/128, n/8), "m.scales": half(n/128, n), "m.g_idx": of(safetensors.I32, []int{n}, shuffled...)}},
		"gptq8":     {`{"quantization_config":{"quant_method":"gptq","bits":8,"group_size":128,"checkpoint_format":"gptq"}}`, tensors{"m.qweight": codes(safetensors.I32, n/4, n), "m.qzeros": zeros(n/128, n/4), "m.scales": half(n/128, n), "m.g_idx": of(safetensors.I32, []int{n}, index...)}},
		"gptq8-any": {`{"quantization_config":{"quant_method":"gptq","bits":8,"group_size":128,"desc_act":true,"checkpoint_format":"gptq"}}`, tensors{"m.qweight": codes(safetensors.I32, n/4, n), "m.qzeros": zeros(n/128, n/4), "m.scales": half(n/128, n), "m.g_idx": of(safetensors.I32, []int{n}, shuffled...)}},
		"awq":       {`{"quantization_config":{"quant_method":"awq","bits":4,"group_size":128}}`, tensors{"m.qweight": codes(safetensors.I32, n, n/8), "m.qzeros": zeros(n/128, n/8), "m.scales": half(n/128, n)}},
		"gpt-oss":   {`{"quantization_config":{"quant_method":"mxfp4"}}`, tensors{"m.weight_blocks": codes(safetensors.U8, 1, n, n/32, 16), "m.weight_scales": scales(safetensors.U8, 1, n, n/32)}},
		"bnb-int8":  {`{"quantization_config":{"quant_method":"bitsandbytes"}}`, tensors{"m.weight": codes(safetensors.I8, n, n), "m.SCB": of(safetensors.F32, []int{n}, make([]float32, n)...)}},
		"bnb-nf4":   {`{"quantization_config":{"quant_method":"bitsandbytes"}}`, tensors{"m.weight": codes(safetensors.U8, n*n/2, 1), "m.weight.absmax": of(safetensors.F32, []int{n * n / 64}, make([]float32, n*n/64)...), "m.weight.quant_map": of(safetensors.F32, []int{16}, nf4Table[:]...), "m.weight.quant_state.bitsandbytes__nf4": text(fmt.Sprintf(`{"quant_type":"nf4","blocksize":64,"dtype":"bfloat16","shape":[%d,%d]}`, n, n))}},
	}
}

// text is a tensor of bytes.
func text(s string) raw { return raw{safetensors.U8, []int{len(s)}, []byte(s)} }

// BenchmarkReadRows reads 1024 rows at a time as bfloat16. The file is in the system's cache.
func BenchmarkReadRows(b *testing.B) {
	for name, c := range benchmarkCheckpoints() {
		b.Run(name, func(b *testing.B) {
			benchmarkRows(b, lookup(b, open(b, folder(b, c.config, c.all)), "m.weight"))
		})
	}
}

// BenchmarkReadRowsOfPresets does so with what presets make of a matrix, packed as a preset of the tool is.
func BenchmarkReadRowsOfPresets(b *testing.B) {
	c := benchmarkCheckpoints()["plain"]
	in := folder(b, c.config, c.all)
	read := func(preset string, job Job) {
		b.Run(preset, func(b *testing.B) {
			out := filepath.Join(b.TempDir(), "out")
			require.NoError(b, plan(b, in, job, 1<<20).WriteFolder(context.Background(), out, WriteOptions{}))
			benchmarkRows(b, lookup(b, open(b, out), "m.weight"))
		})
	}
	for _, preset := range quant.Presets() {
		spec, err := quant.Preset(preset)
		require.NoError(b, err)
		pack := spec.DType.Bits() < 8
		read("lowbit/"+preset, &Quantization{Name: preset, Choose: func(*Tensor) *Choice { return &Choice{Spec: spec, Pack: pack} }})
	}
	for _, preset := range CompressedTensorsPresets() {
		read("compressed-tensors/"+preset, ctJob(b, preset))
	}
}

func benchmarkRows(b *testing.B, x *Tensor) {
	const rows = 1024
	dst := make([]bf16.BFloat16, rows*x.RowLen())
	first := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := ReadRows(x, dst, first); err != nil {
			b.Fatal(err)
		}
		first = (first + rows) % x.Rows()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(dst)), "ns/weight")
}

// BenchmarkCompressedTensors quantizes a matrix of 4096 x 4096 bfloat16.
func BenchmarkCompressedTensors(b *testing.B) {
	c := benchmarkCheckpoints()["plain"]
	x := lookup(b, open(b, folder(b, c.config, c.all)), "m.weight")
	for _, preset := range CompressedTensorsPresets() {
		b.Run(preset, func(b *testing.B) {
			conv, err := newCTWriter(x, ctPresets[preset], ctPresets[preset].choice())
			require.NoError(b, err)
			var s Scratch
			for b.Loop() {
				for p := range conv.Pieces(1 << 20) {
					if _, err := conv.Do(&s, p); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*x.Elements()), "ns/weight")
		})
	}
}

// BenchmarkCopy copies the file that BenchmarkCompressedTensors reads.
func BenchmarkCopy(b *testing.B) {
	c := benchmarkCheckpoints()["plain"]
	dir := folder(b, c.config, c.all)
	in := &Checkpoint{folder: dir}
	for b.Loop() {
		require.NoError(b, in.copyFile(filepath.Join(dir, "copy"), "model.safetensors"))
		require.NoError(b, os.Remove(filepath.Join(dir, "copy")))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*4096*4096), "ns/weight")
}
