package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// saveFolder writes a checkpoint of two shards with an index, a config and a tokenizer.
func saveFolder(t *testing.T, dir string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "extra"), 0o777))
	shards := map[string][]tensor{
		"model-00001-of-00002.safetensors": {noise("model.embed_tokens.weight", safetensors.BF16, 8, 32), noise("model.layers.0.mlp.up_proj.weight", safetensors.BF16, 8, 64)},
		"model-00002-of-00002.safetensors": {noise("model.layers.1.mlp.up_proj.weight", safetensors.F16, 16, 32), ramp("model.norm.weight", 32)},
	}
	weights, total := map[string]string{}, 0
	for name, tensors := range shards {
		saveWith(t, filepath.Join(dir, name), map[string]string{"format": "pt"}, tensors...)
		for _, x := range tensors {
			weights[x.name] = name
			total += len(x.data)
		}
	}
	index, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": total}, "weight_map": weights})
	require.NoError(t, err)
	for name, text := range map[string]string{
		"model.safetensors.index.json": string(index), "config.json": `{"torch_dtype": "bfloat16"}`, "tokenizer.json": "{}", "extra/notes.txt": "notes",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	return dir
}

// A folder becomes a folder: shards of the same names, a new index, and every other file. Back again, it is what fakequant makes of it.
func TestFolder(t *testing.T) {
	parent := t.TempDir()
	in, codes, values := saveFolder(t, filepath.Join(parent, "in")), filepath.Join(parent, "codes"), filepath.Join(parent, "values")
	for _, source := range []string{in, filepath.Join(in, "model.safetensors.index.json")} {
		assert.Regexp(t, `^quantize: 2688 bytes to \d+ in `, works(t, "quantize", "--preset", "uint4-g32", "-o", codes, source))
		works(t, "dequantize", "-o", values, codes)
		for _, name := range []string{"config.json", "tokenizer.json", "extra/notes.txt"} {
			want, err := os.ReadFile(filepath.Join(in, name))
			require.NoError(t, err)
			for _, dir := range []string{codes, values} {
				got, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
				assert.Equal(t, string(want), string(got))
			}
		}
		for _, name := range []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} {
			quantized, got, fakes := load(t, filepath.Join(codes, name)), load(t, filepath.Join(values, name)), place(t, "fakes")
			assert.Equal(t, "pt", quantized.metadata["format"])
			works(t, "fakequant", "--mask", "none", "--include", "up_proj", "--spec",
				`{"dtype":"uint4","qscheme":"asymmetric","qformulation":"minval","granularity":{"type":"per_block","axis":-1,"block_size":32}}`, "-o", fakes, filepath.Join(in, name))
			want := load(t, fakes)
			for _, x := range got.tensors {
				assert.Equal(t, want.tensors[x.name], x)
			}
		}
		var index struct {
			Metadata struct {
				TotalSize int64 `json:"total_size"`
			}
			WeightMap map[string]string `json:"weight_map"`
		}
		text, err := os.ReadFile(filepath.Join(codes, "model.safetensors.index.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &index))
		assert.Equal(t, "model-00002-of-00002.safetensors", index.WeightMap["model.layers.1.mlp.up_proj.weight.minval"])
		assert.Len(t, index.WeightMap, 8)

		assert.Contains(t, works(t, "inspect", codes), "quantized by lowbit, 5.000 bits per weight")
		r := lowbit(t, "compare", in, codes)
		assert.Equal(t, exitFailed, r.status)
		assert.Regexp(t, `(?m)^model.layers.0.mlp.up_proj.weight +BF16, uint4 +\[8,64\] +484 of 512 differ +\S+ +2\d\.\d\d dB`, r.stdout)
		assert.Contains(t, works(t, "compare", values, codes), "all bits of 4 tensors are equal")
		fails(t, exitFailed, []string{codes, "not empty"}, "quantize", "--preset", "int8", "-o", codes, in)
		fails(t, exitFailed, []string{codes, "quantized already", "dequantize it first"}, "quantize", "--preset", "int8", "-o", filepath.Join(parent, "twice"), codes)
		require.NoError(t, os.RemoveAll(codes))
		require.NoError(t, os.RemoveAll(values))
	}
	assert.Equal(t, []string{"in"}, entries(t, parent))
}

// A run that is interrupted is taken up by the next; one with --restart begins anew; the bytes are the same.
func TestFolderInterrupted(t *testing.T) {
	parent := t.TempDir()
	in, want, out := saveFolder(t, filepath.Join(parent, "in")), filepath.Join(parent, "want"), filepath.Join(parent, "out")
	works(t, "quantize", "--preset", "int8", "-o", want, in)
	for _, restart := range []bool{false, true} {
		for n := int64(1); n < 9; n++ {
			later := &whenAsked{Context: context.Background(), n: n, do: func() error { return context.Canceled }}
			lowbitUntil(t, later, "quantize", "--workers", "1", "--preset", "int8", "-o", out, in)
			if _, err := os.Stat(out); err == nil {
				break
			}
		}
		args := []string{"quantize", "--preset", "int8", "-o", out, in}
		if restart {
			args = append(args, "--restart")
		}
		if _, err := os.Stat(out); err != nil {
			works(t, args...)
		}
		for _, name := range entries(t, want) {
			if info, err := os.Stat(filepath.Join(want, name)); err == nil && !info.IsDir() {
				a, err := os.ReadFile(filepath.Join(want, name))
				require.NoError(t, err)
				b, err := os.ReadFile(filepath.Join(out, name))
				require.NoError(t, err)
				assert.Equal(t, a, b, name)
			}
		}
		require.NoError(t, os.RemoveAll(out))
		assert.Equal(t, []string{"in", "want"}, entries(t, parent))
	}
}

// What the presets of compressed-tensors make is read back, and config.json says what it is.
func TestCompressedTensors(t *testing.T) {
	parent := t.TempDir()
	in := saveFolder(t, filepath.Join(parent, "in"))
	file := save(t, filepath.Join(parent, "one.safetensors"), noise("a.weight", safetensors.BF16, 16, 32))
	recipe := filepath.Join(parent, "recipe.json")
	require.NoError(t, os.WriteFile(recipe, []byte(`[{"match": "layers.0", "keep": true}, {"match": "up_proj", "preset": "mxfp4"}]`), 0o666))
	out := filepath.Join(parent, "out")
	for _, args := range [][]string{{"--preset", "w8a8", in}, {"--to", "compressed-tensors", "--preset", "nvfp4", in}, {"--to", "compressed-tensors", "--recipe", recipe, in}, {"--preset", "fp8-dynamic", file}} {
		r := lowbit(t, append([]string{"quantize", "-o", out}, args...)...)
		require.Equal(t, exitOK, r.status, r.stderr)
		config, err := os.ReadFile(filepath.Join(out, "config.json"))
		require.NoError(t, err)
		assert.Contains(t, string(config), `"quant_method": "compressed-tensors"`)
		assert.Contains(t, works(t, "inspect", "--json", out), `"method":"compressed-tensors"`)
		works(t, "dequantize", "-o", filepath.Join(parent, "values"), out)
		require.NoError(t, os.RemoveAll(out))
		require.NoError(t, os.RemoveAll(filepath.Join(parent, "values")))
	}
	fails(t, exitUsage, []string{"--preset", "int8", "compressed-tensors"}, "quantize", "--to", "compressed-tensors", "--preset", "int8", "-o", out, in)
	fails(t, exitUsage, []string{"--spec", "compressed-tensors"}, "quantize", "--to", "compressed-tensors", "--spec", int8Spec, "-o", out, in)
	assert.Equal(t, []string{"in", "one.safetensors", "recipe.json"}, entries(t, parent))
}

// What a run has finished that only warned of a NaN is not taken up by one for which a NaN is an error.
func TestFolderNonFinite(t *testing.T) {
	parent := t.TempDir()
	in, out := filepath.Join(parent, "in"), filepath.Join(parent, "out")
	require.NoError(t, os.Mkdir(in, 0o777))
	save(t, filepath.Join(in, "1.safetensors"), of("a.weight", safetensors.F32, []int{1, 2}, float32(1), float32(math.NaN())))
	save(t, filepath.Join(in, "2.safetensors"), ramp("b.weight", 300, 500))
	require.NoError(t, os.WriteFile(filepath.Join(in, "model.safetensors.index.json"), []byte(`{"weight_map":{"a.weight":"1.safetensors","b.weight":"2.safetensors"}}`), 0o666))
	taken := false
	for n := int64(1); ; n++ {
		later := &whenAsked{Context: context.Background(), n: n, do: func() error { return context.Canceled }}
		lowbitUntil(t, later, "quantize", "--workers", "1", "--preset", "int8", "-o", out, in)
		if _, err := os.Stat(out); err == nil {
			break
		}
		whole, err := filepath.Glob(filepath.Join(parent, ".out.lowbit-*", "1.safetensors"))
		require.NoError(t, err)
		taken = taken || len(whole) > 0
		fails(t, exitFailed, []string{`tensor "a.weight"`, "element 1 is NaN"}, "quantize", "--non-finite", "error", "--preset", "int8", "-o", out, in)
		require.NoDirExists(t, out)
	}
	assert.True(t, taken, "no run was interrupted behind the first shard")
	assert.Equal(t, []string{"in", "out"}, entries(t, parent))
}

// A folder whose config.json says that it is quantized, though nothing fitted, is dequantized to what it was before.
func TestNothingFits(t *testing.T) {
	parent := t.TempDir()
	in, codes, out := saveFolder(t, filepath.Join(parent, "in")), filepath.Join(parent, "codes"), filepath.Join(parent, "out")
	r := lowbit(t, "quantize", "--preset", "w4a16", "-o", codes, in)
	require.Equal(t, exitOK, r.status, r.stderr)
	assert.Contains(t, works(t, "inspect", codes), "quantized by compressed-tensors")
	works(t, "inspect", "--json", codes)
	fails(t, exitFailed, []string{codes, "compressed-tensors", "dequantize it first"}, "quantize", "--preset", "int8", "-o", out, codes)
	works(t, "dequantize", "-o", out, codes)
	works(t, "compare", in, out)
	text, err := os.ReadFile(filepath.Join(out, "config.json"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"torch_dtype": "bfloat16"}`, string(text))
}

// A folder is not written over a file, and one that fails leaves none of the folders that were made for it.
func TestFolderFails(t *testing.T) {
	parent := t.TempDir()
	in, file := saveFolder(t, filepath.Join(parent, "in")), filepath.Join(parent, "file")
	require.NoError(t, os.WriteFile(file, []byte("before"), 0o666))
	fails(t, exitFailed, []string{file, "is a file", "folder"}, "quantize", "--preset", "int8", "-o", file, in)
	odd := save(t, filepath.Join(parent, "odd"), of("v.weight", safetensors.F32, []int{1, 32}, append(make([]float32, 31), float32(math.NaN()))...))
	require.NoError(t, os.Mkdir(filepath.Join(parent, "there"), 0o777))
	fails(t, exitFailed, []string{odd, "v.weight", "NaN"}, "quantize", "--preset", "w8a8", "-o", filepath.Join(parent, "there", "a", "b"), odd)
	assert.Equal(t, []string{"file", "in", "odd", "there"}, entries(t, parent))
	assert.Empty(t, entries(t, filepath.Join(parent, "there")))
}
