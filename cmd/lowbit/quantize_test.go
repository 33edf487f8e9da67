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
			for _, suffix := range []string{".scale", ".zero_point", ".minval"} {
				assert.Equal(t, want.tensors["even"+suffix], quantized.tensors["even"+suffix])
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
		"divides", "divides.scale", "divides.zero_point", "divides.minval", "not", "empty", "n", "half", "half.scale", "half.zero_point", "half.minval", "skipped",
	}, quantized.names)
	assert.Equal(t, "pt", quantized.metadata["format"])
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

// A file may be quantized bit by bit, with a spec for each part; one dequantize undoes it.
func TestQuantizeInParts(t *testing.T) {
	in := save(t, place(t, "in"), ramp("a", 4, 8), ramp("b", 4, 8))
	first, second, codes, values, fakes := place(t, "first"), place(t, "second"), place(t, "codes"), place(t, "values"), place(t, "fakes")
	works(t, "quantize", "--spec", int8Spec, "--include", "a", "-o", first, in)
	works(t, "quantize", "--spec", int4Blocks, "--pack", "-o", second, first)
	assert.Equal(t, load(t, first).tensors["a.scale"], load(t, second).tensors["a.scale"], "a parameter is not a weight")
	works(t, "dequantize", "-o", values, second)
	got := load(t, values)
	for name, spec := range map[string]string{"a": int8Spec, "b": int4Blocks} {
		works(t, "fakequant", "--spec", spec, "-o", fakes, in)
		assert.Equal(t, load(t, fakes).tensors[name], got.tensors[name])
	}
	// In fakequant, too, the codes and their parameters are left alone.
	r := lowbit(t, "fakequant", "--spec", int8Spec, "-o", codes, second)
	assert.Equal(t, exitOK, r.status)
	assert.Contains(t, r.stderr, "no tensor is selected")
	assert.Equal(t, load(t, second), load(t, codes))
}

// What __metadata__ says is not trusted.
func TestRecords(t *testing.T) {
	dir := t.TempDir()
	bad, out := filepath.Join(dir, "bad"), filepath.Join(dir, "out")
	codes := place(t, "codes")
	works(t, "quantize", "--pack", "--spec", `{"dtype":"int4"}`, "-o", codes, save(t, place(t, "in"), ramp("w", 2, 3)))
	good := load(t, codes)
	fails(t, exitFailed, []string{"in", "__metadata__"}, "dequantize", "-o", out, save(t, filepath.Join(dir, "in"), ramp("w", 4)))

	type changes = map[string]any
	for name, c := range map[string]struct {
		top    changes
		record changes
		words  []string
	}{
		"version":             {changes{"version": 2}, nil, []string{"__metadata__", "version", "2"}},
		"no such tensor":      {changes{"tensors": changes{"v": changes{}}}, nil, []string{`tensor "v"`, "missing"}},
		"tensors is no map":   {changes{"tensors": 1}, nil, []string{"__metadata__"}},
		"no spec":             {nil, changes{"spec": nil}, []string{`tensor "w"`, "spec"}},
		"wrong spec":          {nil, changes{"spec": changes{"dtype": "int5"}}, []string{"__metadata__", "dtype", "int5"}},
		"another spec":        {nil, changes{"spec": changes{"dtype": "int8"}}, []string{`tensor "w"`, "U8", "I8"}},
		"another float spec":  {nil, changes{"spec": changes{"dtype": "float4_e2m1fn_x2"}}, []string{`tensor "w"`, "F4"}},
		"type":                {nil, changes{"dtype": "I64"}, []string{`tensor "w"`, "I64", "BF16"}},
		"unpacked":            {nil, changes{"packed": false}, []string{`tensor "w"`, "I8"}},
		"another shape":       {nil, changes{"shape": []int{2, 5}}, []string{`tensor "w"`, "[2,2]", "[2,3]"}},
		"another rank":        {nil, changes{"shape": []int{4}}, []string{`tensor "w"`}},
		"negative shape":      {nil, changes{"shape": []int{-2, -3}}, []string{`tensor "w"`, "-2"}},
		"empty shape":         {nil, changes{"shape": []int{0, 3}}, []string{`tensor "w"`, "0"}},
		"overflowing shape":   {nil, changes{"shape": []int{math.MaxInt, math.MaxInt}}, []string{`tensor "w"`}},
		"shape of no numbers": {nil, changes{"shape": "[2,3]"}, []string{"__metadata__"}},
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
		"type of scale":     {"w.scale", []tensor{of("w.scale", safetensors.I32, []int{1, 1}, int32(1))}, []string{`tensor "w.scale"`, "I32", "F32"}},
		"shape of minval":   {"w.minval", []tensor{of("w.minval", safetensors.F32, []int{2, 1}, float32(1), 1)}, []string{`tensor "w.minval"`, "[2,1]", "[1,1]"}},
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
		for _, suffix := range []string{".scale", ".zero_point", ".minval"} {
			x := good.tensors["w"+suffix]
			x.shape, x.data = []int{1, 2}, append(x.data, x.data...)
			tensors = append(tensors, x)
		}
		saveWith(t, bad, good.metadata, tensors...)
		fails(t, exitFailed, []string{bad, `tensor "w"`, "[1,2]"}, "dequantize", "-o", out, bad)
	})
	assert.Equal(t, []string{"bad", "in"}, entries(t, dir))
}
