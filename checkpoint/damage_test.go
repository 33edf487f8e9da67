package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

func TestWhatIsNoCheckpoint(t *testing.T) {
	dir := t.TempDir()
	path := func(name, text string) string {
		p := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o777))
		require.NoError(t, os.WriteFile(p, []byte(text), 0o666))
		return p
	}
	good, err := os.ReadFile("testdata/ct/source/model.safetensors")
	require.NoError(t, err)
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "none"), dir + "/none: no such file or directory"},
		{path("lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"), dir + "/lfs.safetensors: is a Git LFS pointer, not the file itself: fetch it with git lfs pull"},
		{path("html.safetensors", "\n<!DOCTYPE html><html>404</html>"), dir + "/html.safetensors: is an HTML page, not the file itself"},
		{path("model.bin", "PK\x03\x04\x00\x00\x08\x08\x00\x00rest"), dir + "/model.bin: is a pickle, which can run any program: convert it to safetensors first"},
		{path("zero.bin", "PK\x03\x04\x00\x00\x00\x00\x00\x00\x00\x00"), dir + "/zero.bin: is a pickle, which can run any program: convert it to safetensors first"},
		{path("small.pt", "\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94."), dir + "/small.pt: is a pickle, which can run any program: convert it to safetensors first"},
		{path("length.safetensors", "\x80\x02\x00\x00\x00\x00\x00\x00["+strings.Repeat(" ", 0x280-1)), dir + "/length.safetensors: header, byte 0: want an object, have '['"},
		{path("old.pt", "\x80\x02\x8a\nl\xfc\x9c\x46\xf9"), dir + "/old.pt: is a pickle, which can run any program: convert it to safetensors first"},
		{path("empty.safetensors", ""), dir + "/empty.safetensors: file is empty"},
		{path("a.index.json", ""), dir + "/a.index.json: file is empty"},
		{path("b.index.json", "{}"), dir + "/b.index.json: is no index: it has no weight_map"},
		{path("c.index.json", `{"weight_map":{}}`), dir + "/c.index.json: its weight_map is empty"},
		{path("d.index.json", `{"weight_map":{"w":"none.safetensors"}}`), dir + `/d.index.json: tensor "w": is said to be in none.safetensors, which is missing`},
		{path("e.index.json", `{"weight_map":{"w":"../x.safetensors"}}`), dir + `/e.index.json: tensor "w": is said to be in "../x.safetensors", which is no file beside the index`},
		{path("f.index.json", `{"weight_map":{"w":"lfs.safetensors"}}`), dir + "/lfs.safetensors: is a Git LFS pointer, not the file itself: fetch it with git lfs pull"},
		{path("g.index.json", `{"weight_map":{"w":"a","w":"b"}}`), dir + `/g.index.json: has the key "w" twice in one object`},
		{path("h.index.json", `{"weight_map":{"w":`), dir + "/h.index.json: is JSON that is cut short"},
		{path("i.index.json", `{"weight_map":{"w":3}}`), dir + "/i.index.json: is no index: weight_map is a JSON number, want another type"},
		{filepath.Dir(path("list/x.safetensors.index.json", "[]")), dir + "/list/x.safetensors.index.json: is no index: the whole is a JSON array, want another type"},
		{filepath.Dir(path("empty/README.md", "")), dir + "/empty: has no safetensors file and no index"},
		{filepath.Dir(path("pickles/pytorch_model.bin", "PK\x03\x04\x00\x00\x08\x08")), dir + "/pickles/pytorch_model.bin: is a pickle, which can run any program: convert it to safetensors first"},
		{filepath.Dir(path("both/a.safetensors.index.json", "")), dir + "/both/a.safetensors.index.json: file is empty"},
		{filepath.Dir(path("config/model.safetensors", string(good))), ""},
	} {
		checkpoint, err := Open(c.path)
		if c.want == "" {
			require.NoError(t, err)
			require.NoError(t, checkpoint.Close())
			continue
		}
		assert.EqualError(t, err, c.want)
	}
	for _, c := range []struct{ name, text, want string }{
		{"config.json", `{"quantization_config":{"quant_method":"hqq"}}`, `quantization_config: quant_method "hqq" is not supported`},
		{"config.json", `{"quantization_config":{"quant_method":"gptq","bits":5}}`, `quantization_config: gptq with bits 5 is not supported`},
		{"config.json", `{"quantization_config":{"quant_method":"gptq","bits":4,"group_size":128,"checkpoint_format":"marlin"}}`, `quantization_config: checkpoint_format "marlin" is not supported`},
		{"config.json", `{"quantization_config":{"quant_method":"awq","bits":4,"group_size":128,"version":"gemv"}}`, `quantization_config: awq with version "gemv" is not supported`},
		{"config.json", `{"quantization_config":{"quant_method":"compressed-tensors","sparsity_config":{"format":"sparse-24-bitmask"}}}`, `quantization_config: the sparsity_config's format "sparse-24-bitmask" is not supported`},
		{"config.json", `{"quantization_config":{"quant_method":"compressed-tensors","transform_config":{"config_groups":{}}}}`, `quantization_config: a transform_config is not supported`},
		{"config.json", `{"quantization_config":{"quant_method":"compressed-tensors","config_groups":{"g":{"targets":["re:("],"weights":{}}}}}`, "quantization_config: config_groups.g: target \"re:(\": error parsing regexp: missing closing ): `^(?:()`"},
		{"config.json", `{"quantization_config":{"bits":"four"}}`, `quantization_config: bits is a JSON string, want another type`},
		{"config.json", `[1]`, `is no JSON object`},
		{"config.json", `{"a":1}}`, `has text behind its JSON`},
		{"config.json", `version https://git-lfs.github.com/spec/v1`, `is a Git LFS pointer, not the file itself: fetch it with git lfs pull`},
	} {
		p := path("config/"+c.name, c.text)
		_, err := Open(filepath.Dir(p))
		assert.EqualError(t, err, p+": "+c.want)
	}
}

func TestShardsThatDisagree(t *testing.T) {
	dir := t.TempDir()
	x := tensors{"w": of(safetensors.U8, []int{1}, uint8(1))}
	writeFile(t, filepath.Join(dir, "a.safetensors"), nil, x)
	writeFile(t, filepath.Join(dir, "b.safetensors"), nil, x)
	writeFile(t, filepath.Join(dir, "c.safetensors"), nil, tensors{"v": x["w"]})
	index := filepath.Join(dir, "x.index.json")
	for weights, want := range map[string]string{
		`"w":"a.safetensors","v":"b.safetensors"`: dir + `/b.safetensors: tensor "w": is in a.safetensors too`,
		`"w":"a.safetensors","u":"c.safetensors"`: index + `: tensor "u": is in no shard, though weight_map says it is in c.safetensors`,
		`"v":"a.safetensors","w":"c.safetensors"`: index + `: tensor "v": is in c.safetensors, though weight_map says it is in a.safetensors`,
		`"w":"a.safetensors"`:                     "",
	} {
		require.NoError(t, os.WriteFile(index, []byte(`{"weight_map":{`+weights+`}}`), 0o666))
		c, err := Open(index)
		if want == "" {
			require.NoError(t, err)
			c.Close()
			continue
		}
		assert.EqualError(t, err, want)
	}
	writeFile(t, filepath.Join(dir, "a.safetensors"), nil, tensors{"w": x["w"], "z": x["w"]})
	require.NoError(t, os.WriteFile(index, []byte(`{"weight_map":{"w":"a.safetensors"}}`), 0o666))
	_, err := Open(dir)
	assert.EqualError(t, err, dir+`/a.safetensors: tensor "z": is not in the weight_map of x.index.json`)
	require.NoError(t, os.Rename(index, filepath.Join(dir, "x.bin.index.json")))
	_, err = Open(dir)
	assert.EqualError(t, err, dir+": has 3 safetensors files (a.safetensors, b.safetensors, ...) and no index: name the one that is meant")
}

// damaged are checkpoints of one quantized tensor, to be damaged.
func damaged(t testing.TB) map[string]struct {
	config, name string
	all          tensors
} {
	hf := loadFile(t, "testdata/hf.safetensors")
	list := map[string]struct {
		config, name string
		all          tensors
	}{}
	add := func(key, config, name string, all tensors) {
		list[key] = struct {
			config, name string
			all          tensors
		}{config, name, all}
	}
	for _, scheme := range goldenSchemes {
		config, err := os.ReadFile(filepath.Join("testdata/ct", scheme, "config.json"))
		require.NoError(t, err)
		const module = "model.layers.0.mlp.down_proj."
		add(scheme, string(config), "m.weight", loadFile(t, filepath.Join("testdata/ct", scheme, "model.safetensors")).part(module, "m."))
	}
	add("gptq", `{"quantization_config":{"quant_method":"gptq","bits":4,"group_size":32,"desc_act":true,"checkpoint_format":"gptq"}}`, "m.weight", hf.part("gptq4.v1.", "m."))
	awq := hf.part("awq4.", "m.")
	delete(awq, "m.dequant")
	add("awq", `{"quantization_config":{"quant_method":"awq","bits":4,"group_size":32}}`, "m.weight", awq)
	bnb := hf.part("bnb.bf16.nf4.nested.", "m.")
	delete(bnb, "m.dequant")
	add("nf4", `{"quantization_config":{"quant_method":"bitsandbytes"}}`, "m.weight", bnb)
	add("int8", `{"quantization_config":{"quant_method":"bitsandbytes"}}`, "m.weight", tensors{"m.weight": hf["bnb.int8.weight"], "m.SCB": hf["bnb.int8.SCB"]})
	add("fp8", `{"quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]}}`, "m.weight",
		tensors{"m.weight": hf["fp8block.float.weight"].cast(safetensors.F8_E4M3), "m.weight_scale_inv": hf["fp8block.float.weight_scale_inv"]})
	add("mxfp4", `{"quantization_config":{"quant_method":"mxfp4"}}`, "m", tensors{"m_blocks": hf["gptoss.blocks"], "m_scales": hf["gptoss.scales"]})
	return list
}

// harmless are companions that do not change the values.
func harmless(name string) bool { return strings.HasSuffix(name, "input_global_scale") }

func TestDamagedCompanions(t *testing.T) {
	for scheme, d := range damaged(t) {
		c := open(t, folder(t, d.config, d.all))
		require.NoError(t, c.Err(), scheme)
		lookup(t, c, d.name)
		for _, name := range slices.Sorted(maps.Keys(d.all)) {
			if harmless(name) {
				continue
			}
			for _, damage := range []string{"missing", "dtype", "longer", "rank"} {
				if scheme == "nf4" && name == "m.weight" && damage == "rank" {
					continue // its shape is in its state
				}
				all := maps.Clone(d.all)
				x := all[name]
				switch damage {
				case "missing":
					delete(all, name)
				case "dtype":
					x.dtype, x.shape = safetensors.F64, []int{1, 1}
					x.data = make([]byte, 8)
					all[name] = x
				case "longer":
					rows := x.shape[0]
					x.shape = append([]int{rows + 1}, x.shape[1:]...)
					x.data = append(slices.Clone(x.data), make([]byte, len(x.data)/rows)...)
					all[name] = x
				case "rank":
					x.shape = append(slices.Clone(x.shape), 1)
					all[name] = x
				}
				dir := folder(t, d.config, all)
				c, err := Open(dir)
				require.NoError(t, err)
				err = c.Err()
				what := fmt.Sprintf("%s: %s %s", scheme, name, damage)
				require.Error(t, err, what)
				require.NotContains(t, err.Error(), "\n", what)
				require.True(t, strings.HasPrefix(err.Error(), dir), "%s: %v", what, err)
				e, ok := errors.AsType[*safetensors.Error](err)
				require.True(t, ok, what)
				require.True(t, strings.HasPrefix(e.Tensor, "m"), "%s: %v", what, err)

				// It can be left as it is, but not be read or converted.
				y, ok := c.Lookup(d.name)
				require.True(t, ok, what)
				require.Equal(t, y.Err(), ReadRows(y, []float32{}, 0))
				_, err = NewPlan(c, Dequantization{}, 1<<20)
				require.Equal(t, y.Err(), err, what)
				p, err := NewPlan(c, Dequantization{Select: func(*Tensor) bool { return false }}, 1<<20)
				require.NoError(t, err, what)
				require.Zero(t, p.Converted())
				require.NoError(t, c.Close())
			}
		}
	}
}

func TestDamageIsNamed(t *testing.T) {
	list := damaged(t)
	with := func(scheme, name string, change func(raw) raw) func() (string, tensors) {
		return func() (string, tensors) {
			d := list[scheme]
			all := maps.Clone(d.all)
			if change == nil {
				delete(all, name)
			} else {
				all[name] = change(all[name])
			}
			return d.config, all
		}
	}
	config := func(scheme, old, new string) func() (string, tensors) {
		return func() (string, tensors) {
			d := list[scheme]
			require.Contains(t, d.config, old)
			return strings.ReplaceAll(d.config, old, new), d.all
		}
	}
	set32 := func(at int, v int32) func(raw) raw {
		return func(x raw) raw {
			x.data = slices.Clone(x.data)
			copy(x.data[4*at:], of(safetensors.I32, nil, v).data)
			return x
		}
	}
	for _, c := range []struct {
		damage func() (string, tensors)
		want   string
	}{
		{with("gptq", "m.g_idx", set32(5, 4)), `DIR/model.safetensors: tensor "m.g_idx": names group 4 for column 5, there are 4 groups`},
		{with("gptq", "m.g_idx", set32(0, -1)), `DIR/model.safetensors: tensor "m.g_idx": names group -1 for column 0, there are 4 groups`},
		{with("gptq", "m.g_idx", nil), `DIR/model.safetensors: tensor "m.g_idx": is missing, though desc_act in DIR/config.json is true`},
		{with("gptq", "m.qweight", nil), `DIR/model.safetensors: tensor "m.qweight": is missing, though DIR/config.json says that "m.weight" is quantized`},
		{config("gptq", `"group_size":32`, `"group_size":64`), `DIR/model.safetensors: tensor "m.qzeros": has the shape [4,8], want [2,8]`},
		{config("gptq", `"bits":4`, `"bits":8`), `DIR/model.safetensors: tensor "m.qzeros": has the shape [4,8], want [2,16]`},
		{config("awq", `"group_size":32`, `"group_size":128`), `DIR/model.safetensors: tensor "m.qzeros": has the shape [4,8], want [1,8]`},
		{config("awq", `"group_size":32`, `"group_size":48`), `DIR/model.safetensors: tensor "m.qweight": has 128 inputs, which the group_size of 48 in DIR/config.json does not divide`},
		{func() (string, tensors) {
			return list["fp8"].config, tensors{"m.weight": of(safetensors.I8, []int{1, 16}, make([]int8, 16)...)}
		}, `DIR/model.safetensors: tensor "m.weight_scale_inv": is missing, though DIR/config.json says that "m.weight" is quantized`},
		{config("fp8", `[128,128]`, `[64,128]`), `DIR/model.safetensors: tensor "m.weight_scale_inv": has the shape [1,2], want [2,2]`},
		{config("fp8", `[128,128]`, `null`), `DIR/model.safetensors: tensor "m.weight_scale_inv": has the shape [1,2], but DIR/config.json has no weight_block_size`},
		{config("fp8", `[128,128]`, `[0]`), `DIR/model.safetensors: tensor "m.weight": is fp8, but the weight_block_size in DIR/config.json is [0]`},
		{config("W4A16", `"group_size": 128`, `"group_size": 64`), `DIR/model.safetensors: tensor "m.weight_scale": has the shape [128,2], want [128,4]`},
		{config("W4A16", `"group_size": 128`, `"group_size": null`), `DIR/model.safetensors: tensor "m.weight_packed": is quantized in groups, but DIR/config.json does not have their group_size`},
		{config("W4A16", `"num_bits": 4`, `"num_bits": 8`), `DIR/model.safetensors: tensor "m.weight_shape": says that the shape is [128,256], but the codes of 8 bits have the shape [128,32] in 32-bit words`},
		{config("W4A16", `"num_bits": 4`, `"num_bits": 9`), `DIR/model.safetensors: tensor "m.weight_packed": type int with num_bits 9 of pack-quantized in DIR/config.json is not supported`},
		{config("W4A16", `"symmetric": true`, `"symmetric": false`), `DIR/model.safetensors: tensor "m.weight_zero_point": is missing, though DIR/config.json says that "m.weight" is quantized`},
		{config("W4A16", `"lm_head"`, `"m"`), `DIR/model.safetensors: tensor "m.weight_packed": is quantized, though the ignore of DIR/config.json names its module`},
		{config("W4A16", `"Linear"`, `"re:.*up_proj"`), `DIR/model.safetensors: tensor "m.weight_packed": is quantized, but no group of DIR/config.json has it among its targets`},
		{config("W4A16", `pack-quantized`, `marlin-24`), `DIR/model.safetensors: tensor "m.weight_packed": format marlin-24 in DIR/config.json is not supported`},
		{config("W8A8", `int-quantized`, `float-quantized`), `DIR/model.safetensors: tensor "m.weight": type int with num_bits 8 of float-quantized in DIR/config.json is not supported`},
		{config("NVFP4", `"group_size": 16`, `"group_size": 32`), `DIR/model.safetensors: tensor "m.weight_packed": is nvfp4-pack-quantized, which has groups of 16 that divide its rows of 256, but DIR/config.json says groups of 32`},
		{with("int8", "m.SCB", nil), `DIR/model.safetensors: tensor "m.SCB": is missing, though DIR/config.json says that "m.weight" is quantized`},
		{with("nf4", "m.weight.quant_map", set32(3, 0)), `DIR/model.safetensors: tensor "m.weight.quant_map": gives code 3 the value 0, want -0.3949175 as nf4 has it`},
		{with("nf4", "m.weight.quant_state.bitsandbytes__nf4", func(x raw) raw {
			x.data = []byte(strings.Replace(string(x.data), "[12, 192]", "[12, 193]", 1))
			return x
		}), `DIR/model.safetensors: tensor "m.weight.quant_state.bitsandbytes__nf4": has the shape [12,193], which the codes' 1152 bytes do not hold`},
		{with("mxfp4", "m_scales", nil), `DIR/model.safetensors: tensor "m_scales": is missing, though DIR/config.json says that "m" is quantized`},
		{func() (string, tensors) { return "", list["gptq"].all }, `DIR/model.safetensors: tensor "m.qweight": is quantized by GPTQ or AWQ, as "m.qzeros" beside it says, but there is no config.json that says how`},
		{func() (string, tensors) { return "", list["W8A8"].all }, `DIR/model.safetensors: tensor "m.weight": is quantized by compressed-tensors, as "m.weight_scale" beside it says, but there is no config.json that says how`},
	} {
		text, all := c.damage()
		dir := folder(t, text, all)
		checkpoint, err := Open(dir)
		if err == nil {
			err = checkpoint.Err()
			checkpoint.Close()
		}
		require.Error(t, err, c.want)
		assert.Equal(t, c.want, strings.ReplaceAll(err.Error(), dir, "DIR"))
	}
}

// TestRandomDamage changes bytes of configs and headers: whatever comes of it is no panic, and an error is one line.
func TestRandomDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	list := damaged(t)
	rounds := 10
	if os.Getenv("LOWBIT_EXHAUSTIVE") == "1" {
		rounds = 1000
	}
	for _, scheme := range slices.Sorted(maps.Keys(list)) {
		d := list[scheme]
		dir := folder(t, d.config, d.all)
		path := filepath.Join(dir, "model.safetensors")
		good, err := os.ReadFile(path)
		require.NoError(t, err)
		for range rounds {
			config, file := []byte(d.config), slices.Clone(good)
			for range 1 + r.IntN(3) {
				if r.IntN(2) == 0 {
					config[r.IntN(len(config))] = `09-"[]{},:x`[r.IntN(11)]
				} else {
					file[8+r.IntN(min(len(file)-8, 600))] = byte(r.IntN(256))
				}
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666))
			require.NoError(t, os.WriteFile(path, file, 0o666))
			c, err := Open(dir)
			if err == nil {
				for _, x := range c.Tensors() {
					if x.Err() == nil && x.Elements() > 0 && x.Elements() < 1<<20 {
						if err := ReadRows(x, make([]float32, x.RowLen()), x.Rows()-1); err != nil {
							require.NotContains(t, err.Error(), "\n")
						}
					}
				}
				_, err = NewPlan(c, Dequantization{}, 1<<20)
				c.Close()
			}
			if err != nil {
				require.NotContains(t, err.Error(), "\n")
				require.True(t, strings.HasPrefix(err.Error(), dir), err)
			}
		}
	}
}
