package checkpoint

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/safetensors"
)

// bitStream writes codes as a little-endian bit stream of 32-bit words.
func bitStream(codes []int, bits int) []int32 {
	words := make([]uint32, (len(codes)*bits+31)/32)
	for i, q := range codes {
		for b := range bits {
			words[(i*bits+b)/32] |= uint32(q>>b&1) << ((i*bits + b) % 32)
		}
	}
	out := make([]int32, len(words))
	for i, w := range words {
		out[i] = int32(w)
	}
	return out
}

// ctConfig is a config.json of compressed-tensors with one group.
func ctConfig(format, weights string) string {
	return fmt.Sprintf(`{"quantization_config":{"quant_method":"compressed-tensors","format":%q,"ignore":["lm_head"],"config_groups":{"group_0":{"targets":["Linear"],"weights":{%s}}}}}`, format, weights)
}

// floatBytes are numbers as they are stored.
func floatBytes(x []float32) []byte {
	return of(safetensors.F32, nil, x...).data
}

func TestPackQuantized(t *testing.T) {
	const rows, cols, group = 21, 64, 16
	r := rand.New(rand.NewPCG(1, 2))
	for bits := 2; bits <= 8; bits++ {
		for _, strategy := range []string{"group", "channel", "tensor"} {
			for variant := range 5 {
				unpacked, actOrder, odd := variant == 4, variant == 2, variant == 3
				asymmetric := variant == 1 || unpacked
				if actOrder && strategy != "group" || unpacked && strategy != "tensor" {
					continue
				}
				groupRows, groupCols, size := rows, 1, cols
				switch strategy {
				case "group":
					groupCols, size = cols/group, group
				case "tensor":
					groupRows = 1
				}
				codes, zeros := make([]int, rows*cols), make([]int, groupRows*groupCols)
				scale := make([]bf16.BFloat16, len(zeros))
				for i := range codes {
					codes[i] = r.IntN(1 << bits)
				}
				for i := range zeros {
					zeros[i] = 1 << (bits - 1)
					if asymmetric {
						zeros[i] = r.IntN(1 << bits)
					}
					scale[i] = bf16.FromFloat32(r.Float32() + .01)
					if odd && i%3 == 0 {
						scale[i] = bf16.FromFloat32(-r.Float32())
					}
				}
				index := make([]int32, cols)
				for i := range index {
					index[i] = int32(i / size)
				}
				if actOrder {
					r.Shuffle(cols, func(i, j int) { index[i], index[j] = index[j], index[i] })
				}

				want := make([]float32, rows*cols)
				packed := []int32{}
				for i := range rows {
					packed = append(packed, bitStream(codes[i*cols:][:cols], bits)...)
					for j := range cols {
						g := min(i, groupRows-1)*groupCols + int(index[j])
						want[i*cols+j] = float32(codes[i*cols+j]-zeros[g]) * scale[g].Float32()
					}
				}
				scaleShape := []int{groupRows, groupCols}
				if strategy == "tensor" {
					scaleShape = []int{1}
				}
				all := tensors{
					"m.weight_packed": of(safetensors.I32, []int{rows, len(packed) / rows}, packed...),
					"m.weight_scale":  of(safetensors.BF16, scaleShape, scale...),
					"m.weight_shape":  of(safetensors.I64, []int{2}, int64(rows), cols),
				}
				if asymmetric {
					words := (groupRows*bits + 31) / 32
					zero := make([]int32, words*groupCols)
					for c := range groupCols {
						column := make([]int, groupRows)
						for i := range column {
							column[i] = zeros[i*groupCols+c]
						}
						for w, v := range bitStream(column, bits) {
							zero[w*groupCols+c] = v
						}
					}
					all["m.weight_zero_point"] = of(safetensors.I32, []int{words, groupCols}, zero...)
					if unpacked { // as the library has those of a whole tensor
						all["m.weight_zero_point"] = of(safetensors.I8, []int{1}, int8(zeros[0]-1<<(bits-1)))
					}
				}
				if actOrder {
					all["m.weight_g_idx"] = of(safetensors.I32, []int{cols}, index...)
				}
				c := open(t, folder(t, ctConfig("pack-quantized", fmt.Sprintf(`"num_bits":%d,"type":"int","symmetric":%v,"strategy":%q,"group_size":%d`, bits, !asymmetric, strategy, group)), all))
				require.NoError(t, c.Err())
				x := lookup(t, c, "m.weight")
				assert.Equal(t, []int{rows, cols}, x.Shape())
				assert.Equal(t, bits, x.Scheme().Bits)
				for _, n := range []int{rows, 1, 5} {
					require.Equal(t, floatBytes(want), readAs(t, x, safetensors.F32, n), "%d bits, %s, variant %d, %d rows", bits, strategy, variant, n)
				}
			}
		}
	}
}

func TestOtherCompressedTensors(t *testing.T) {
	const rows, cols = 5, 96
	r := rand.New(rand.NewPCG(3, 4))
	n := rows * cols
	bytes, exponents := make([]uint8, n), make([]uint8, n/32)
	for i := range bytes {
		bytes[i] = uint8(r.IntN(256))
		if bytes[i]&0x7f == 0x7f {
			bytes[i] = 0
		}
	}
	for i := range exponents {
		exponents[i] = uint8(100 + r.IntN(50))
	}
	power := func(i int) float32 { return float32(math.Ldexp(1, int(exponents[i/32])-127)) }
	e4m3 := func(i int) float32 { return fp8.E4M3FN(bytes[i]).Float32() }
	zero := []int8{3, -7, 127, -128, 0}
	scale := []float32{.5, .25, 1.0 / 3, 7, 1e-3}

	six := make([]float32, n)
	stream := make([]uint8, 0, n/4*3)
	for i := range n {
		code := int(bytes[i] & 63)
		exponent, mantissa := code>>3&3, float64(code&7)
		v := mantissa / 8
		if exponent > 0 {
			v = math.Ldexp(1+mantissa/8, exponent-1)
		}
		six[i] = float32(math.Copysign(v, float64(1-2*(code>>5)))) * power(i)
		if i%4 == 3 {
			w := uint32(bytes[i-3]&63) | uint32(bytes[i-2]&63)<<6 | uint32(bytes[i-1]&63)<<12 | uint32(bytes[i]&63)<<18
			stream = append(stream, uint8(w), uint8(w>>8), uint8(w>>16))
		}
	}
	values := func(f func(i int) float32) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = f(i)
		}
		return x
	}
	scales := of(safetensors.U8, []int{rows, cols / 32}, exponents...)
	e4m3Codes := of(safetensors.F8_E4M3, []int{rows, cols}, bytes...)
	for _, c := range []struct {
		format, weights string
		all             tensors
		want            []float32
	}{
		{"mxfp6-pack-quantized", `"num_bits":6,"type":"float","strategy":"group","group_size":32`,
			tensors{"m.weight_packed": of(safetensors.U8, []int{rows, cols / 4 * 3}, stream...), "m.weight_scale": scales}, six},
		{"mxfp8-quantized", `"num_bits":8,"type":"float","strategy":"group","group_size":32`,
			tensors{"m.weight": e4m3Codes, "m.weight_scale": scales},
			values(func(i int) float32 { return e4m3(i) * power(i) })},
		{"float-quantized", `"num_bits":8,"type":"float","strategy":"tensor"`,
			tensors{"m.weight": e4m3Codes, "m.weight_scale": of(safetensors.F32, []int{1}, float32(.3)), "m.input_scale": of(safetensors.F32, []int{1}, float32(9))},
			values(func(i int) float32 { return e4m3(i) * .3 })},
		{"float-quantized", `"num_bits":8,"type":"float","strategy":"block","block_structure":[2,40]`,
			tensors{"m.weight": e4m3Codes, "m.weight_scale": of(safetensors.F32, []int{3, 3}, append(scale, 11, 12, 13, 14)...)},
			values(func(i int) float32 { return e4m3(i) * append(scale, 11, 12, 13, 14)[i/cols/2*3+i%cols/40] })},
		{"naive-quantized", `"num_bits":8,"type":"int","symmetric":false,"strategy":"channel"`,
			tensors{"m.weight": of(safetensors.I8, []int{rows, cols}, bytes...), "m.weight_scale": of(safetensors.F32, []int{rows, 1}, scale...), "m.weight_zero_point": of(safetensors.I8, []int{rows, 1}, zero...)},
			values(func(i int) float32 { return float32(int(int8(bytes[i]))-int(zero[i/cols])) * scale[i/cols] })},
		{"int-quantized", `"num_bits":8,"type":"int","symmetric":true,"strategy":"group","group_size":40`,
			tensors{"m.weight": of(safetensors.I8, []int{rows, cols}, bytes...), "m.weight_scale": of(safetensors.F32, []int{rows, 3}, append(scale, append(scale, scale...)...)...)},
			values(func(i int) float32 {
				return float32(int8(bytes[i])) * append(scale, append(scale, scale...)...)[i/cols*3+i%cols/40]
			})},
	} {
		x := lookup(t, open(t, folder(t, ctConfig(c.format, c.weights), c.all)), "m.weight")
		assert.Equal(t, []int{rows, cols}, x.Shape())
		for _, k := range []int{rows, 1, 2} {
			require.Equal(t, floatBytes(c.want), readAs(t, x, safetensors.F32, k), "%s %s", c.format, c.weights)
		}
	}
}

// Integers that never were quantized are what they are, where ignore names them.
func TestIgnoredIntegers(t *testing.T) {
	c := open(t, folder(t, ctConfig("int-quantized", `"num_bits":8,"type":"int"`), tensors{"lm_head.weight": of(safetensors.I8, []int{1, 2}, int8(1), int8(2))}))
	require.NoError(t, c.Err())
	assert.False(t, lookup(t, c, "lm_head.weight").Quantized())
}

// A block may be larger than any axis: then the axis is whole.
func TestHugeBlocks(t *testing.T) {
	most := strconv.Itoa(math.MaxInt)
	scale := of(safetensors.F32, []int{1, 1}, float32(0.5))
	for _, c := range []struct {
		config string
		all    tensors
	}{
		{ctConfig("int-quantized", `"num_bits":8,"type":"int","strategy":"group","group_size":`+most),
			tensors{"m.weight": of(safetensors.I8, []int{1, 3}, int8(2), int8(-4), int8(6)), "m.weight_scale": scale}},
		{ctConfig("int-quantized", `"num_bits":8,"type":"int","strategy":"block","block_structure":[`+most+`,`+most+`]`),
			tensors{"m.weight": of(safetensors.I8, []int{3, 1}, int8(2), int8(-4), int8(6)), "m.weight_scale": scale}},
		{`{"quantization_config":{"quant_method":"fp8","weight_block_size":[` + most + `,` + most + `]}}`,
			tensors{"m.weight": of(safetensors.F8_E4M3, []int{3, 1}, uint8(0x40), uint8(0xc8), uint8(0x4c)), "m.weight_scale_inv": scale}},
	} {
		ckpt := open(t, folder(t, c.config, c.all))
		require.NoError(t, ckpt.Err())
		w := lookup(t, ckpt, "m.weight")
		require.NoError(t, w.Err())
		assert.Equal(t, floatBytes([]float32{1, -2, 3}), readAs(t, w, safetensors.F32, 2), c.config)
	}
}

// What Python writes for the numbers that JSON lacks, and numbers of any size, go through a config.json as they are.
func TestNumbersOfConfig(t *testing.T) {
	all := tensors{"m.weight": of(safetensors.F32, []int{2, 2}, float32(1), -2, 3, 4)}
	numbers := `{"torch_dtype":"float16","text_config":{"limit":[0.0,Infinity , -Infinity,NaN],"quantization_config":null},"huge":1e400,"text":"a \"NaN, Infinity\\"}`
	c := open(t, folder(t, numbers, all))
	p, err := NewPlan(c, ctJob(t, "w8a8"), 100)
	require.NoError(t, err)
	kept := []string{"0.0,\n      Infinity,\n      -Infinity,\n      NaN\n", `"huge": 1e400`, `"text": "a \"NaN, Infinity\\"`}
	for _, want := range kept {
		assert.Contains(t, string(p.Config), want)
	}
	dir := filepath.Join(t.TempDir(), "out")
	require.NoError(t, p.WriteFolder(context.Background(), dir, WriteOptions{Workers: 1}))
	p, err = NewPlan(open(t, dir), Dequantization{}, 100)
	require.NoError(t, err)
	for _, want := range kept {
		assert.Contains(t, string(p.Config), want)
	}
	assert.NotContains(t, string(p.Config), "quantization_config")
	for _, wrong := range []string{`{"a":Inf}`, `{"a":-NaN}`, `{"a":1Infinity}`, `{Infinity:1}`, `{"a":infinity}`, `{"a" Infinity}`} {
		_, err := Open(folder(t, wrong, all))
		assert.ErrorContains(t, err, "config.json: invalid character", wrong)
	}
}

// The key that config.json had once says the same, without a quant_method, and goes when the model is plain again.
func TestOlderConfig(t *testing.T) {
	config := ctConfig("int-quantized", `"num_bits":8,"type":"int","strategy":"channel"`)
	all := tensors{"m.weight": of(safetensors.I8, []int{1, 2}, int8(3), int8(-4)), "m.weight_scale": of(safetensors.F32, []int{1, 1}, float32(0.5))}
	older := strings.NewReplacer(`"quantization_config"`, `"compression_config"`, `"quant_method":"compressed-tensors",`, "").Replace(config)
	require.NotContains(t, older, "quant_method")
	for _, text := range []string{config, older, `{"model_type":"m","text_config":` + older + `}`} {
		c := open(t, folder(t, text, all))
		require.NoError(t, c.Err())
		assert.Equal(t, "compressed-tensors", c.Method())
		assert.Equal(t, floatBytes([]float32{1.5, -2}), readAs(t, lookup(t, c, "m.weight"), safetensors.F32, 1))
		p, err := NewPlan(c, Dequantization{}, 100)
		require.NoError(t, err)
		assert.NotContains(t, string(p.Config), "config_groups")
	}
}
