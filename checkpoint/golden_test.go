package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/internal/golden"
	"github.com/lowbit-go/lowbit/internal/race"
	"github.com/lowbit-go/lowbit/safetensors"
)

func TestCompressedTensorsGolden(t *testing.T) {
	source := open(t, "testdata/ct/source")
	for scheme, tensors := range digests(t) {
		if scheme == "gptq" {
			continue
		}
		t.Run(scheme, func(t *testing.T) {
			c := open(t, filepath.Join("testdata/ct", scheme))
			require.NoError(t, c.Err())
			assert.Equal(t, "compressed-tensors", c.Method())
			assert.Len(t, c.Tensors(), len(source.Tensors()))
			for _, x := range source.Tensors() {
				got := lookup(t, c, x.Name())
				assert.Equal(t, x.Shape(), got.Shape(), x.Name())
				assert.Equal(t, safetensors.BF16, got.DType(), x.Name())
				want, quantized := tensors[x.Name()]
				require.Equal(t, quantized, got.Quantized(), x.Name())
				if quantized {
					checkDigests(t, got, want)
				} else {
					assert.Equal(t, readAs(t, x, safetensors.BF16, 1), readAs(t, got, safetensors.BF16, 3))
				}
			}
		})
	}
}

// part returns the tensors with a prefix, without it.
func (all tensors) part(prefix, as string) tensors {
	some := tensors{}
	for name, x := range all {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			some[as+rest] = x
		}
	}
	return some
}

// cast returns a tensor with its bytes as those of another type.
func (x raw) cast(dtype safetensors.DType) raw { return raw{dtype, x.shape, x.data} }

func TestGPTQGolden(t *testing.T) {
	hf, want := loadFile(t, "testdata/hf.safetensors"), digests(t)["gptq"]
	for _, bits := range []string{"2", "3", "4", "8"} {
		for version, format := range map[string]string{"v1": "gptq", "v2": "gptq_v2"} {
			c := open(t, folder(t, `{"quantization_config":{"quant_method":"gptq","bits":`+bits+`,"group_size":32,"desc_act":false,"checkpoint_format":"`+format+`"}}`,
				hf.part("gptq"+bits+"."+version+".", "m.")))
			x := lookup(t, c, "m.weight")
			assert.Equal(t, []int{64, 128}, x.Shape())
			assert.Equal(t, safetensors.F16, x.DType())
			assert.Len(t, c.Tensors(), 1)
			checkDigests(t, x, want["gptq"+bits+"."+version])
		}
	}
}

// transposed is a matrix of elements of two bytes, transposed.
func transposed(data []byte, rows, cols int) []byte {
	out := make([]byte, len(data))
	for r := range rows {
		for c := range cols {
			copy(out[2*(c*rows+r):][:2], data[2*(r*cols+c):][:2])
		}
	}
	return out
}

func TestAWQGolden(t *testing.T) {
	all := loadFile(t, "testdata/hf.safetensors").part("awq4.", "m.")
	want := all["m.dequant"]
	delete(all, "m.dequant")
	c := open(t, folder(t, `{"quantization_config":{"quant_method":"awq","bits":4,"group_size":32,"version":"gemm","zero_point":true}}`, all))
	x := lookup(t, c, "m.weight")
	assert.Equal(t, []int{64, 128}, x.Shape())
	for _, rows := range []int{64, 1, 8, 13} {
		assert.Equal(t, transposed(want.data, 128, 64), readAs(t, x, safetensors.F16, rows))
	}
}

func TestBitsAndBytesGolden(t *testing.T) {
	hf := loadFile(t, "testdata/hf.safetensors")
	for name, dtype := range map[string]safetensors.DType{"f32": safetensors.F32, "f16": safetensors.F16, "bf16": safetensors.BF16} {
		for _, kind := range []string{"nf4", "fp4", "nf4.nested", "fp4.nested"} {
			prefix := "bnb." + name + "." + kind + "."
			all := tensors{}
			for name, x := range hf.part(prefix, "m.") {
				if strings.HasPrefix(name, "m.weight") {
					all[name] = x
				}
			}
			c := open(t, folder(t, "", all))
			require.NoError(t, c.Err())
			x := lookup(t, c, "m.weight")
			assert.Equal(t, []int{12, 192}, x.Shape())
			assert.Equal(t, dtype, x.DType())
			for _, rows := range []int{12, 1, 5} {
				require.Equal(t, hf[prefix+"dequant"].data, readAs(t, x, dtype, rows), prefix)
			}
		}
	}
	c := open(t, folder(t, `{"quantization_config":{"quant_method":"bitsandbytes","load_in_8bit":true}}`,
		tensors{"m.weight": hf["bnb.int8.weight"], "m.SCB": hf["bnb.int8.SCB"]}))
	assert.Equal(t, hf["bnb.int8.dequant"].data, readAs(t, lookup(t, c, "m.weight"), safetensors.F32, 5))
}

// TestBitsAndBytesBlocks reads codes of eight bits in blocks that do not divide their number, as the magnitudes of blocks of ones.
func TestBitsAndBytesBlocks(t *testing.T) {
	cases, err := golden.Calibration("bnb")
	require.NoError(t, err)
	for _, c := range cases {
		var params struct{ Block int }
		require.NoError(t, json.Unmarshal(c.Params, &params))
		stored := func(dtype safetensors.DType, field string) raw {
			x := c.Tensor(field)
			return raw{dtype, x.Shape, x.Data}
		}
		codes, twice := stored(safetensors.U8, "codes"), []byte{}
		for v := range slices.Chunk(c.Tensor("back").Data, 4) {
			twice = append(append(twice, v...), v...)
		}
		n := len(codes.data)
		x := lookup(t, open(t, folder(t, "", tensors{
			"m.weight":                  {safetensors.U8, []int{n, 1}, bytes.Repeat([]byte{0xff}, n)},
			"m.weight.absmax":           codes,
			"m.weight.quant_map":        of(safetensors.F32, []int{16}, nf4Table[:]...),
			"m.weight.nested_absmax":    stored(safetensors.F32, "absmax"),
			"m.weight.nested_quant_map": stored(safetensors.F32, "code"),
			"m.weight.quant_state.bitsandbytes__nf4": text(fmt.Sprintf(
				`{"quant_type":"nf4","blocksize":2,"dtype":"float32","shape":[%d,2],"nested_blocksize":%d,"nested_dtype":"float32","nested_offset":0}`, n, params.Block)),
		})), "m.weight")
		for _, rows := range []int{n, 1, 33} {
			require.Equal(t, twice, readAs(t, x, safetensors.F32, rows), c.Name)
		}
	}
}

func TestFP8Golden(t *testing.T) {
	hf := loadFile(t, "testdata/hf.safetensors")
	const config = `{"dtype":"bfloat16","quantization_config":{"quant_method":"fp8","fmt":"e4m3","weight_block_size":[128,128]}}`
	for _, kind := range []string{"float", "ue8m0"} {
		weight, scale := hf["fp8block."+kind+".weight"].cast(safetensors.F8_E4M3), hf["fp8block."+kind+".weight_scale_inv"]
		scales := []raw{scale}
		if kind == "ue8m0" {
			scales = append(scales, scale.cast(safetensors.F8_E8M0))
		}
		for _, scale := range scales {
			c := open(t, folder(t, config, tensors{"m.weight": weight, "m.weight_scale_inv": scale}))
			x := lookup(t, c, "m.weight")
			assert.Equal(t, safetensors.BF16, x.DType())
			for _, rows := range []int{128, 1, 50} {
				require.Equal(t, hf["fp8block."+kind+".dequant.bf16"].data, readAs(t, x, safetensors.BF16, rows))
			}
		}
	}
}

func TestGPTOSSGolden(t *testing.T) {
	hf := loadFile(t, "testdata/hf.safetensors")
	c := open(t, folder(t, `{"quantization_config":{"quant_method":"mxfp4"}}`,
		tensors{"m.experts.gate_up_proj_blocks": hf["gptoss.blocks"], "m.experts.gate_up_proj_scales": hf["gptoss.scales"]}))
	x := lookup(t, c, "m.experts.gate_up_proj")
	assert.Equal(t, []int{2, 96, 32}, x.Shape())
	for _, rows := range []int{192, 1, 31, 96} {
		require.Equal(t, hf["gptoss.dequant.f32"].data, readAs(t, x, safetensors.F32, rows))
		require.Equal(t, hf["gptoss.dequant.bf16"].data, readAs(t, x, safetensors.BF16, rows))
	}
}

func TestGGUFGolden(t *testing.T) {
	want := loadFile(t, "../gguf/testdata/tiny.safetensors")
	for _, name := range []string{"tiny_a32.gguf", "tiny_a64.gguf"} {
		path := filepath.Join("../gguf/testdata", name)
		c := open(t, path)
		require.NoError(t, c.Err())
		assert.Equal(t, GGUF, c.Kind())
		assert.Equal(t, "gguf", c.Method())
		assert.NotEmpty(t, c.Tensors())
		for _, x := range c.Tensors() {
			if w, ok := want[x.Name()]; ok {
				assert.Equal(t, w.shape, x.Shape(), x.Name())
				assert.Equal(t, w.data, readAs(t, x, safetensors.F32, 3), x.Name())
			}
		}
		out := filepath.Join(t.TempDir(), "out.safetensors")
		require.NoError(t, plan(t, path, Dequantization{}, 100).WriteFile(context.Background(), out, WriteOptions{Workers: 2}))
		got := loadFile(t, out)
		assert.Len(t, got, len(c.Tensors()))
		for name, w := range want {
			assert.Equal(t, w, got[name], name)
		}
		some := plan(t, path, Dequantization{Select: func(x *Tensor) bool { return !x.Quantized() }}, 100)
		require.NoError(t, some.WriteFile(context.Background(), out, WriteOptions{}))
		for name := range loadFile(t, out) {
			x, _ := c.Lookup(name)
			assert.False(t, x.Quantized(), name)
		}
	}
	_, err := NewPlan(open(t, "../gguf/testdata/tiny_a32.gguf"), ctJob(t, "w8a8"), 100)
	assert.ErrorContains(t, err, "is in a GGUF file: compressed-tensors is made of safetensors")
}

func TestGGUFOfUnknownType(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	w, err := gguf.Create(path, nil, []gguf.Info{
		{Name: "a", Type: gguf.F16, Shape: []int{2}}, {Name: "b", Type: gguf.IQ1_S, Shape: []int{256}}, {Name: "c", Type: gguf.I32, Shape: []int{1}},
	})
	require.NoError(t, err)
	for _, x := range w.Tensors() {
		require.NoError(t, w.WriteTensor(x.Name, make([]byte, x.Size), 0))
	}
	require.NoError(t, w.Commit())
	c := open(t, path)
	_, err = NewPlan(c, Dequantization{}, 100)
	assert.EqualError(t, err, path+`: tensor "b": is of the type IQ1_S, which is not supported: leave it out with --exclude`)
	p, err := NewPlan(c, Dequantization{DType: safetensors.BF16, Select: func(x *Tensor) bool { return x.Name() != "b" }}, 100)
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "out.safetensors")
	require.NoError(t, p.WriteFile(context.Background(), out, WriteOptions{}))
	assert.Equal(t, tensors{"a": {safetensors.BF16, []int{2}, make([]byte, 4)}, "c": {safetensors.I32, []int{1}, make([]byte, 4)}}, loadFile(t, out))
}

func TestGPTQInAnyOrder(t *testing.T) {
	const in, out, size = 64, 32, 16
	r := rand.New(rand.NewPCG(9, 9))
	for _, bits := range []int{2, 3, 4, 8} {
		for _, shuffled := range []bool{false, true} {
			codes, zeros, scale := make([]int, out*in), make([]int, out*in/size), make([]float16.Float16, out*in/size)
			index := make([]int32, in)
			for i := range codes {
				codes[i] = r.IntN(1 << bits)
			}
			for i := range zeros {
				zeros[i], scale[i] = r.IntN(1<<bits), float16.Fromfloat32(r.Float32()+.1)
			}
			for i := range index {
				index[i] = int32(i / size)
			}
			if shuffled {
				r.Shuffle(in, func(i, j int) { index[i], index[j] = index[j], index[i] })
			}
			want := make([]float32, out*in)
			words := in * bits / 32
			packed := make([]int32, words*out)
			zeroWords := []int32{}
			for o := range out {
				for w, v := range bitStream(codes[o*in:][:in], bits) {
					packed[w*out+o] = v
				}
				for i := range in {
					g := int(index[i])*out + o
					want[o*in+i] = float32(codes[o*in+i]-zeros[g]-1) * scale[g].Float32()
				}
			}
			for g := range in / size {
				zeroWords = append(zeroWords, bitStream(zeros[g*out:][:out], bits)...)
			}
			c := open(t, folder(t, fmt.Sprintf(`{"quantization_config":{"quant_method":"gptq","bits":%d,"group_size":%d,"desc_act":true}}`, bits, size), tensors{
				"m.qweight": of(safetensors.I32, []int{words, out}, packed...), "m.qzeros": of(safetensors.I32, []int{in / size, out * bits / 32}, zeroWords...),
				"m.scales": of(safetensors.F16, []int{in / size, out}, scale...), "m.g_idx": of(safetensors.I32, []int{in}, index...),
			}))
			require.NoError(t, c.Err())
			for _, rows := range []int{out, 1, 5} {
				require.Equal(t, floatBytes(want), readAs(t, lookup(t, c, "m.weight"), safetensors.F32, rows), "%d bits, shuffled %v", bits, shuffled)
			}
		}
	}
}

// TestGPTOSSLargestScale has 2^128, which is no NaN, and outputs that are no whole word.
func TestGPTOSSLargestScale(t *testing.T) {
	const out = 11
	codes, scales := make([]uint8, out*16), make([]uint8, out)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range codes {
		codes[i] = uint8(r.IntN(256))
	}
	for _, largest := range []uint8{254, 255} {
		want := make([]float32, 32*out)
		for o := range scales {
			scales[o] = uint8(120 + o)
			if o == 3 {
				scales[o] = largest
			}
			for i := range 32 {
				v := fp4.E2M1(codes[o*16+i/2] >> (i % 2 * 4) & 15).Float32()
				want[i*out+o] = float32(math.Ldexp(float64(v), int(scales[o])-127))
			}
		}
		c := open(t, folder(t, "", tensors{"m_blocks": of(safetensors.U8, []int{1, out, 1, 16}, codes...), "m_scales": of(safetensors.U8, []int{1, out, 1}, scales...)}))
		for _, rows := range []int{32, 5} {
			require.Equal(t, floatBytes(want), readAs(t, lookup(t, c, "m"), safetensors.F32, rows))
		}
	}
}

func TestReadRowsAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector makes pools forget")
	}
	for scheme, d := range damaged(t) {
		x := lookup(t, open(t, folder(t, d.config, d.all)), d.name)
		dst := make([]float32, 32*x.RowLen())
		n := min(len(dst)/x.RowLen(), x.Rows())
		read := func() {
			if err := ReadRows(x, dst[:n*x.RowLen()], 0); err != nil {
				t.Fatal(err)
			}
		}
		read()
		assert.Less(t, testing.AllocsPerRun(50, read), 1.0, scheme)
	}
}

func TestReadRowsFromSeveralGoroutines(t *testing.T) {
	for scheme, d := range damaged(t) {
		x := lookup(t, open(t, folder(t, d.config, d.all)), d.name)
		want := readAll[float32](t, x, x.Rows())
		var all sync.WaitGroup
		for k := range 4 {
			all.Go(func() { assert.Equal(t, want, readAll[float32](t, x, 3+k), scheme) })
		}
		all.Wait()
	}
}

// TestInt8OfAnyScale has scales that no kernel takes as they are: the sign of zero is that of the product.
func TestInt8OfAnyScale(t *testing.T) {
	codes := []int8{-3, 0, 127, -128}
	scales := []float32{0, -1, 1e-45, float32(math.Inf(1)), .5}
	all, want := []int8{}, []float32{}
	for _, s := range scales {
		for _, q := range codes {
			all, want = append(all, q), append(want, float32(float32(q)*s)*over127[0])
		}
	}
	want[13] = nan // 0 * Inf
	c := open(t, folder(t, `{"quantization_config":{"quant_method":"bitsandbytes"}}`, tensors{
		"m.weight": of(safetensors.I8, []int{len(scales), len(codes)}, all...), "m.SCB": of(safetensors.F32, []int{len(scales)}, scales...)}))
	for _, rows := range []int{len(scales), 1} {
		require.Equal(t, floatBytes(want), readAs(t, lookup(t, c, "m.weight"), safetensors.F32, rows))
	}
}
