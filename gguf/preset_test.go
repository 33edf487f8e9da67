package gguf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// model lists a model's tensors in the order of llama.cpp's converter.
type model []Info

func (m *model) add(name string, t Type, shape ...int) {
	*m = append(*m, Info{Name: name, Type: t, Shape: shape})
}

// llama is a model of that many layers; rows have 256 elements.
func llama(layers int, tied bool) (m model) {
	m.add("token_embd.weight", F16, 1000, 256)
	for i := range layers {
		p := fmt.Sprintf("blk.%d.", i)
		m.add(p+"attn_norm.weight", F32, 256)
		m.add(p+"attn_q.weight", F16, 256, 256)
		m.add(p+"attn_k.weight", F16, 256, 256)
		m.add(p+"attn_v.weight", F16, 256, 256)
		m.add(p+"attn_output.weight", F16, 256, 256)
		m.add(p+"ffn_norm.weight", F32, 256)
		m.add(p+"ffn_gate.weight", F16, 512, 256)
		m.add(p+"ffn_up.weight", F16, 512, 256)
		m.add(p+"ffn_down.weight", F16, 256, 512)
	}
	m.add("output_norm.weight", F32, 256)
	if !tied {
		m.add("output.weight", F16, 1000, 256)
	}
	return m
}

// mixtral is a model with experts.
func mixtral(layers, experts int) (m model) {
	m.add("token_embd.weight", BF16, 1000, 256)
	for i := range layers {
		p := fmt.Sprintf("blk.%d.", i)
		m.add(p+"attn_k.weight", BF16, 256, 256)
		m.add(p+"attn_q.weight", BF16, 256, 256)
		m.add(p+"attn_v.weight", BF16, 256, 256)
		m.add(p+"attn_output.weight", BF16, 256, 256)
		m.add(p+"ffn_gate_inp.weight", F32, experts, 256)
		m.add(p+"ffn_down_exps.weight", BF16, experts, 256, 512)
		m.add(p+"ffn_up_exps.weight", BF16, experts, 512, 256)
	}
	m.add("output.weight", BF16, 1000, 256)
	return m
}

// typesOf gives the types by name.
func typesOf(t *testing.T, preset string, tensors []Info, m Model) map[string]Type {
	p, err := ParsePreset(preset)
	require.NoError(t, err)
	byName := map[string]Type{}
	for i, typ := range p.Types(tensors, m) {
		byName[tensors[i].Name] = typ
	}
	return byName
}

// Every tensor of a llama of 32 layers. The layers with more bits are 0 to 3, 28 to 31, and of those between 6, 9, ... 27: (i-4) % 3 == 2.
func TestTypesOfLlama(t *testing.T) {
	more := map[int]bool{0: true, 1: true, 2: true, 3: true, 6: true, 9: true, 12: true, 15: true, 18: true, 21: true, 24: true, 27: true, 28: true, 29: true, 30: true, 31: true}
	first := func(i, n int) bool { return i < n }
	for _, c := range []struct {
		preset     string
		importance bool
		base       Type
		output     Type
		v, down    func(i int) Type // nil: the base
	}{
		{"q4_k_m", false, Q4_K, Q6_K, func(i int) Type { return pick(more[i], Q6_K, Q4_K) }, func(i int) Type { return pick(more[i], Q6_K, Q4_K) }},
		{"q5_k_m", false, Q5_K, Q6_K, func(i int) Type { return pick(more[i], Q6_K, Q5_K) }, func(i int) Type { return pick(more[i], Q6_K, Q5_K) }},
		{"q4_k_s", false, Q4_K, Q6_K, func(i int) Type { return pick(first(i, 4), Q5_K, Q4_K) }, func(i int) Type { return pick(first(i, 4), Q5_K, Q4_K) }},
		{"q5_k_s", false, Q5_K, Q6_K, nil, nil},
		{"q4_k", false, Q4_K, Q6_K, nil, nil},
		{"q5_k", false, Q5_K, Q6_K, nil, nil},
		{"q6_k", false, Q6_K, Q6_K, nil, nil},
		{"q2_k", true, Q2_K, Q6_K, nil, nil},
		{"q3_k", false, Q3_K, Q6_K, nil, nil},
		{"q8_0", true, Q8_0, Q8_0, nil, nil},
		{"q4_0", false, Q4_0, Q6_K, nil, nil},
		{"q5_0", false, Q5_0, Q6_K, nil, nil},
		{"q4_0", true, Q4_0, Q6_K, nil, func(i int) Type { return pick(first(i, 4), Q4_1, Q4_0) }},
		{"q5_0", true, Q5_0, Q6_K, nil, func(i int) Type { return pick(first(i, 4), Q5_1, Q5_0) }},
		{"q4_1", true, Q4_1, Q6_K, nil, nil},
		{"q5_1", false, Q5_1, Q6_K, nil, nil},
		{"iq4_nl", false, IQ4_NL, Q6_K, nil, nil},
		{"iq4_xs", false, IQ4_XS, Q6_K, nil, nil},
		{"mxfp4", false, MXFP4, Q6_K, nil, nil},
		{"nvfp4", false, NVFP4, Q6_K, nil, nil},
		{"mxfp4_moe", false, Q8_0, Q8_0, nil, nil},
		{"f16", false, F16, F16, nil, nil},
		{"bf16", false, BF16, BF16, nil, nil},
		{"f32", false, F32, F32, nil, nil},
	} {
		t.Run(fmt.Sprint(c.preset, c.importance), func(t *testing.T) {
			got := typesOf(t, c.preset, llama(32, false), Model{Layers: 32, Importance: c.importance})
			require.Equal(t, c.output, got["output.weight"])
			require.Equal(t, c.base, got["token_embd.weight"])
			require.Equal(t, F32, got["output_norm.weight"])
			for i := range 32 {
				p := fmt.Sprintf("blk.%d.", i)
				for _, name := range []string{"attn_q", "attn_k", "attn_output", "ffn_gate", "ffn_up"} {
					require.Equal(t, c.base, got[p+name+".weight"], p+name)
				}
				v, down := c.base, c.base
				if c.v != nil {
					v = c.v(i)
				}
				if c.down != nil {
					down = c.down(i)
				}
				require.Equal(t, v, got[p+"attn_v.weight"], p)
				require.Equal(t, down, got[p+"ffn_down.weight"], p)
				require.Equal(t, F32, got[p+"attn_norm.weight"], p)
			}
		})
	}
}

func pick(yes bool, a, b Type) Type {
	if yes {
		return a
	}
	return b
}

// Tied embeddings are the output; pure files have one type; the number of layers is that of the names if the metadata has none.
func TestTypesOfOtherLlamas(t *testing.T) {
	tied := typesOf(t, "q4_k_m", llama(8, true), Model{})
	require.Equal(t, Q6_K, tied["token_embd.weight"])
	want := map[int]Type{0: Q6_K, 1: Q4_K, 2: Q4_K, 3: Q6_K, 4: Q4_K, 5: Q4_K, 6: Q6_K, 7: Q6_K} // n/8 = 1, 7n/8 = 7
	for i, typ := range want {
		require.Equal(t, typ, tied[fmt.Sprintf("blk.%d.attn_v.weight", i)], i)
	}
	for _, p := range Presets() {
		for name, typ := range typesOf(t, p.Name, llama(8, true), Model{Pure: true}) {
			if strings.Contains(name, "norm") {
				require.Equal(t, F32, typ)
			} else {
				require.Equal(t, p.Base, typ, "%s: %s", p.Name, name)
			}
		}
	}
}

// The models with experts: of the eight of Mixtral, attn_k and attn_v are Q8_0, whatever the mix; routers stay.
func TestTypesOfExperts(t *testing.T) {
	for _, c := range []struct {
		preset                    string
		experts                   int
		k, v, q, down0, down2, up Type
		output                    Type
	}{
		{"q4_k_m", 8, Q8_0, Q8_0, Q4_K, Q6_K, Q4_K, Q4_K, Q6_K}, // 16 layers: the first eighth is 0 and 1
		{"q4_k_s", 8, Q8_0, Q8_0, Q4_K, Q5_K, Q4_K, Q4_K, Q6_K},
		{"q5_k_m", 8, Q8_0, Q8_0, Q5_K, Q6_K, Q5_K, Q5_K, Q6_K},
		{"q4_k", 8, Q8_0, Q8_0, Q4_K, Q4_K, Q4_K, Q4_K, Q6_K},
		{"q4_k_m", 4, Q4_K, Q6_K, Q4_K, Q6_K, Q4_K, Q4_K, Q6_K},
		{"mxfp4_moe", 8, Q8_0, Q8_0, Q8_0, MXFP4, MXFP4, MXFP4, Q8_0},
		{"mxfp4_moe", 32, Q8_0, Q8_0, Q8_0, MXFP4, MXFP4, MXFP4, Q8_0},
		{"f16", 8, F16, F16, F16, F16, F16, F16, F16},
	} {
		got := typesOf(t, c.preset, mixtral(16, c.experts), Model{Layers: 16, Experts: c.experts})
		what := fmt.Sprint(c.preset, c.experts)
		require.Equal(t, c.k, got["blk.0.attn_k.weight"], what)
		require.Equal(t, c.v, got["blk.0.attn_v.weight"], what)
		require.Equal(t, c.q, got["blk.0.attn_q.weight"], what)
		require.Equal(t, c.down0, got["blk.0.ffn_down_exps.weight"], what)
		require.Equal(t, c.down2, got["blk.2.ffn_down_exps.weight"], what)
		require.Equal(t, c.up, got["blk.15.ffn_up_exps.weight"], what)
		require.Equal(t, c.output, got["output.weight"], what)
		require.Equal(t, F32, got["blk.3.ffn_gate_inp.weight"], what)
	}
}

// Names, axes and rows that make a difference.
func TestTypesOfOthers(t *testing.T) {
	for _, c := range []struct {
		preset, name string
		shape        []int
		want         Type
	}{
		{"q4_k_m", "blk.1.attn_qkv.weight", []int{768, 256}, Q5_K},
		{"q5_k_m", "blk.1.attn_qkv.weight", []int{768, 256}, Q6_K},
		{"q4_k_s", "blk.1.attn_qkv.weight", []int{768, 256}, Q4_K},
		{"q4_k", "blk.1.attn_q.weight", []int{256}, BF16},
		{"q4_k", "blk.1.attn_q.weight", []int{1, 256}, BF16},
		{"q4_k", "blk.1.attn_q.weight", []int{2, 1, 256}, Q4_K},
		{"q4_k", "blk.1.attn_q.bias", []int{256, 256}, BF16},
		{"q4_k", "blk.1.attn_q_norm.weight", []int{256, 256}, BF16},
		{"q4_k", "blk.1.ffn_gate_inp.weight", []int{8, 256}, BF16},
		{"q4_k", "blk.1.ssm_conv1d.weight", []int{256, 4}, BF16},
		{"q4_k", "blk.1.shortconv.conv.weight", []int{256, 4}, BF16},
		{"q4_k", "blk.1.altup_router.weight", []int{4, 256}, BF16},
		{"q4_k", "blk.1.laurel_l.weight", []int{64, 256}, BF16},
		{"q4_k", "per_layer_model_proj.weight", []int{64, 256}, BF16},
		{"q4_k", "blk.1.time_mix_w1.weight", []int{64, 256}, BF16},
		{"q4_k", "enc.blk.1.attn_rel_b.weight", []int{64, 256}, BF16},
		{"q4_k", "position_embd.weight", []int{64, 256}, BF16},
		{"q4_k", "v.patch_embd.weight", []int{64, 256}, BF16},
		{"q2_k", "x.weight", []int{2, 96}, Q4_0},
		{"q3_k", "x.weight", []int{2, 96}, Q4_0},
		{"q4_k", "x.weight", []int{2, 96}, Q5_0},
		{"q5_k", "x.weight", []int{2, 96}, Q5_1},
		{"q6_k", "x.weight", []int{2, 96}, Q8_0},
		{"iq4_xs", "x.weight", []int{2, 96}, IQ4_NL},
		{"q4_k", "x.weight", []int{2, 100}, F16},
		{"q8_0", "x.weight", []int{2, 100}, F16},
		{"nvfp4", "x.weight", []int{2, 96}, F16},
		{"q4_k", "output.weight", []int{2, 96}, Q8_0},
		{"q4_0", "output.weight", []int{2, 96}, Q8_0}, // Q6_K, whose block does not divide 96
		{"q4_k", "output.weight", []int{2, 100}, F16},
		{"q4_k_m", "ffn_down.weight", []int{2, 256}, Q4_K}, // of no layer
	} {
		tensors := []Info{{Name: c.name, Type: BF16, Shape: c.shape}}
		require.Equal(t, c.want, typesOf(t, c.preset, tensors, Model{Layers: 32})[c.name], "%s %s %v", c.preset, c.name, c.shape)
	}
	require.Equal(t, I32, typesOf(t, "q4_k", []Info{{Name: "x.weight", Type: I32, Shape: []int{256, 256}}}, Model{})["x.weight"])
	_, err := ParsePreset("q4_k_l")
	require.EqualError(t, err, `unknown preset "q4_k_l"`)
}
