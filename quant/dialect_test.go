package quant_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/golden"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	mxBlocks    = `"granularity":{"type":"per_block","axis":-1,"block_size":32}`
	nvfp4Blocks = `"granularity":{"type":"per_block","axis":1,"block_size":16}`
	e8m0Scales  = `"scale_dtype":"float8_e8m0fnu",`
	e4m3Scales  = `"scale_dtype":"float8_e4m3fn",`
)

// dialectCase is a tensor of the golden files, and what a spec makes of it.
type dialectCase struct {
	x, want, spec string // T stands for the element type
	packed        bool
}

var dialectCases = []dialectCase{
	{"finite.T.x", "mx.T.torchao.rceil.e4m3", `{"dtype":"float8_e4m3fn",` + e8m0Scales + `"scale_rule":"rceil",` + mxBlocks + `}`, false},
	{"finite.T.x", "mx.T.torchao.even.e5m2", `{"dtype":"float8_e5m2",` + e8m0Scales + `"scale_rule":"even","dialect":"torchao",` + mxBlocks + `}`, false},
	{"finite.T.x", "mx.T.torchao.floor.e2m3", `{"dtype":"float6_e2m3fn",` + mxBlocks + `}`, false},
	{"finite.T.x", "mx.T.torchao.ceil.e3m2", `{"dtype":"float6_e3m2fn","scale_rule":"ceil",` + mxBlocks + `}`, false},
	{"finite.T.x", "mx.T.torchao.ceil.e2m1", `{"dtype":"float4_e2m1fn","scale_rule":"ceil",` + mxBlocks + `}`, true},
	{"finite.T.x", "finite.T.modelopt.e2m1", `{"dtype":"float4_e2m1fn","dialect":"modelopt",` + mxBlocks + `}`, true},
	{"finite.T.x", "finite.T.modelopt.e4m3", `{"dtype":"float8_e4m3fn",` + e8m0Scales + `"dialect":"modelopt",` + mxBlocks + `}`, false},
	{"finite.T.x", "finite.T.compressed_tensors.e2m1", `{"dtype":"float4_e2m1fn","dialect":"compressed_tensors",` + mxBlocks + `}`, true},
	{"finite.T.x", "finite.T.compressed_tensors.e2m3", `{"dtype":"float6_e2m3fn","dialect":"compressed_tensors",` + mxBlocks + `}`, false},
	{"finite.T.x", "finite.T.compressed_tensors.e4m3", `{"dtype":"float8_e4m3fn",` + e8m0Scales + `"dialect":"compressed_tensors",` + mxBlocks + `}`, false},
	{"nv.T.normal.x", "nv.T.normal.torchao1", `{"dtype":"float4_e2m1fn",` + e4m3Scales + `"global_scale":false,` + nvfp4Blocks + `}`, true},
	{"nv.T.ties.x", "nv.T.ties.torchao", `{"dtype":"float4_e2m1fn",` + e4m3Scales + `"global_scale":true,` + nvfp4Blocks + `}`, true},
	{"nv.T.mixed.x", "nv.T.mixed.torchao", `{"dtype":"float4_e2m1fn",` + e4m3Scales + nvfp4Blocks + `}`, true},
	{"nv.T.mixed.x", "nv.T.mixed.modelopt", `{"dtype":"float4_e2m1fn",` + e4m3Scales + `"dialect":"modelopt",` + nvfp4Blocks + `}`, true},
	{"nv.T.huge.x", "nv.T.huge.compressed_tensors", `{"dtype":"float4_e2m1fn",` + e4m3Scales + `"dialect":"compressed_tensors",` + nvfp4Blocks + `}`, true},
	{"nv.T.ties.x", "nv.T.ties.compressed_tensors", `{"dtype":"float4_e2m1fn",` + e4m3Scales + `"dialect":"compressed_tensors_f32",` + nvfp4Blocks + `}`, true},
	{"int.T.x", "int.T.compressed_tensors.int8.sym", `{"dialect":"compressed_tensors",` + mxBlocks + `}`, false},
	{"int.T.x", "int.T.compressed_tensors.int4.asym", `{"dtype":"int4","qscheme":"asymmetric","dialect":"compressed_tensors",` + mxBlocks + `}`, false},
	{"int.T.x", "int.T.compressed_tensors_f32.int8.asym", `{"qscheme":"asymmetric","dialect":"compressed_tensors_f32",` + mxBlocks + `}`, false},
	{"int.T.x", "int.T.compressed_tensors.e4m3.sym", `{"dtype":"float8_e4m3fn","dialect":"compressed_tensors",` + mxBlocks + `}`, false},
	{"fp8.T.x", "fp8.T.float", `{"dtype":"float8_e4m3fn","dialect":"transformers","granularity":{"type":"per_block","block_size":[128,128]}}`, false},
	{"fp8.T.x", "fp8.T.e8m0", `{"dtype":"float8_e4m3fn","dialect":"transformers",` + e8m0Scales + `"granularity":{"type":"per_block","block_size":[128,128]}}`, false},
}

// TestDialects holds quantizers of every dialect against the tables.
func TestDialects(t *testing.T) {
	table, err := golden.Format("dialects")
	require.NoError(t, err)
	onEach(t, func(t *testing.T) {
		for _, c := range dialectCases {
			testDialect[float32](t, c, table, "f32")
			testDialect[bf16.BFloat16](t, c, table, "bf16")
		}
	})
}

func testDialect[T kernels.Float](t *testing.T, c dialectCase, table map[string]golden.Tensor, e string) {
	named := func(name string) golden.Tensor {
		name = strings.Replace(name, ".T.", "."+e+".", 1)
		require.Contains(t, table, name)
		return table[name]
	}
	in := named(c.x)
	x := quant.Tensor[T]{Data: golden.Values[T](in), Shape: in.Shape}
	what := fmt.Sprintf("%s of %s: %s", c.spec, e, c.want)
	scales, codes := named(c.want+".scale"), named(c.want+".codes")
	q := mustNew[T](t, c.spec, quant.Weight)
	got := quant.Codes{Packed: c.packed}
	require.NoError(t, q.Quantize(&got, x), what)
	require.Equal(t, codes.Data[:len(got.Data)], got.Data, what) // tables may have more rows, that are not finite
	for i, s := range got.Params.Scale {
		switch {
		case scales.DType.Bits() == 32:
			require.Equal(t, math.Float32bits(golden.Values[float32](scales)[i]), math.Float32bits(s), what)
		case q.Spec().ScaleDType == quant.ScaleE8M0:
			require.Equal(t, scales.Data[i], byte(fp8.E8M0FromFloat32(s)), what)
		default:
			require.Equal(t, scales.Data[i], byte(fp8.E4M3FNFromFloat32(s)), what)
		}
	}
	if q.Spec().GlobalScale == quant.GlobalOn {
		require.Equal(t, golden.Values[float32](named(c.want + ".global"))[0], got.Params.Global, what)
	}

	// What is fake-quantized is what the codes stand for, by whatever way the parameters came.
	var fake, back, again quant.Tensor[T]
	mask := quant.Mask{Kind: quant.ByteMask}
	require.NoError(t, q.FakeQuantize(&fake, x, &mask), what)
	require.NoError(t, quant.Dequantize(&back, got, 1), what)
	requireSame(t, what, back.Data, fake.Data)
	require.Len(t, mask.Data, len(x.Data))
	unpacked, err := got.Unpack()
	require.NoError(t, err)
	require.NoError(t, quant.Dequantize(&again, unpacked, 1), what)
	requireSame(t, what, back.Data, again.Data)
	var dx quant.Tensor[T]
	require.NoError(t, q.Backward(&dx, fake, mask), what)

	loaded := mustNew[T](t, c.spec, quant.Weight)
	require.NoError(t, loaded.LoadState(q.State()), what)
	require.NoError(t, loaded.EnableObserver(false))
	codes2 := quant.Codes{Packed: c.packed}
	require.NoError(t, loaded.Quantize(&codes2, x), what)
	require.Equal(t, got.Data, codes2.Data, what)

	// In pieces, the tensor's own scale first.
	p, err := quant.NewPieces[T](q.Spec(), quant.Weight, x.Shape, c.packed)
	require.NoError(t, err)
	pieces := make([]byte, len(got.Data))
	for part := range p.Parts(len(x.Data) / 2) {
		var r quant.Ranges
		for piece := range p.Cut(part, 256) {
			require.NoError(t, p.Observe(&r, piece, x.Data[piece.First:][:piece.Len]))
		}
		params, err := p.Params(&r, part)
		require.NoError(t, err)
		for piece := range p.Cut(part, 256) {
			require.NoError(t, p.QuantizeBy(params, pieces[piece.Byte:][:piece.Bytes], piece, x.Data[piece.First:][:piece.Len]), what)
		}
	}
	require.Equal(t, got.Data, pieces, what)
}

// TestTorch takes scales and zero points as they are given.
func TestTorch(t *testing.T) {
	table, err := golden.Format("dialects")
	require.NoError(t, err)
	x := quant.Tensor[float32]{Data: golden.Values[float32](table["torch.f32.x"]), Shape: table["torch.f32.x"].Shape}
	spec, err := quant.ParseSpec([]byte(`{"qscheme":"asymmetric","dialect":"torch",` + mxBlocks + `}`))
	require.NoError(t, err)
	q, err := quant.NewGiven[float32](spec, quant.Weight, quant.Params{
		Shape: table["torch.f32.scale"].Shape, Scale: golden.Values[float32](table["torch.f32.scale"]), ZeroPoint: golden.Values[int32](table["torch.f32.zero_point"]),
	})
	require.NoError(t, err)
	var codes quant.Codes
	require.NoError(t, q.Quantize(&codes, x))
	assert.Equal(t, table["torch.f32.codes"].Data, codes.Data)
	var y quant.Tensor[float32]
	mask := quant.Mask{Kind: quant.ByteMask}
	require.NoError(t, q.FakeQuantize(&y, x, &mask))
	assert.Negative(t, table["torch.f32.y"].Diff(golden.Bytes(y.Data)))
	assert.Equal(t, table["torch.f32.mask"].Data, mask.Data)
}

// TestDialectSpecs holds what goes together, and which field an error names.
func TestDialectSpecs(t *testing.T) {
	for text, field := range map[string]string{
		`{"dialect":"nvidia"}`:                                                "dialect",
		`{"dialect":"null"}`:                                                  "dialect",
		`{"dialect":"torchao"}`:                                               "dtype",
		`{"dtype":"float8_e4m3fn","dialect":"torchao"}`:                       "scale_dtype",
		`{"dtype":"float8_e4m3fn","scale_rule":"round"}`:                      "scale_rule",
		`{"scale_rule":"floor"}`:                                              "scale_rule",
		`{"dtype":"float4_e2m1fn","dialect":"modelopt","scale_rule":"floor"}`: "scale_rule",
		`{"dtype":"float4_e2m1fn",` + e4m3Scales + `"scale_rule":"floor",` + nvfp4Blocks + `}`:                            "scale_rule",
		`{"dtype":"float8_e4m3fn",` + e4m3Scales + nvfp4Blocks + `}`:                                                      "scale_dtype",
		`{` + e4m3Scales + nvfp4Blocks + `}`:                                                                              "scale_dtype",
		`{"dtype":"float4_e2m1fn",` + e4m3Scales + mxBlocks + `}`:                                                         "granularity",
		`{"dtype":"float4_e2m1fn","global_scale":true,` + mxBlocks + `}`:                                                  "global_scale",
		`{"dtype":"float4_e2m1fn",` + e4m3Scales + `"dialect":"modelopt","global_scale":false,` + nvfp4Blocks + `}`:       "global_scale",
		`{"dtype":"float4_e2m1fn",` + e4m3Scales + `"global_scale":1,` + nvfp4Blocks + `}`:                                "global_scale",
		`{"dtype":"float6_e2m3fn"}`:                                                                                       "granularity",
		`{"dtype":"float6_e3m2fn","dialect":"compressed_tensors",` + mxBlocks + `}`:                                       "dtype",
		`{"dtype":"float6_e2m3fn","dialect":"modelopt",` + mxBlocks + `}`:                                                 "dtype",
		`{"dtype":"uint8","dialect":"compressed_tensors"}`:                                                                "dtype",
		`{"dialect":"compressed_tensors","qformulation":"minval"}`:                                                        "qformulation",
		`{"dialect":"compressed_tensors","qscheme":"symmetric_with_clipping"}`:                                            "qscheme",
		`{"dialect":"compressed_tensors","scale_dtype":"float16"}`:                                                        "scale_dtype",
		`{"dtype":"float8_e5m2","dialect":"transformers"}`:                                                                "dtype",
		`{"dtype":"float8_e4m3fn","dialect":"torch"}`:                                                                     "dtype",
		`{"dialect":"torch","fake_quantize_cls":"stochastic"}`:                                                            "fake_quantize_cls",
		`{"dtype":"float4_e2m1fn",` + e4m3Scales + `"range_calculator_cls":{"name":"mse","grid":64},` + nvfp4Blocks + `}`: "range_calculator_cls.grid",
	} {
		_, err := quant.ParseSpec([]byte(text))
		require.ErrorIs(t, err, quant.ErrSpec, text)
		var e *quant.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, field, e.Field, "%s: %v", text, err)
	}
	spec, err := quant.ParseSpec([]byte(`{"dtype":"float4_e2m1fn",` + e4m3Scales + nvfp4Blocks + `}`))
	require.NoError(t, err)
	assert.Contains(t, spec.String(), `"scale_dtype":"float8_e4m3fn","dialect":"torchao","global_scale":true}`)
	same, err := quant.ParseSpec([]byte(spec.String()))
	require.NoError(t, err)
	assert.Equal(t, spec.String(), same.String())

	q := mustNew[float32](t, `{"dtype":"float4_e2m1fn",`+e4m3Scales+`"granularity":{"type":"per_block","axis":0,"block_size":16}}`, quant.Weight)
	err = q.Observe(quant.Tensor[float32]{Data: make([]float32, 64), Shape: []int{32, 2}})
	require.ErrorIs(t, err, quant.ErrShape)
	for _, name := range quant.Presets() {
		_, err := quant.Preset(name)
		assert.NoError(t, err, name)
	}
}

// A tensor with two levels of scales is quantized part by part once its own scale is known; the scales and codes are those that all its ranges give,
// whoever works on which part, and a NaN or an infinity anywhere is in the scale of the whole.
func TestTwoLevelsAtOnce(t *testing.T) {
	quant.ShareEvery(t, 512)
	for _, dialect := range []string{"torchao", "modelopt", "compressed_tensors", "compressed_tensors_f32"} {
		text := `{"dtype":"float4_e2m1fn_x2",` + e4m3Scales + `"dialect":"` + dialect + `",` + nvfp4Blocks + `}`
		for name, at := range map[string]float32{"finite": -7.5, "nan": float32(math.NaN()), "inf": float32(math.Inf(-1)), "zero": 0} {
			x := quant.Tensor[float32]{Data: make([]float32, 64*80), Shape: []int{64, 80}}
			for i := range x.Data {
				if name != "zero" {
					x.Data[i] = float32(int(uint32(i)*2654435761%4001)-2000) * 0x1p-10
				}
			}
			x.Data[len(x.Data)-3] = at

			seen := mustNew[float32](t, text, quant.Weight)
			require.NoError(t, seen.Observe(x))
			require.NoError(t, seen.EnableObserver(false))
			var want quant.Codes
			require.NoError(t, seen.Quantize(&want, x))
			for _, workers := range []int{1, 4} {
				q := mustNew[float32](t, text, quant.Weight)
				q.Workers = workers
				var got quant.Codes
				require.NoError(t, q.Quantize(&got, x))
				what := fmt.Sprintf("%s %s %d", dialect, name, workers)
				assert.Equal(t, want.Data, got.Data, what)
				requireSame(t, what, want.Params.Scale, got.Params.Scale)
				requireSame(t, what, []float32{want.Params.Global}, []float32{got.Params.Global})
			}
		}
	}
}
