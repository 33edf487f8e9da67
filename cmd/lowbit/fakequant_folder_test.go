package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/safetensors"
)

// A folder becomes a folder, whose shards are what fakequant makes of each by itself, in whatever pieces.
func TestFakeQuantFolder(t *testing.T) {
	defer func(was int64) { pieceSize = was }(pieceSize)
	parent := t.TempDir()
	in, out := saveFolder(t, filepath.Join(parent, "in")), filepath.Join(parent, "out")
	for _, c := range []struct {
		piece int64
		args  []string
	}{
		{2 << 20, []string{"--spec", int8Spec}},
		{64, []string{"--mask", "bit", "--spec", `{"dtype":"int4","qscheme":"asymmetric","granularity":{"type":"per_channel","axis":0}}`, "--exclude", "norm"}},
		{256, []string{"--mask", "none", "--target", "activation", "--spec", `{"dtype":"float8_e4m3fn"}`}},
		{256, []string{"--spec", `{"dtype":"int4","range_calculator_cls":"mse"}`}},
	} {
		pieceSize = c.piece
		for _, source := range []string{in, filepath.Join(in, "model.safetensors.index.json")} {
			works(t, append(append([]string{"fakequant"}, c.args...), "-o", out, source)...)
			for _, name := range []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} {
				one := place(t, "one")
				works(t, append(append([]string{"fakequant"}, c.args...), "-o", one, filepath.Join(in, name))...)
				assert.Equal(t, load(t, one).tensors, load(t, filepath.Join(out, name)).tensors, "%v %s", c.args, name)
			}
			require.FileExists(t, filepath.Join(out, "extra", "notes.txt"))
			fails(t, exitFailed, []string{out, "not empty"}, "fakequant", "--spec", int8Spec, "-o", out, in)
			require.NoError(t, os.RemoveAll(out))
		}
	}
	for _, flag := range []string{"--grad", "--state-in", "--state-out"} {
		fails(t, exitUsage, []string{flag, "not quantized"}, "fakequant", "--spec", int8Spec, flag, filepath.Join(parent, "x"), "-o", out, in)
	}
	fails(t, exitFailed, []string{"model.norm.weight", "--exclude"}, "fakequant", "--spec", `{"granularity":{"type":"per_channel","axis":1}}`, "-o", out, in)
	assert.Equal(t, []string{"in"}, entries(t, parent))
}

// What is quantized is taken by its values, as dequantize gives them, and all of it or nothing appears.
func TestFakeQuantForeign(t *testing.T) {
	dir := t.TempDir()
	spec := `{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":32}}`
	args := func(rest ...string) []string {
		return append([]string{"fakequant", "--spec", spec, "--mask", "bit"}, rest...)
	}
	for _, scheme := range []string{"W4A16_ASYM", "NVFP4"} {
		source := filepath.Join("..", "..", "checkpoint", "testdata", "ct", scheme)
		plain, want, got := filepath.Join(dir, "plain"), filepath.Join(dir, "want"), filepath.Join(dir, "got")
		works(t, "dequantize", "-o", plain, source)
		works(t, args("--include", "proj", "-o", want, plain)...)
		works(t, args("--include", "proj", "-o", got, source)...)
		assert.Equal(t, load(t, filepath.Join(want, "model.safetensors")).tensors, load(t, filepath.Join(got, "model.safetensors")).tensors, scheme)
		text, err := os.ReadFile(filepath.Join(got, "config.json"))
		require.NoError(t, err)
		assert.NotContains(t, string(text), "quantization_config")
		for _, folder := range []string{plain, want, got} {
			require.NoError(t, os.RemoveAll(folder))
		}
	}

	blocks, half := filepath.Join(dir, "q.gguf"), noise("half.weight", safetensors.F16, 2, 32)
	codes := make([]byte, 4*34)
	for i := range codes {
		codes[i] = byte(i*37) & 0x3f
	}
	w, err := gguf.Create(blocks, nil, []gguf.Info{{Name: "w", Type: gguf.Q8_0, Shape: []int{2, 64}}, {Name: "half.weight", Type: gguf.F16, Shape: []int{2, 32}}})
	require.NoError(t, err)
	require.NoError(t, w.WriteTensor("w", codes, 0))
	require.NoError(t, w.WriteTensor("half.weight", half.data, 0))
	require.NoError(t, w.Commit())
	plain, want, got := filepath.Join(dir, "plain"), filepath.Join(dir, "want"), filepath.Join(dir, "got")
	works(t, "dequantize", "-o", plain, blocks)
	works(t, args("-o", want, plain)...)
	works(t, args("-o", got, blocks)...)
	expected, found := load(t, want), load(t, got)
	assert.Equal(t, expected.tensors["w"], found.tensors["w"])
	assert.Equal(t, expected.tensors["w.scale"], found.tensors["w.scale"])
	assert.Equal(t, safetensors.F16, found.tensors["half.weight"].dtype)
	require.NoError(t, os.Remove(got))
	require.NoError(t, os.Truncate(blocks, 200))
	fails(t, exitFailed, []string{blocks}, args("-o", got, blocks)...)
	assert.NoFileExists(t, got)
}
