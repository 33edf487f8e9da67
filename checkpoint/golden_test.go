package checkpoint

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

// transpose transposes a matrix of elements of two bytes.
func transpose(data []byte, rows, cols int) []byte {
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
		assert.Equal(t, transpose(want.data, 128, 64), readAs(t, x, safetensors.F16, rows))
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
