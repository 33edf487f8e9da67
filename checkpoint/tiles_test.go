package checkpoint

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// Matrices of several tiles and of parts of them, read by every implementation in every element type, as a whole and in runs of rows that begin
// within a word and within a tile.
func TestTransposedTiles(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	check := func(t *testing.T, x *Tensor, want []float32) {
		t.Helper()
		before := kernels.Implementation()
		defer func() { require.NoError(t, kernels.Use(before)) }()
		half, brain := make([]float16.Float16, len(want)), make([]bf16.BFloat16, len(want))
		narrow(half, want)
		narrow(brain, want)
		toggleEndian(half)
		toggleEndian(brain)
		for _, name := range kernels.Implementations() {
			require.NoError(t, kernels.Use(name))
			for dtype, rounded := range map[safetensors.DType][]byte{safetensors.F32: floatBytes(want), safetensors.F16: bytesOf(half), safetensors.BF16: bytesOf(brain)} {
				for _, rows := range []int{x.Rows(), 67} {
					require.True(t, bytes.Equal(rounded, readAs(t, x, dtype, rows)), "%s: %v, %d rows at a time", name, dtype, rows)
				}
			}
		}
	}
	// codes, zero points and scales of groups of inputs, by input and output, and what comes of them.
	matrix := func(in, out, size, most int, index []int32) (codes, zeros []int, scales []float16.Float16, want []float32) {
		codes, zeros, scales, want = make([]int, in*out), make([]int, in/size*out), make([]float16.Float16, in/size*out), make([]float32, in*out)
		for i := range zeros {
			zeros[i], scales[i] = r.IntN(most), float16.Fromfloat32(r.Float32()+.1)
		}
		for i := range codes {
			codes[i] = r.IntN(most + 1)
			g := int(index[i/out])*out + i%out
			want[i%out*in+i/out] = float32(codes[i]-zeros[g]) * scales[g].Float32()
		}
		return codes, zeros, scales, want
	}
	for _, c := range []struct{ in, out, size int }{{600, 320, 24}, {24, 16, 12}} {
		t.Run(fmt.Sprintf("awq %d", c.in), func(t *testing.T) {
			codes, zeros, scales, want := matrix(c.in, c.out, c.size, 15, evenIndex(c.in, c.size))
			pack := func(values []int) []int32 {
				words := make([]int32, len(values)/8)
				for i, v := range values {
					words[i/8] |= int32(v) << (4 * awqNibble[i%8])
				}
				return words
			}
			check(t, lookup(t, open(t, folder(t, fmt.Sprintf(`{"quantization_config":{"quant_method":"awq","bits":4,"group_size":%d}}`, c.size), tensors{
				"m.qweight": of(safetensors.I32, []int{c.in, c.out / 8}, pack(codes)...), "m.qzeros": of(safetensors.I32, []int{c.in / c.size, c.out / 8}, pack(zeros)...),
				"m.scales": of(safetensors.F16, []int{c.in / c.size, c.out}, scales...),
			})), "m.weight"), want)
		})
	}
	gptq := func(bits int, mixed bool) {
		t.Run(fmt.Sprintf("gptq %d mixed %v", bits, mixed), func(t *testing.T) {
			in, out, size := 33*128/bits/32*32, 160, 32
			index := evenIndex(in, size)
			if mixed {
				r.Shuffle(in, func(i, j int) { index[i], index[j] = index[j], index[i] })
			}
			codes, zeros, scales, want := matrix(in, out, size, 1<<bits-1, index)
			words := make([]int32, in*bits/32*out)
			for o := range out {
				column := make([]int, in)
				for i := range column {
					column[i] = codes[i*out+o]
				}
				for w, v := range bitStream(column, bits) {
					words[w*out+o] = v
				}
			}
			var zeroWords []int32
			for g := range in / size {
				zeroWords = append(zeroWords, bitStream(zeros[g*out:][:out], bits)...)
			}
			check(t, lookup(t, open(t, folder(t, fmt.Sprintf(`{"quantization_config":{"quant_method":"gptq","bits":%d,"group_size":%d,"checkpoint_format":"gptq_v2"}}`, bits, size), tensors{
				"m.qweight": of(safetensors.I32, []int{in * bits / 32, out}, words...), "m.qzeros": of(safetensors.I32, []int{in / size, out * bits / 32}, zeroWords...),
				"m.scales": of(safetensors.F16, []int{in / size, out}, scales...), "m.g_idx": of(safetensors.I32, []int{in}, index...),
			})), "m.weight"), want)
		})
	}
	for _, bits := range []int{2, 3, 4, 8} {
		gptq(bits, false)
		gptq(bits, true)
	}
	// Integers of compressed-tensors with groups in any order, whose scales may be anything.
	for bits := 2; bits <= 9; bits++ {
		t.Run(fmt.Sprintf("g_idx %d", bits), func(t *testing.T) {
			const rows, cols, size = 150, 333, 37
			config, bits, packed := "pack-quantized", bits, true
			if bits == 9 {
				config, bits, packed = "int-quantized", 8, false
			}
			index := evenIndex(cols, size)
			r.Shuffle(cols, func(i, j int) { index[i], index[j] = index[j], index[i] })
			scales := make([]float32, rows*cols/size)
			for i := range scales {
				scales[i] = r.Float32() - .3
			}
			copy(scales, []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, negativeZero})
			codes, words, want := make([]int, rows*cols), []int32{}, make([]float32, rows*cols)
			for i := range codes {
				codes[i] = r.IntN(1 << bits)
				scale := scales[i/cols*(cols/size)+int(index[i%cols])]
				if want[i] = float32(codes[i]-1<<(bits-1)) * scale; want[i] != want[i] {
					want[i] = nan
				}
			}
			all := tensors{"m.weight_scale": of(safetensors.F32, []int{rows, cols / size}, scales...), "m.weight_g_idx": of(safetensors.I32, []int{cols}, index...)}
			if packed {
				for i := range rows {
					words = append(words, bitStream(codes[i*cols:][:cols], bits)...)
				}
				all["m.weight_packed"] = of(safetensors.I32, []int{rows, len(words) / rows}, words...)
				all["m.weight_shape"] = of(safetensors.I64, []int{2}, int64(rows), cols)
			} else {
				signed := make([]int8, len(codes))
				for i, q := range codes {
					signed[i] = int8(q - 1<<7)
				}
				all["m.weight"] = of(safetensors.I8, []int{rows, cols}, signed...)
			}
			check(t, lookup(t, open(t, folder(t, ctConfig(config, fmt.Sprintf(`"num_bits":%d,"type":"int","strategy":"group","group_size":%d`, bits, size)), all)), "m.weight"), want)
		})
	}
	t.Run("gpt-oss", func(t *testing.T) {
		const out, blocks = mxOutputs + 77, mxBlocks + 3
		codes, scales, want := make([]uint8, out*blocks*16), make([]uint8, out*blocks), make([]float32, out*blocks*32)
		for i := range codes {
			codes[i] = uint8(r.IntN(256))
		}
		for i := range scales {
			scales[i] = uint8(120 + r.IntN(9))
		}
		for i := range want {
			o, in := i%out, i/out
			c := codes[o*blocks*16+in/2] >> (in % 2 * 4) & 15
			want[i] = float32(math.Ldexp(float64(fp4.E2M1(c).Float32()), int(scales[o*blocks+in/32])-127))
		}
		check(t, lookup(t, open(t, folder(t, "", tensors{"m_blocks": of(safetensors.U8, []int{1, out, blocks, 16}, codes...), "m_scales": of(safetensors.U8, []int{1, out, blocks}, scales...)})), "m"), want)
	})
}
