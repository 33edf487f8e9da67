package gguf

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// Preset is what a model is quantized to: a type, or a mix of types that tensors get by their names. Presets lists them.
type Preset struct {
	Name     string // as Presets has it: q4_k, q4_k_m
	Base     Type   // of all tensors for which there is no rule
	FileType uint32 // what general.file_type says
	mix      bool   // has rules of its own
}

var presets = []Preset{
	{"f32", F32, 0, false}, {"f16", F16, 1, false}, {"bf16", BF16, 32, false},
	{"q8_0", Q8_0, 7, false}, {"q4_0", Q4_0, 2, false}, {"q4_1", Q4_1, 3, false}, {"q5_0", Q5_0, 8, false}, {"q5_1", Q5_1, 9, false},
	{"q2_k", Q2_K, 10, false}, {"q3_k", Q3_K, 11, false}, {"q4_k", Q4_K, 14, false}, {"q5_k", Q5_K, 16, false}, {"q6_k", Q6_K, 18, false},
	{"iq4_nl", IQ4_NL, 25, false}, {"iq4_xs", IQ4_XS, 30, false}, {"mxfp4", MXFP4, 38, false}, {"nvfp4", NVFP4, 39, false},
	{"q4_k_s", Q4_K, 14, true}, {"q4_k_m", Q4_K, 15, true}, {"q5_k_s", Q5_K, 16, true}, {"q5_k_m", Q5_K, 17, true}, {"mxfp4_moe", MXFP4, 38, true},
}

// Presets lists all presets: the plain types first, then the mixes.
func Presets() []Preset { return append([]Preset(nil), presets...) }

// ParsePreset finds a preset by its name, in capitals or not.
func ParsePreset(name string) (Preset, error) {
	for _, p := range presets {
		if strings.EqualFold(p.Name, name) {
			return p, nil
		}
	}
	return Preset{}, fmt.Errorf("unknown preset %s", tensorfile.Quote(name))
}

// Model is what the types of a model's tensors depend on, beside their names and shapes.
type Model struct {
	Layers  int // the metadata's ARCH.block_count; 0 stands for one more than the largest number in a tensor's name
	Experts int // the metadata's ARCH.expert_count

	Importance bool // there is an importance matrix
	Pure       bool // all tensors that are quantized get the base type
}

// ModelOf takes from the metadata what is there.
func ModelOf(f *File) (m Model) {
	architecture, _ := f.Value("general.architecture").(string)
	m.Layers = integer(f.Value(architecture + ".block_count"))
	m.Experts = integer(f.Value(architecture + ".expert_count"))
	return m
}

// integer is a value of the metadata as an int, 0 if it is no number that fits one of 32 bits.
func integer(value any) int {
	n := int64(0)
	switch v := reflect.ValueOf(value); {
	case v.CanInt():
		n = v.Int()
	case v.CanUint():
		n = int64(v.Uint())
	}
	if n != int64(int32(n)) {
		return 0
	}
	return int(n)
}

// Types gives the type that each tensor of a model gets.
//
// A tensor keeps its type unless it has two axes or more that are not 1 (but for inner ones), its name ends in "weight", and the name has none of
// the parts that stand for norms, routers of experts, small convolutions, position embeddings and the like. Others get the base type, but for
// these rules, which Pure turns off:
//
//	output.weight, or token_embd.weight if there is none    Q6_K; Q8_0 if the block does not divide the row, or with q8_0 and mxfp4_moe
//	q4_k_m, q5_k_m    attn_v, ffn_down                      Q6_K in the first eighth of the layers, the last, and every third between
//	q4_k_m, q5_k_m    attn_qkv                              Q5_K, Q6_K
//	q4_k_s            attn_v of the first four layers       Q5_K
//	q4_k_s            ffn_down of the first eighth          Q5_K
//	mxfp4_moe         tensors with experts                  MXFP4, and all others Q8_0
//	q4_0, q5_0        ffn_down of the first eighth          Q4_1, Q5_1, if there is an importance matrix
//	models with eight experts: attn_k, attn_v               Q8_0
//
// With n layers layer i is in the first eighth if i < n/8, in the last if i >= 7n/8, and a third between if (i - n/8) % 3 == 2, all integer
// divisions. If the block does not divide the row, Q2_K and Q3_K become Q4_0, Q4_K becomes Q5_0, Q5_K Q5_1, Q6_K Q8_0 and IQ4_XS IQ4_NL; if 32
// does not divide it either, and for all other types, it is F16. The presets f32, f16 and bf16 have no rules.
//
// The rules are those of llama-quantize as its source says, read and not run: no file of llama.cpp's was compared. It differs, as of
// 2026, in that it treats attn_qkv as attn_v, and quantizes the large ones of RWKV's time_mix tensors.
func (p Preset) Types(tensors []Info, m Model) []Type {
	c := chooser{Preset: p, Model: m, output: "token_embd.weight"}
	for _, t := range tensors {
		if t.Name == "output.weight" {
			c.output = t.Name
		}
		if m.Layers == 0 {
			if i, ok := layer(t.Name); ok {
				c.Layers = max(c.Layers, i+1)
			}
		}
	}
	list := make([]Type, len(tensors))
	for i, t := range tensors {
		list[i] = c.choose(t)
	}
	return list
}

// chooser knows all that decides.
type chooser struct {
	Preset
	Model
	output string // the tensor with the last layer
}

func (c *chooser) choose(t Info) Type {
	if !quantizable(t) {
		return t.Type
	}
	if !c.Base.Quantized() {
		return c.Base
	}
	if c.Pure {
		return c.Base.Fit(t.Row())
	}
	return c.rule(t).Fit(t.Row())
}

// rule gives the type that the rules say.
func (c *chooser) rule(t Info) Type {
	moe := c.mix && c.Base == MXFP4
	if t.Name == c.output {
		if moe || c.Base == Q8_0 || t.Row()%c.Base.BlockLen() != 0 {
			return Q8_0
		}
		return Q6_K
	}
	if moe {
		if len(t.Shape) > 2 && t.Shape[len(t.Shape)-3] > 1 {
			return MXFP4
		}
		return Q8_0
	}
	i, numbered := layer(t.Name)
	has := func(part string) bool { return strings.Contains(t.Name, part) }
	first := numbered && i < c.Layers/8
	more := first || numbered && (i >= 7*c.Layers/8 || (i-c.Layers/8)%3 == 2)
	medium, small := c.mix && strings.HasSuffix(c.Name, "_m"), c.Name == "q4_k_s"
	switch {
	case has("attn_v.weight"):
		switch {
		case c.Experts == 8:
			return Q8_0
		case medium && more:
			return Q6_K
		case small && numbered && i < 4:
			return Q5_K
		}
	case has("attn_k.weight"):
		if c.Experts == 8 {
			return Q8_0
		}
	case has("attn_qkv.weight"):
		switch {
		case medium && c.Base == Q4_K:
			return Q5_K
		case medium:
			return Q6_K
		}
	case has("ffn_down"):
		switch {
		case medium && more:
			return Q6_K
		case small && first:
			return Q5_K
		case c.Importance && first && c.Base == Q4_0:
			return Q4_1
		case c.Importance && first && c.Base == Q5_0:
			return Q5_1
		}
	}
	return c.Base
}

// Fit gives the type that a tensor with rows of so many elements gets in the place of one whose blocks may not divide them, as Types says.
func (t Type) Fit(row int) Type {
	if row%t.BlockLen() == 0 {
		return t
	}
	switch t {
	case Q2_K, Q3_K:
		t = Q4_0
	case Q4_K:
		t = Q5_0
	case Q5_K:
		t = Q5_1
	case Q6_K:
		t = Q8_0
	case IQ4_XS:
		t = IQ4_NL
	}
	if row%t.BlockLen() != 0 {
		return F16
	}
	return t
}

// kept are parts of the names of tensors that are not quantized.
var kept = []string{
	"_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel", "per_layer_model_proj", "ssm_conv1d",
	"shortconv.conv.weight", "indexer.k_proj.weight", "indexer.q_proj.weight", "time_mix_", "attn_rel_b", "position_embd", "token_types.weight",
	"sam.pos_embd", "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger", "a.rvq.codebook", "mm.a.code_embd",
}

// quantizable tells whether a tensor is quantized at all.
func quantizable(t Info) bool {
	switch t.Type {
	case F32, F16, BF16:
	default:
		return false
	}
	matrix := false // an axis but the last is not 1, which is how ggml counts
	for axis := range len(t.Shape) - 1 {
		matrix = matrix || t.Shape[axis] != 1
	}
	if !matrix || !strings.HasSuffix(t.Name, "weight") {
		return false
	}
	for _, part := range kept {
		if strings.Contains(t.Name, part) {
			return false
		}
	}
	return true
}

var layerNumber = regexp.MustCompile(`(?:^|\.)blk\.([0-9]{1,6})\.`)

// layer finds the number of the layer in a tensor's name.
func layer(name string) (i int, ok bool) {
	m := layerNumber.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	i, err := strconv.Atoi(m[1])
	return i, err == nil
}

// Metadata returns the metadata of a model that is quantized: that of the source in its order, with general.file_type and
// general.quantization_version set, and quantize.imatrix.* if there is an importance matrix.
func (p Preset) Metadata(source []KV, im *Importance) []KV {
	metadata := append([]KV(nil), source...)
	set := func(key string, value any) {
		for i := range metadata {
			if metadata[i].Key == key {
				metadata[i].Value = value
				return
			}
		}
		metadata = append(metadata, KV{key, value})
	}
	set("general.file_type", p.FileType)
	set("general.quantization_version", uint32(2))
	if im != nil {
		set("quantize.imatrix.file", im.File)
		if len(im.Datasets) > 0 {
			set("quantize.imatrix.dataset", im.Datasets[0])
		}
		set("quantize.imatrix.entries_count", uint32(len(im.Names())))
		if im.Chunks > 0 {
			set("quantize.imatrix.chunks_count", uint32(im.Chunks))
		}
	}
	return metadata
}
