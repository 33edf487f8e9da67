package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/safetensors"
)

// saveGGUF writes a small model as llama.cpp's converter would.
func saveGGUF(t *testing.T, path string) string {
	t.Helper()
	tensors := []tensor{noise("blk.0.attn_v.weight", safetensors.BF16, 3, 256), noise("blk.0.attn_norm.weight", safetensors.F32, 256), noise("output.weight", safetensors.F16, 3, 256)}
	types := []gguf.Type{gguf.BF16, gguf.F32, gguf.F16}
	infos := make([]gguf.Info, len(tensors))
	for i, x := range tensors {
		infos[i] = gguf.Info{Name: x.name, Type: types[i], Shape: x.shape}
	}
	w, err := gguf.Create(path, []gguf.KV{{Key: "general.architecture", Value: "llama"}, {Key: "llama.block_count", Value: uint32(1)}, {Key: "odd\x1bkey", Value: "\x1b[31m"}}, infos)
	require.NoError(t, err)
	for i, x := range tensors {
		require.NoError(t, w.WriteTensor(infos[i].Name, x.data, 0))
	}
	require.NoError(t, w.Commit())
	return path
}

func TestGGUF(t *testing.T) {
	dir := t.TempDir()
	in := saveGGUF(t, filepath.Join(dir, "in.gguf"))
	out, values, plain := filepath.Join(dir, "out.gguf"), filepath.Join(dir, "values.safetensors"), filepath.Join(dir, "plain.safetensors")
	assert.Regexp(t, `(?m)^blk.0.attn_v.weight +BF16 +\[3,256\] +Q6_K +1536 +630$`, works(t, "quantize", "--dry-run", "--preset", "q4_k_m", in))
	works(t, "quantize", "--dry-run", "--preset", "q4_k_m", "--restart", "--non-finite", "warn", "--report", "r.html", "-o", out, in)
	assert.NoFileExists(t, out, "a dry run takes the flags of the run that it tells of")
	works(t, "quantize", "--preset", "q4_k_m", "--restart", "--non-finite", "warn", "--pack", "-o", out, in)
	text := works(t, "inspect", out)
	assert.Contains(t, text, `"odd\x1bkey": "\x1b[31m"`)
	assert.Regexp(t, `(?m)^output.weight +Q6_K +\[3,256\] +768 +630$`, text)
	var content struct {
		Kind    string
		Tensors []struct{ Name, DType string }
	}
	require.NoError(t, json.Unmarshal([]byte(works(t, "inspect", "--json", out)), &content))
	assert.Equal(t, "gguf", content.Kind)
	assert.Equal(t, "Q6_K", content.Tensors[0].DType)

	works(t, "dequantize", "-o", values, out)
	works(t, "dequantize", "-o", plain, in)
	for _, x := range load(t, values).tensors {
		assert.Equal(t, safetensors.F32, x.dtype)
	}
	assert.Contains(t, works(t, "compare", values, out), "blk.0.attn_norm.weight") // bits of values and of blocks are equal as numbers
	r := lowbit(t, "compare", plain, values)
	assert.Equal(t, exitFailed, r.status)
	works(t, "dequantize", "--dtype", "bf16", "-o", values, out)
	assert.Equal(t, safetensors.BF16, load(t, values).tensors["blk.0.attn_norm.weight"].dtype)

	fails(t, exitFailed, []string{out, "quantized already", "dequantize it first"}, "quantize", "--preset", "q8_0", "-o", filepath.Join(dir, "twice"), out)
	fails(t, exitFailed, []string{plain, "no GGUF", "convert_hf_to_gguf"}, "quantize", "--to", "gguf", "--preset", "q8_0", "-o", filepath.Join(dir, "twice"), plain)
	fails(t, exitUsage, []string{"--preset", "int8", "gguf"}, "quantize", "--preset", "int8", "-o", filepath.Join(dir, "twice"), in)

	recipe := filepath.Join(dir, "recipe.json")
	require.NoError(t, os.WriteFile(recipe, []byte(`[{"match": "output", "keep": true}, {"match": "attn_v", "preset": "q8_0"}]`), 0o666))
	works(t, "quantize", "--recipe", recipe, "-o", out, in)
	text = works(t, "inspect", out)
	assert.Regexp(t, `(?m)^output.weight +F16 `, text)
	assert.Regexp(t, `(?m)^blk.0.attn_v.weight +Q8_0 `, text)
	assert.Equal(t, []string{"in.gguf", "out.gguf", "plain.safetensors", "recipe.json", "values.safetensors"}, entries(t, dir))
}

// A recipe's types have the fall-backs of all others, and integers stay as they are.
func TestRecipeToGGUF(t *testing.T) {
	dir := t.TempDir()
	in, out, recipe := filepath.Join(dir, "in.gguf"), filepath.Join(dir, "out.gguf"), filepath.Join(dir, "recipe.json")
	infos := []gguf.Info{
		{Name: "whole", Type: gguf.F32, Shape: []int{2, 256}}, {Name: "halves", Type: gguf.F32, Shape: []int{2, 96}}, {Name: "none", Type: gguf.F32, Shape: []int{2, 33}},
		{Name: "vector", Type: gguf.F32, Shape: []int{512}}, {Name: "numbers", Type: gguf.I32, Shape: []int{256}},
	}
	w, err := gguf.Create(in, []gguf.KV{{Key: "general.architecture", Value: "llama"}}, infos)
	require.NoError(t, err)
	for _, info := range infos {
		require.NoError(t, w.WriteTensor(info.Name, make([]byte, 4*info.Elements()), 0))
	}
	require.NoError(t, w.Commit())
	for preset, want := range map[string][]gguf.Type{
		"q4_k": {gguf.Q4_K, gguf.Q5_0, gguf.F16, gguf.Q4_K, gguf.I32}, "q3_k": {gguf.Q3_K, gguf.Q4_0, gguf.F16, gguf.Q3_K, gguf.I32},
		"q8_0": {gguf.Q8_0, gguf.Q8_0, gguf.F16, gguf.Q8_0, gguf.I32}, "bf16": {gguf.BF16, gguf.BF16, gguf.BF16, gguf.BF16, gguf.I32},
	} {
		require.NoError(t, os.WriteFile(recipe, []byte(`[{"match": "", "preset": "`+preset+`"}]`), 0o666))
		works(t, "quantize", "--recipe", recipe, "-o", out, in)
		f, err := gguf.Open(out)
		require.NoError(t, err)
		for i, info := range f.Tensors() {
			assert.Equal(t, want[i], info.Type, "%s of %s", preset, info.Name)
		}
		require.NoError(t, f.Close())
	}
}

// A GGUF that is quantized to Lowbit's own layout becomes a file, whatever else lies beside it, that says how it was.
func TestGGUFToLowbit(t *testing.T) {
	dir := t.TempDir()
	in := saveGGUF(t, filepath.Join(dir, "in.gguf"))
	out, values, plain, fakes := filepath.Join(dir, "out.safetensors"), filepath.Join(dir, "values"), filepath.Join(dir, "plain"), filepath.Join(dir, "fakes")
	report := filepath.Join(dir, "report.html")
	assert.Contains(t, works(t, "quantize", "--to", "lowbit", "--preset", "int8", "--dry-run", in), "I8 BF16")
	works(t, "quantize", "--to", "lowbit", "--preset", "int8", "--report", report, "-o", out, in)
	assert.Equal(t, []string{"in.gguf", "out.safetensors", "report.html"}, entries(t, dir))
	works(t, "dequantize", "-o", values, out)
	works(t, "fakequant", "--spec", `{"qscheme":"symmetric_with_clipping","granularity":{"type":"per_channel","axis":0}}`, "--exclude", "norm", "--mask", "none", "-o", fakes, in)
	works(t, "dequantize", "--dtype", "f32", "--include", "norm", "-o", plain, in)
	got, want := load(t, values).tensors, load(t, fakes).tensors
	for _, name := range []string{"blk.0.attn_v.weight", "output.weight"} {
		assert.Equal(t, want[name], got[name])
	}
	assert.Equal(t, load(t, plain).tensors["blk.0.attn_norm.weight"], got["blk.0.attn_norm.weight"])
	assert.Len(t, got, 3)
}
