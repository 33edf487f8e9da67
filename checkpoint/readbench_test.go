package checkpoint

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// benchmarkedSide is how many rows and columns a matrix has that benchmarks read, benchmarkedRows how many of them at once.
const (
	benchmarkedSide = 4096
	benchmarkedRows = 1024
)

// benchmarkedScheme is a way to store a matrix.
type benchmarkedScheme struct {
	name, config string
	all          func() tensors
}

// plainScheme is a matrix that is not quantized.
func plainScheme() benchmarkedScheme { return benchmarkedSchemes()[0] }

// benchmarkedSchemes are every way that package checkpoint reads out of safetensors files.
func benchmarkedSchemes() (list []benchmarkedScheme) {
	const n, size = benchmarkedSide, 128
	r := rand.NewChaCha8([32]byte{})
	add := func(name, config string, all func() tensors) {
		list = append(list, benchmarkedScheme{name, config, all})
	}
	codes := func(dtype safetensors.DType, shape ...int) raw {
		x := raw{dtype, shape, make([]byte, safetensors.ShapeOf(shape...).Elements()*dtype.Bits()/8)}
		r.Read(x.data)
		for i, code := range x.data {
			if dtype == safetensors.F8_E4M3 && code&0x7f == 0x7f { // a weight is no NaN
				x.data[i] ^= 1
			}
		}
		return x
	}
	filled := func(dtype safetensors.DType, value byte, shape ...int) raw {
		return raw{dtype, shape, bytes.Repeat([]byte{value}, safetensors.ShapeOf(shape...).Elements()*dtype.Bits()/8)}
	}
	// The bytes 3c make a number not far from 0.01 of BF16 and F32, and 1.06 of F16.
	scales := func(dtype safetensors.DType, shape ...int) raw { return filled(dtype, 0x3c, shape...) }
	groups := make([]int32, n)
	for i := range groups {
		groups[i] = int32(i / size)
	}
	shuffled := slices.Clone(groups)
	rand.New(r).Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	index := func(g []int32) raw { return of(safetensors.I32, []int{n}, g...) }

	add("bfloat16", "", func() tensors { return tensors{"m.weight": scales(safetensors.BF16, n, n)} })

	// compressed-tensors
	ct := func(name, format, weights string, all func() tensors) {
		add("ct/"+name, ctConfig(format, weights), all)
	}
	grouped := func(bits int, rest string) string {
		return fmt.Sprintf(`"num_bits":%d,"type":"int","strategy":"group","group_size":%d%s`, bits, size, rest)
	}
	const asymmetric, ordered = `,"symmetric":false`, `,"actorder":"group"`
	bytesAnd := func(dtype safetensors.DType, scale ...int) func() tensors {
		return func() tensors {
			return tensors{"m.weight": codes(dtype, n, n), "m.weight_scale": scales(safetensors.BF16, scale...)}
		}
	}
	with := func(all func() tensors, name string, x raw) func() tensors {
		return func() tensors {
			t := all()
			t[name] = x
			return t
		}
	}
	perRow := bytesAnd(safetensors.I8, n, 1)
	ct("int8", "int-quantized", `"num_bits":8,"type":"int","strategy":"channel"`, perRow)
	ct("int8-asym", "int-quantized", `"num_bits":8,"type":"int","strategy":"channel","symmetric":false`, with(perRow, "m.weight_zero_point", filled(safetensors.I8, 5, n, 1)))
	perGroup := bytesAnd(safetensors.I8, n, n/size)
	ct("int8-group", "naive-quantized", grouped(8, ""), perGroup)
	ct("int8-order", "int-quantized", grouped(8, ordered), with(perGroup, "m.weight_g_idx", index(shuffled)))
	for bits := 2; bits <= 8; bits++ {
		packed := func() tensors {
			return tensors{"m.weight_packed": codes(safetensors.I32, n, n*bits/32), "m.weight_scale": scales(safetensors.BF16, n, n/size),
				"m.weight_shape": of(safetensors.I64, []int{2}, int64(n), n)}
		}
		name := fmt.Sprintf("pack%d", bits)
		ct(name, "pack-quantized", grouped(bits, ""), packed)
		ct(name+"-asym", "pack-quantized", grouped(bits, asymmetric), with(packed, "m.weight_zero_point", codes(safetensors.I32, n*bits/32, n/size)))
		ct(name+"-order", "pack-quantized", grouped(bits, ordered), with(packed, "m.weight_g_idx", index(shuffled)))
	}
	const e4m3 = `"num_bits":8,"type":"float"`
	ct("fp8-tensor", "float-quantized", e4m3+`,"strategy":"tensor"`, bytesAnd(safetensors.F8_E4M3, 1))
	ct("fp8-channel", "float-quantized", e4m3+`,"strategy":"channel"`, bytesAnd(safetensors.F8_E4M3, n, 1))
	ct("fp8-block", "float-quantized", e4m3+`,"strategy":"block","block_structure":[128,128]`, bytesAnd(safetensors.F8_E4M3, n/size, n/size))
	ct("nvfp4", "nvfp4-pack-quantized", `"num_bits":4,"type":"float","strategy":"tensor_group","group_size":16`, func() tensors {
		return tensors{"m.weight_packed": codes(safetensors.U8, n, n/2), "m.weight_scale": filled(safetensors.F8_E4M3, 120, n, n/16), "m.weight_global_scale": scales(safetensors.F32, 1)}
	})
	for _, mx := range []struct {
		bits         int
		format, name string
		dtype        safetensors.DType
		row          int
	}{
		{4, "mxfp4-pack-quantized", "m.weight_packed", safetensors.U8, n / 2},
		{6, "mxfp6-pack-quantized", "m.weight_packed", safetensors.U8, n / 4 * 3},
		{8, "mxfp8-quantized", "m.weight", safetensors.F8_E4M3, n},
	} {
		ct(fmt.Sprintf("mxfp%d", mx.bits), mx.format, fmt.Sprintf(`"num_bits":%d,"type":"float","strategy":"group","group_size":32`, mx.bits), func() tensors {
			return tensors{mx.name: codes(mx.dtype, n, mx.row), "m.weight_scale": filled(safetensors.U8, 120, n, n/32)}
		})
	}

	// DeepSeek and gpt-oss
	const fp8 = `{"dtype":"bfloat16","quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]}}`
	for name, scale := range map[string]raw{"fp8/float": scales(safetensors.F32, n/size, n/size), "fp8/ue8m0": filled(safetensors.F8_E8M0, 120, n/size, n/size)} {
		add(name, fp8, func() tensors {
			return tensors{"m.weight": codes(safetensors.F8_E4M3, n, n), "m.weight_scale_inv": scale}
		})
	}
	add("mxfp4/gpt-oss", `{"quantization_config":{"quant_method":"mxfp4"}}`, func() tensors {
		return tensors{"m.weight_blocks": codes(safetensors.U8, 1, n, n/32, 16), "m.weight_scales": filled(safetensors.U8, 120, 1, n, n/32)}
	})

	// GPTQ and AWQ
	columns := func(bits int, codes raw) tensors {
		return tensors{"m.qweight": codes, "m.qzeros": filled(safetensors.I32, 0x55, n/size, n*bits/32), "m.scales": scales(safetensors.F16, n/size, n)}
	}
	for _, bits := range []int{2, 3, 4, 8} {
		for _, order := range []struct {
			name  string
			index []int32
		}{{"", groups}, {"-act-order", shuffled}} {
			config := fmt.Sprintf(`{"quantization_config":{"quant_method":"gptq","bits":%d,"group_size":%d,"desc_act":%v,"checkpoint_format":"gptq"}}`, bits, size, order.name != "")
			add(fmt.Sprintf("gptq/%d%s", bits, order.name), config, func() tensors {
				all := columns(bits, codes(safetensors.I32, n*bits/32, n))
				all["m.g_idx"] = index(order.index)
				return all
			})
		}
	}
	add("awq", `{"quantization_config":{"quant_method":"awq","bits":4,"group_size":128}}`, func() tensors { return columns(4, codes(safetensors.I32, n, n/8)) })

	// bitsandbytes
	const bnb = `{"quantization_config":{"quant_method":"bitsandbytes"}}`
	add("bnb/int8", bnb, func() tensors {
		return tensors{"m.weight": codes(safetensors.I8, n, n), "m.SCB": scales(safetensors.F32, n)}
	})
	const blocks = n * n / 64
	four := func(kind, more string, table []float32, absmax raw) tensors {
		state := fmt.Sprintf(`{"quant_type":%q,"blocksize":64,"dtype":"bfloat16","shape":[%d,%d]%s}`, kind, n, n, more)
		return tensors{"m.weight": codes(safetensors.U8, n*n/2, 1), "m.weight.absmax": absmax, "m.weight.quant_map": of(safetensors.F32, []int{16}, table...),
			"m.weight.quant_state.bitsandbytes__" + kind: text(state)}
	}
	add("bnb/nf4", bnb, func() tensors { return four("nf4", "", nf4Table[:], scales(safetensors.F32, blocks)) })
	add("bnb/fp4", bnb, func() tensors { return four("fp4", "", fp4Table[:], scales(safetensors.F32, blocks)) })
	add("bnb/nf4-nested", bnb, func() tensors {
		all := four("nf4", `,"nested_blocksize":256,"nested_dtype":"float32","nested_offset":0.5`, nf4Table[:], codes(safetensors.U8, blocks))
		all["m.weight.nested_absmax"], all["m.weight.nested_quant_map"] = scales(safetensors.F32, blocks/256), scales(safetensors.F32, 256)
		return all
	})
	return list
}

// text is a tensor of bytes.
func text(s string) raw { return raw{safetensors.U8, []int{len(s)}, []byte(s)} }

// BenchmarkReadRows reads a matrix by many rows at a time, and row by row. The file is in the system's cache. Beside the time for a weight stands how
// often a copy could be made meanwhile: one that reads the same bytes of the file, and writes as many as the rows have.
func BenchmarkReadRows(b *testing.B) {
	for _, scheme := range benchmarkedSchemes() {
		b.Run(scheme.name, func(b *testing.B) {
			benchmarkTypes(b, lookup(b, open(b, folder(b, scheme.config, scheme.all())), "m.weight"))
		})
	}
	for _, kind := range []gguf.Type{gguf.F16, gguf.Q4_0, gguf.Q4_1, gguf.Q5_0, gguf.Q5_1, gguf.Q8_0, gguf.Q2_K, gguf.Q3_K, gguf.Q4_K, gguf.Q5_K, gguf.Q6_K, gguf.IQ4_NL, gguf.IQ4_XS, gguf.MXFP4, gguf.NVFP4} {
		b.Run("gguf/"+kind.String(), func(b *testing.B) {
			benchmarkTypes(b, lookup(b, open(b, ggufMatrix(b, kind)), "m.weight"))
		})
	}
}

// ggufMatrix writes a matrix of blocks.
func ggufMatrix(b *testing.B, kind gguf.Type) string {
	const n = benchmarkedSide
	path := filepath.Join(b.TempDir(), "m.gguf")
	w, err := gguf.Create(path, nil, []gguf.Info{{Name: "m.weight", Type: kind, Shape: []int{n, n}}})
	require.NoError(b, err)
	x, r := make([]float32, 1<<16), rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	blocks := make([]byte, kind.Bytes(len(x)))
	gguf.Quantize(blocks, x, gguf.Blocks{Type: kind, Row: n})
	for off := int64(0); off < w.Tensors()[0].Size; off += int64(len(blocks)) {
		require.NoError(b, w.WriteTensor("m.weight", blocks, off))
	}
	require.NoError(b, w.Commit())
	return path
}

func benchmarkTypes(b *testing.B, x *Tensor) {
	for name, rows := range map[string]int{"rows": benchmarkedRows, "row": 1} {
		b.Run("float32/"+name, func(b *testing.B) { benchmarkRows[float32](b, x, rows) })
		b.Run("float16/"+name, func(b *testing.B) { benchmarkRows[float16.Float16](b, x, rows) })
		b.Run("bfloat16/"+name, func(b *testing.B) { benchmarkRows[bf16.BFloat16](b, x, rows) })
	}
}

// benchmarkRows reads so many rows at a time, and copies as many in turn. The least of all rounds counts.
func benchmarkRows[T kernels.Float](b *testing.B, x *Tensor, rows int) {
	dst, all := make([]T, rows*x.RowLen()), max(rows, benchmarkedRows/8)
	first := 0
	round := func(do func(first int) error) time.Duration {
		begin := time.Now()
		for at := 0; at < all; at += rows {
			if err := do(first + at); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(begin)
	}
	copying := func(first int) error { return copyRowsOf(x, bytesOf(dst), first, rows) }
	reading := func(first int) error { return ReadRows(x, dst, first) }
	took, copied := round(reading), round(copying)
	b.ReportAllocs()
	for b.Loop() {
		copied, took = min(copied, round(copying)), min(took, round(reading))
		first = (first + all) % x.Rows()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took.Nanoseconds())/float64(all*x.RowLen()), "ns/weight")
	b.ReportMetric(float64(took)/float64(copied), "copies")
}

// copyPiece stays in a core's cache.
var copyPiece [64 << 10]byte

// copyRowsOf reads as many bytes of each part as fall to some rows, and fills dst with what was read.
func copyRowsOf(x *Tensor, dst []byte, first, rows int) error {
	all := int64(x.Rows())
	stored := int64(0)
	for _, p := range x.Parts() {
		stored += p.Size*int64(first+rows)/all - p.Size*int64(first)/all
	}
	written, read := int64(0), int64(0)
	for _, p := range x.Parts() {
		end := p.Size * int64(first+rows) / all
		for off := p.Size * int64(first) / all; off < end; {
			piece := copyPiece[:min(end-off, int64(len(copyPiece)))]
			if err := p.File.ReadTensor(p.Name, piece, off); err != nil {
				return err
			}
			off, read = off+int64(len(piece)), read+int64(len(piece))
			for to := int64(len(dst)) * read / stored; written < to; {
				written += int64(copy(dst[written:to], piece))
			}
		}
	}
	return nil
}
