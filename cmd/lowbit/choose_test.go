package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// Every preset does what its spec does to a matrix of weights, packed.
func TestPresets(t *testing.T) {
	listed := works(t, "presets")
	in, codes, want := save(t, place(t, "in"), noise("a.weight", safetensors.BF16, 128, 256)), place(t, "codes"), place(t, "want")
	for _, name := range quant.Presets() {
		assert.Contains(t, listed, "\n"+name+" ")
		spec, err := quant.Preset(name)
		require.NoError(t, err)
		lowbit(t, "quantize", "--preset", name, "-o", codes, in)
		lowbit(t, "quantize", "--pack", "--spec", spec.String(), "-o", want, in)
		assert.Equal(t, load(t, want), load(t, codes), name)
	}
	assert.Regexp(t, `(?m)^int4-g32 +lowbit +4\.500 +Lowbit +\{"dtype":"int4"`, listed)
	assert.Regexp(t, `(?m)^uint4-g64 +lowbit +4\.500 +Lowbit +\{"dtype":"uint4"`, listed)
}

// A preset takes matrices of weights; --include and --exclude decide instead, among matrices; a spec takes whatever they leave.
func TestSelection(t *testing.T) {
	var tensors []tensor
	for _, name := range []string{
		"model.embed_tokens.weight", "layers.0.self_attn.q_proj.weight", "layers.0.input_layernorm.weight", "layers.0.mlp.gate.weight", "layers.0.mlp.gate_proj.weight",
		"layers.0.mlp.router.weight", "layers.0.q_proj.bias", "lm_head.weight", "experts.w1",
	} {
		tensors = append(tensors, ramp(name, 4, 32))
	}
	tensors = append(tensors, ramp("conv.weight", 4, 2, 32), ramp("vector.weight", 32), of("ids.weight", safetensors.I64, []int{1, 1}, int64(7)))
	in, out := save(t, place(t, "in"), tensors...), place(t, "out")
	recipe := place(t, "recipe.json")
	require.NoError(t, os.WriteFile(recipe, []byte(`[
		{"match": "q_proj", "keep": true},
		{"match": "^conv", "spec": {"dtype": "int8"}},
		{"match": "weight$", "preset": "int4-g32"},
		{"match": "weight$", "preset": "int8"}
	]`), 0o666))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--preset", "int8", "--pure"}, "layers.0.self_attn.q_proj.weight layers.0.mlp.gate_proj.weight"},
		{[]string{"--preset", "int8", "--include", "embed|w1|conv|ids"}, "model.embed_tokens.weight experts.w1"},
		{[]string{"--preset", "int8", "--exclude", "layers|w1"}, "model.embed_tokens.weight lm_head.weight"},
		{[]string{"--spec", int8Spec, "--exclude", "layers|head"}, "model.embed_tokens.weight experts.w1 conv.weight vector.weight"},
		{[]string{"--recipe", recipe, "--exclude", "layers"}, "model.embed_tokens.weight=U8 lm_head.weight=U8 conv.weight=I8 vector.weight=U8"},
	} {
		text := works(t, append(append([]string{"quantize", "--dry-run"}, c.args...), in)...)
		var got []string
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) > 5 && f[0] != "TENSOR" && f[3] != "kept" && strings.HasSuffix(f[2], "]") {
				got = append(got, f[0]+"="+f[3])
			}
		}
		want := c.want
		if !strings.Contains(want, "=") {
			want = strings.ReplaceAll(want, " ", "=I8 ") + "=I8"
		}
		assert.Equal(t, want, strings.Join(got, " "), c.args)
		works(t, append(append([]string{"quantize", "-o", out}, c.args...), in)...)
		content, size := load(t, out), 0
		for _, name := range content.names {
			size += len(content.tensors[name].data)
		}
		for _, x := range got {
			name, _, _ := strings.Cut(x, "=")
			assert.Contains(t, content.names, name+".scale")
		}
		assert.Contains(t, text, "bytes would become "+itoa(size)+";")
	}
	fails(t, exitFailed, []string{`"vector.weight"`, "--exclude"}, "quantize", "--spec", `{"granularity":{"type":"per_channel","axis":1}}`, "-o", out, in)
}

// A recipe is read to its last letter.
func TestRecipe(t *testing.T) {
	dir := t.TempDir()
	in, path := save(t, filepath.Join(dir, "in"), ramp("w", 4, 4)), filepath.Join(dir, "recipe.json")
	for text, words := range map[string][]string{
		`[{"match": "w"}]`:                                               {"rule 1", "preset, spec or keep"},
		`[{"preset": "int8"}]`:                                           {"rule 1", "match is missing"},
		`[{"match": "w", "keep": true}, {"match": "("}]`:                 {"rule 2", "match", "missing closing"},
		`[{"match": "w", "keep": false}]`:                                {"rule 1", "keep", "false"},
		`[{"match": "w", "keep": true, "preset": "int8"}]`:               {"rule 1", "keep", "preset", "one of them"},
		`[{"match": "w", "match": "v", "keep": true}]`:                   {"rule 1", "match", "twice"},
		`[{"match": "w", "preset": "int5"}]`:                             {"rule 1", "preset", "int5", "int8"},
		`[{"match": "w", "spec": {"dtype": "int5"}}]`:                    {"rule 1", "spec", "dtype", "int5"},
		`[{"match": "w", "spec": {"qparam_calculator_cls": "dynamic"}}]`: {"rule 1", "spec", "dynamic"},
		`[{"match": "w", "keeps": true}]`:                                {"rule 1", "keeps", "not a field"},
		`["w"]`:                                                          {"rule 1", "not an object"},
		`{"match": "w", "keep": true}`:                                   {"no JSON list"},
		`[] []`:                                                          {"no JSON list"},
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		fails(t, exitUsage, append(words, "--recipe", "recipe.json"), "quantize", "--recipe", path, "-o", filepath.Join(dir, "out"), in)
	}
	assert.Equal(t, []string{"in", "recipe.json"}, entries(t, dir))
}

// What is written is what the presets of a recipe are for, unless --to says so.
func TestRecipeTo(t *testing.T) {
	in, recipe := save(t, place(t, "in"), ramp("a.weight", 4, 128), ramp("b.weight", 4, 128)), place(t, "recipe.json")
	for text, want := range map[string]string{
		`[{"match": "a", "keep": true}, {"match": "b", "preset": "w4a16"}]`:             `b.weight_packed`,
		`[{"match": "b", "preset": "nvfp4"}]`:                                           `b.weight.global_scale`,
		`[{"match": "a", "preset": "nvfp4"}, {"match": "b", "spec": {"dtype":"int8"}}]`: `b.weight.scale`,
	} {
		require.NoError(t, os.WriteFile(recipe, []byte(text), 0o666))
		out := place(t, "out")
		works(t, "quantize", "--recipe", recipe, "-o", out, in)
		if want == "b.weight_packed" {
			out = filepath.Join(out, "in.safetensors")
		}
		assert.Contains(t, load(t, out).names, want, text)
	}
	for text, words := range map[string][]string{
		`[{"match": "a", "preset": "int8"}, {"match": "b", "preset": "w4a16"}]`: {"rule 1", `"int8" is not a preset of compressed-tensors`},
		`[{"match": "a", "preset": "w8a8"}, {"match": "b", "preset": "w4a16"}]`: {"rule 2", "w8a8", "w4a16"},
	} {
		require.NoError(t, os.WriteFile(recipe, []byte(text), 0o666))
		fails(t, exitUsage, words, "quantize", "--recipe", recipe, "-o", place(t, "out"), in)
	}
	require.NoError(t, os.WriteFile(recipe, []byte(`[{"match": "a", "preset": "q4_k"}]`), 0o666))
	fails(t, exitFailed, []string{"is no GGUF"}, "quantize", "--recipe", recipe, "-o", place(t, "out"), in)
}
