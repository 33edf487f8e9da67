package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// Codes have the type and the shape that the contract gives them, and dequantize to what fakequant makes of the tensor.
func TestQuantizeStorage(t *testing.T) {
	in := save(t, place(t, "in"), ramp("even", 3, 8), ramp("odd", 3, 5), ramp("vector", 7), of("scalar", safetensors.F32, []int{}, float32(2)))
	names := []string{"even", "odd", "vector", "scalar"}
	whole := [][]int{{3, 8}, {3, 5}, {7}, {}}
	for _, c := range []struct {
		dtype  string
		packed bool
		stored safetensors.DType
		shapes [][]int
	}{
		{"int8", false, safetensors.I8, whole},
		{"int8", true, safetensors.I8, whole},
		{"uint8", true, safetensors.U8, whole},
		{"int4", false, safetensors.I8, whole},
		{"uint2", false, safetensors.U8, whole},
		{"int4", true, safetensors.U8, [][]int{{3, 4}, {3, 3}, {4}, {1}}},
		{"uint4", true, safetensors.U8, [][]int{{3, 4}, {3, 3}, {4}, {1}}},
		{"int2", true, safetensors.U8, [][]int{{3, 2}, {3, 2}, {2}, {1}}},
		{"uint2", true, safetensors.U8, [][]int{{3, 2}, {3, 2}, {2}, {1}}},
		{"float8_e4m3fn", true, safetensors.F8_E4M3, whole},
		{"float8_e5m2", false, safetensors.F8_E5M2, whole},
		{"float4_e2m1fn_x2", false, safetensors.F8_E4M3, whole},
		{"float4_e2m1fn_x2", true, safetensors.F4, [][]int{{3, 8}}},
	} {
		t.Run(fmt.Sprint(c.dtype, " ", c.packed), func(t *testing.T) {
			codes, values, fakes := place(t, "codes"), place(t, "values"), place(t, "fakes")
			with := func(args ...string) []string {
				args = append(args, "--spec", `{"dtype":"`+c.dtype+`"}`, in)
				if len(c.shapes) == 1 {
					args = append(args, "--include", "even")
				}
				return args
			}
			works(t, with("fakequant", "--mask", "none", "-o", fakes)...)
			if c.packed {
				works(t, with("quantize", "--pack", "-o", codes)...)
			} else {
				works(t, with("quantize", "-o", codes)...)
			}
			works(t, "dequantize", "-o", values, codes)
			quantized, want, got := load(t, codes), load(t, fakes), load(t, values)
			for i, shape := range c.shapes {
				assert.Equal(t, c.stored, quantized.tensors[names[i]].dtype)
				assert.Equal(t, shape, quantized.tensors[names[i]].shape)
			}
			assert.Equal(t, names, got.names)
			assert.Nil(t, got.metadata)
			for _, name := range names {
				assert.Equal(t, want.tensors[name], got.tensors[name])
			}
			if !strings.HasPrefix(c.dtype, "float4") {
				assert.Equal(t, want.tensors["even.scale"], quantized.tensors["even.scale"])
			}
		})
	}
}

// The first element is in the low bits, each row begins at a byte, and the rest is zeros.
func TestQuantizePackedBytes(t *testing.T) {
	in := save(t, place(t, "in"), of("w", safetensors.F32, []int{2, 3}, float32(-2), 1, 0, 1, -1, -2))
	codes := place(t, "codes")
	for spec, want := range map[string][]byte{
		`{"dtype":"int4","qscheme":"asymmetric","float_range":[-8,7]}`: {0x1e, 0x00, 0xf1, 0x0e},
		`{"dtype":"int2","qscheme":"asymmetric","float_range":[-2,1]}`: {0b000110, 0b101101},
	} {
		works(t, "quantize", "--pack", "--spec", spec, "-o", codes, in)
		assert.Equal(t, want, load(t, codes).tensors["w"].data, spec)
	}
	in = save(t, place(t, "in"), of("w", safetensors.F32, []int{4}, float32(6), -6, 0.5, -1))
	works(t, "quantize", "--pack", "--spec", `{"dtype":"float4_e2m1fn"}`, "-o", codes, in)
	assert.Equal(t, []byte{0xf7, 0xa1}, load(t, codes).tensors["w"].data)
	works(t, "quantize", "--spec", `{"dtype":"float4_e2m1fn"}`, "-o", codes, in)
	assert.Equal(t, []byte{0x4c, 0xcc, 0x30, 0xb8}, load(t, codes).tensors["w"].data)
}

func TestQuantizeOddFloat4(t *testing.T) {
	dir := t.TempDir()
	for _, shape := range [][]int{{}, {3}, {4, 5}} {
		in := save(t, place(t, "in"), ramp("fine", 4), ramp("odd", shape...))
		fails(t, exitFailed, []string{in, `tensor "odd"`, "even last axis"}, "quantize", "--pack", "--spec", `{"dtype":"float4_e2m1fn_x2"}`, "-o", filepath.Join(dir, "out"), in)
	}
	assert.Empty(t, entries(t, dir))
}

// What passes unchanged through quantize passes unchanged through dequantize.
func TestQuantizeAlone(t *testing.T) {
	in := saveWith(t, place(t, "in"), map[string]string{"format": "pt"}, ramp("divides", 2, 8), ramp("not", 2, 6), of[float32]("empty", safetensors.F32, []int{0, 4}),
		of("n", safetensors.F64, []int{1}, 1.5), of("half", safetensors.F16, []int{4}, uint16(0x3c00), 0xbc00, 0, 1), ramp("skipped", 4))
	codes, values := place(t, "codes"), place(t, "values")
	r := lowbit(t, "quantize", "--pack", "--exclude", "skip", "--spec", int4Blocks, "-o", codes, in)
	assert.Equal(t, exitOK, r.status)
	assert.Equal(t, 1, strings.Count(r.stderr, "\n"))
	assert.Contains(t, r.stderr, `tensor "not"`)
	quantized := load(t, codes)
	assert.Equal(t, []string{
		"divides", "divides.scale", "not", "empty", "n", "half", "half.scale", "skipped",
	}, quantized.names)
	assert.Equal(t, "pt", quantized.metadata["format"])
	assert.Equal(t, safetensors.F16, quantized.tensors["half.scale"].dtype)
	works(t, "dequantize", "-o", values, codes)
	before, after := load(t, in), load(t, values)
	assert.Equal(t, before.metadata, after.metadata)
	assert.Equal(t, before.names, after.names)
	for _, name := range []string{"not", "empty", "n", "skipped"} {
		assert.Equal(t, before.tensors[name], quantized.tensors[name])
		assert.Equal(t, before.tensors[name], after.tensors[name])
	}
	for _, name := range []string{"divides", "half"} {
		assert.Equal(t, before.tensors[name].dtype, after.tensors[name].dtype)
	}
	for flag, dtype := range map[string]safetensors.DType{"f32": safetensors.F32, "f16": safetensors.F16, "bf16": safetensors.BF16} {
		works(t, "dequantize", "--dtype", flag, "-o", values, codes)
		after := load(t, values)
		assert.Equal(t, dtype, after.tensors["divides"].dtype)
		assert.Equal(t, dtype, after.tensors["half"].dtype)
		assert.Equal(t, safetensors.F32, after.tensors["skipped"].dtype)
	}
}

// A tensor without elements passes, whatever its shape.
func TestQuantizeEmpty(t *testing.T) {
	in, codes := save(t, place(t, "in"), of[float32]("empty", safetensors.F32, []int{0})), place(t, "codes")
	works(t, "quantize", "--spec", `{"granularity":{"type":"per_channel","axis":1}}`, "-o", codes, in)
	assert.Equal(t, load(t, in).tensors, load(t, codes).tensors)
}

// What is quantized already is not quantized again; fakequant leaves it alone.
func TestQuantizeTwice(t *testing.T) {
	dir := t.TempDir()
	in, codes, out := save(t, filepath.Join(dir, "in"), ramp("a", 4, 8), ramp("b", 4, 8)), filepath.Join(dir, "codes"), filepath.Join(dir, "out")
	works(t, "quantize", "--spec", int8Spec, "-o", codes, in)
	fails(t, exitFailed, []string{codes, "quantized already", "lowbit", "dequantize it first"}, "quantize", "--spec", int8Spec, "-o", out, codes)
	r := lowbit(t, "fakequant", "--spec", int8Spec, "-o", out, codes)
	assert.Equal(t, exitOK, r.status)
	assert.Contains(t, r.stderr, "no tensor is selected")
	assert.Equal(t, load(t, codes), load(t, out))
}

// Beside the codes lies what the formula needs, in the least type that holds it.
func TestQuantizeLayout(t *testing.T) {
	bf16, f16, f32, e8m0, i8, u8 := safetensors.BF16, safetensors.F16, safetensors.F32, safetensors.F8_E8M0, safetensors.I8, safetensors.U8
	type types = map[string]safetensors.DType
	in, codes, values, fakes := place(t, "in"), place(t, "codes"), place(t, "values"), place(t, "fakes")
	for _, c := range []struct {
		spec string
		was  safetensors.DType
		want types
	}{
		{`{"dtype":"int8"}`, f32, types{"scale": f32}},
		{`{"dtype":"int8"}`, f16, types{"scale": f16}},
		{`{"dtype":"int4","qscheme":"symmetric_with_clipping"}`, bf16, types{"scale": bf16}},
		{`{"dtype":"uint4"}`, bf16, types{"scale": bf16}},
		{`{"dtype":"uint8","qscheme":"asymmetric"}`, bf16, types{"scale": bf16, "zero_point": u8}},
		{`{"dtype":"int2","qscheme":"asymmetric"}`, f16, types{"scale": f16, "zero_point": i8}},
		{`{"dtype":"uint4","qscheme":"asymmetric","qformulation":"minval"}`, bf16, types{"scale": bf16, "minval": bf16}},
		{`{"dtype":"int4","qformulation":"minval"}`, f32, types{"scale": f32, "minval": f32}},
		{`{"dtype":"int8","float_range":[-0.7,null]}`, bf16, types{"scale": bf16}},
		{`{"dtype":"uint4","qscheme":"asymmetric","qformulation":"minval","float_range":[-0.7,null]}`, f16, types{"scale": f16, "minval": f16}},
		{`{"dtype":"uint4","qscheme":"asymmetric","qformulation":"minval","float_range":[-0.7,0.7]}`, f16, types{"scale": f32, "minval": f32}},
		{`{"dtype":"float8_e5m2"}`, bf16, types{"scale": bf16}},
		{`{"dtype":"float8_e4m3fn","scale_dtype":"float8_e8m0fnu"}`, bf16, types{"scale": e8m0}},
		{`{"dtype":"float4_e2m1fn_x2"}`, f16, types{"scale": e8m0}},
	} {
		save(t, in, noise("w", c.was, 8, 16))
		works(t, "quantize", "--pack", "--spec", c.spec, "-o", codes, in)
		got := types{}
		for name, x := range load(t, codes).tensors {
			if suffix, ok := strings.CutPrefix(name, "w."); ok {
				got[suffix] = x.dtype
			}
		}
		assert.Equal(t, c.want, got, c.spec)
		works(t, "dequantize", "-o", values, codes)
		works(t, "fakequant", "--mask", "none", "--spec", c.spec, "-o", fakes, in)
		assert.Equal(t, load(t, fakes).tensors["w"], load(t, values).tensors["w"], c.spec)
	}
}

// A file of the first edition has parameters of four bytes, all of them, and a spec for each tensor.
func TestFirstEdition(t *testing.T) {
	in, codes, first, values, want := place(t, "in"), place(t, "codes"), place(t, "first"), place(t, "values"), place(t, "want")
	save(t, in, noise("w", safetensors.BF16, 4, 8))
	for _, spec := range []string{`{"dtype":"uint4"}`, `{"dtype":"int4","qscheme":"asymmetric"}`, `{"dtype":"uint4","qscheme":"asymmetric","qformulation":"minval"}`, `{"dtype":"float4_e2m1fn_x2"}`} {
		works(t, "quantize", "--pack", "--spec", spec, "-o", codes, in)
		works(t, "dequantize", "-o", want, codes)
		works(t, "fakequant", "--mask", "none", "--spec", spec, "-o", first, in)
		parameters, w := load(t, first), load(t, codes).tensors["w"]
		tensors := []tensor{w}
		for _, suffix := range []string{".scale", ".zero_point", ".minval"} {
			if x, ok := parameters.tensors["w"+suffix]; ok {
				tensors = append(tensors, x)
			}
		}
		saveWith(t, first, map[string]string{"lowbit": `{"version":1,"tensors":{"w":{"spec":` + spec + `,"dtype":"BF16","shape":[4,8],"packed":true}}}`}, tensors...)
		works(t, "dequantize", "-o", values, first)
		assert.Equal(t, load(t, want), load(t, values), spec)
	}
}

// What __metadata__ says is not trusted.
func TestRecords(t *testing.T) {
	dir := t.TempDir()
	bad, out := filepath.Join(dir, "bad"), filepath.Join(dir, "out")
	codes := place(t, "codes")
	works(t, "quantize", "--pack", "--spec", `{"dtype":"int4","qscheme":"asymmetric"}`, "-o", codes, save(t, place(t, "in"), ramp("w", 2, 3)))
	good := load(t, codes)
	fails(t, exitFailed, []string{"in", "__metadata__"}, "dequantize", "-o", out, save(t, filepath.Join(dir, "in"), ramp("w", 4)))

	type changes = map[string]any
	for name, c := range map[string]struct {
		top    changes
		record changes
		words  []string
	}{
		"version":             {changes{"version": 3}, nil, []string{"__metadata__", "version", "3"}},
		"no such tensor":      {changes{"tensors": changes{"v": changes{"spec": 0, "dtype": "F32", "shape": []int{1}}}}, nil, []string{`tensor "v"`, "missing"}},
		"tensors is no map":   {changes{"tensors": 1}, nil, []string{"__metadata__"}},
		"specs are no list":   {changes{"specs": 1}, nil, []string{"__metadata__: lowbit: specs is a JSON number, want another type"}},
		"no spec":             {nil, changes{"spec": nil}, []string{`tensor "w"`, "spec"}},
		"wrong spec":          {changes{"specs": []changes{{"dtype": "int5"}}}, nil, []string{"__metadata__", "specs[0]", "dtype", "int5"}},
		"no such spec":        {nil, changes{"spec": 1}, []string{`tensor "w"`, "__metadata__", "spec is 1"}},
		"spec in its place":   {nil, changes{"spec": changes{"dtype": "int4"}}, []string{`tensor "w"`, "__metadata__", "spec"}},
		"another spec":        {changes{"specs": []changes{{"dtype": "int8"}}}, nil, []string{`tensor "w"`, "U8", "I8"}},
		"another float spec":  {changes{"specs": []changes{{"dtype": "float4_e2m1fn_x2"}}}, nil, []string{`tensor "w"`, "F4"}},
		"type":                {nil, changes{"dtype": "I64"}, []string{`tensor "w"`, "I64", "BF16"}},
		"unpacked":            {nil, changes{"packed": false}, []string{`tensor "w"`, "I8"}},
		"another shape":       {nil, changes{"shape": []int{2, 5}}, []string{`tensor "w"`, "[2,2]", "[2,3]"}},
		"another rank":        {nil, changes{"shape": []int{4}}, []string{`tensor "w"`}},
		"negative shape":      {nil, changes{"shape": []int{-2, -3}}, []string{`tensor "w"`, "-2"}},
		"empty shape":         {nil, changes{"shape": []int{0, 3}}, []string{`tensor "w"`, "0"}},
		"overflowing shape":   {nil, changes{"shape": []int{math.MaxInt, math.MaxInt}}, []string{`tensor "w"`}},
		"shape of no numbers": {nil, changes{"shape": "[2,3]"}, []string{"__metadata__", `tensor "w"`, "shape is a JSON string, want another type"}},
	} {
		t.Run(name, func(t *testing.T) {
			var content map[string]any
			require.NoError(t, json.Unmarshal([]byte(good.metadata["lowbit"]), &content))
			for k, v := range c.record {
				content["tensors"].(map[string]any)["w"].(map[string]any)[k] = v
			}
			for k, v := range c.top {
				content[k] = v
			}
			text, err := json.Marshal(content)
			require.NoError(t, err)
			var tensors []tensor
			for _, n := range good.names {
				tensors = append(tensors, good.tensors[n])
			}
			saveWith(t, bad, map[string]string{"lowbit": string(text)}, tensors...)
			words := append(c.words, bad)
			fails(t, exitFailed, words, "dequantize", "-o", out, bad)
			fails(t, exitFailed, words, "inspect", bad)
			fails(t, exitFailed, words, "quantize", "--spec", int8Spec, "-o", out, bad)
			fails(t, exitFailed, words, "fakequant", "--spec", int8Spec, "-o", out, bad)
		})
	}

	for name, c := range map[string]struct {
		lost    string
		instead []tensor
		words   []string
	}{
		"no scale":          {"w.scale", nil, []string{`tensor "w"`, "w.scale"}},
		"no zero point":     {"w.zero_point", nil, []string{`tensor "w"`, "w.zero_point"}},
		"wide zero point":   {"w.zero_point", []tensor{of("w.zero_point", safetensors.I32, []int{1, 1}, int32(1))}, []string{`tensor "w.zero_point"`, "I32", "I8"}},
		"type of scale":     {"w.scale", []tensor{of("w.scale", safetensors.I32, []int{1, 1}, int32(1))}, []string{`tensor "w.scale"`, "I32", "F32"}},
		"another shape":     {"w.zero_point", []tensor{of("w.zero_point", safetensors.I8, []int{2, 1}, int8(1), 1)}, []string{`tensor "w.zero_point"`, "[2,1]", "[1,1]"}},
		"no codes":          {"w", nil, []string{`tensor "w"`, "missing"}},
		"codes of one type": {"w", []tensor{of("w", safetensors.I8, []int{2, 2}, int8(1), 1, 1, 1)}, []string{`tensor "w"`, "I8", "U8"}},
	} {
		t.Run(name, func(t *testing.T) {
			var tensors []tensor
			for _, n := range good.names {
				if n != c.lost {
					tensors = append(tensors, good.tensors[n])
				}
			}
			saveWith(t, bad, good.metadata, append(tensors, c.instead...)...)
			fails(t, exitFailed, append(c.words, bad), "dequantize", "-o", out, bad)
		})
	}
	t.Run("groups do not divide", func(t *testing.T) {
		tensors := []tensor{good.tensors["w"]}
		for _, suffix := range []string{".scale", ".zero_point"} {
			x := good.tensors["w"+suffix]
			x.shape, x.data = []int{1, 2}, append(x.data, x.data...)
			tensors = append(tensors, x)
		}
		saveWith(t, bad, good.metadata, tensors...)
		fails(t, exitFailed, []string{bad, `tensor "w"`, "[1,2]"}, "dequantize", "-o", out, bad)
	})
	assert.Equal(t, []string{"bad", "in"}, entries(t, dir))
}
