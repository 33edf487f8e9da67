package checkpoint

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// ctPreset is a scheme of compressed-tensors.
type ctPreset struct {
	format      string
	weights     ctWeights
	activations map[string]any // input_activations of config.json, nil for none
}

// zeros tells whether zero points are stored.
func (p ctPreset) zeros() bool { return !p.weights.symmetric }

// choice is the same as package quant has it.
func (p ctPreset) choice() *Choice {
	a := p.weights
	s := quant.Spec{Dialect: quant.CompressedTensors}
	switch {
	case a.kind == "float" && a.bits == 8:
		s.DType = quant.Float8E4M3FN
	case a.kind == "float":
		s.DType = quant.Float4E2M1FN
	case a.bits == 8:
		s.DType = quant.Int8
	default:
		s.DType = quant.Int4
	}
	switch a.strategy {
	case "channel":
		s.Granularity = quant.PerChannel(0)
	case "block":
		s.Granularity = quant.PerBlocks(a.block...).Partial()
	default:
		s.Granularity = quant.PerBlock(-1, a.group)
	}
	switch p.format {
	case ctNVFP4:
		s.ScaleDType = quant.ScaleE4M3FN
	case ctMXFP4:
		s.ScaleDType = quant.ScaleE8M0
	}
	if !a.symmetric {
		s.Scheme = quant.Asymmetric
	}
	return &Choice{Spec: s, Pack: true}
}

// ctWeights is how weights are quantized.
type ctWeights struct {
	bits       int
	kind       string // int or float
	symmetric  bool
	strategy   string
	group      int    // 0 where strategy has none
	block      []int  // of strategy block
	scaleDType string // "" for the model's own
}

// ctPresets are the schemes that are written, by the names of their presets.
var ctPresets = map[string]ctPreset{
	"w8a8":        {ctInt, ctWeights{bits: 8, kind: "int", symmetric: true, strategy: "channel"}, perToken(8, "int")},
	"w4a16":       {ctPack, ctWeights{bits: 4, kind: "int", symmetric: true, strategy: "group", group: 128}, nil},
	"w4a16-asym":  {ctPack, ctWeights{bits: 4, kind: "int", strategy: "group", group: 128}, nil},
	"fp8-dynamic": {ctFloat, ctWeights{bits: 8, kind: "float", symmetric: true, strategy: "channel"}, perToken(8, "float")},
	"fp8-block": {ctFloat, ctWeights{bits: 8, kind: "float", symmetric: true, strategy: "block", block: []int{128, 128}}, map[string]any{
		"dynamic": true, "group_size": 128, "num_bits": 8, "strategy": "group", "symmetric": true, "type": "float",
	}},
	"nvfp4": {ctNVFP4, ctWeights{bits: 4, kind: "float", symmetric: true, strategy: "tensor_group", group: 16, scaleDType: "torch.float8_e4m3fn"}, nil},
	"mxfp4": {ctMXFP4, ctWeights{bits: 4, kind: "float", symmetric: true, strategy: "group", group: 32, scaleDType: "torch.uint8"}, nil},
}

// perToken are dynamic activations with a scale per token.
func perToken(bits int, kind string) map[string]any {
	return map[string]any{"dynamic": true, "group_size": nil, "num_bits": bits, "strategy": "token", "symmetric": true, "type": kind}
}

// CompressedTensorsPresets lists the schemes that NewCompressedTensors knows.
func CompressedTensorsPresets() []string { return slices.Sorted(maps.Keys(ctPresets)) }

// config returns the quantization_config of a checkpoint whose modules of those names were left as they are.
func (p ctPreset) config(ignore []string) map[string]any {
	weights := map[string]any{
		"dynamic": false, "group_size": nil, "num_bits": p.weights.bits, "strategy": p.weights.strategy, "symmetric": p.weights.symmetric, "type": p.weights.kind,
	}
	if p.weights.group != 0 {
		weights["group_size"] = p.weights.group
	}
	if p.weights.block != nil {
		weights["block_structure"] = p.weights.block
	}
	if p.weights.scaleDType != "" {
		weights["scale_dtype"] = p.weights.scaleDType
	}
	var activations any
	if p.activations != nil {
		activations = p.activations
	}
	return map[string]any{
		"config_groups": map[string]any{"group_0": map[string]any{
			"format": p.format, "input_activations": activations, "output_activations": nil, "targets": []string{"Linear"}, "weights": weights,
		}},
		"format":                   p.format,
		"global_compression_ratio": nil,
		"ignore":                   append([]string{}, ignore...),
		"kv_cache_scheme":          nil,
		"quant_method":             methodCT,
		"quantization_status":      "compressed",
		"sparsity_config":          map[string]any{},
		"transform_config":         map[string]any{},
		"version":                  ctVersion,
	}
}

// ctVersion is the version of the library whose files are written.
const ctVersion = "0.20.0"

// lookUpPreset finds a scheme by its name.
func lookUpPreset(name string) (ctPreset, error) {
	p, ok := ctPresets[name]
	if !ok {
		return p, fmt.Errorf("checkpoint: there is no scheme %q of compressed-tensors, there are %v", name, CompressedTensorsPresets())
	}
	return p, nil
}

// CompressedTensors is the job of quantizing a checkpoint to compressed-tensors: the bits that the library gives on a CPU, and a
// config.json that transformers and vLLM take.
type CompressedTensors struct {
	preset ctPreset
	choice *Choice
	name   string
	sel    func(t *Tensor) bool
	what   string
}

// NewCompressedTensors returns a job. A preset is one of CompressedTensorsPresets; selected tells which tensors are quantized, of those that
// have two axes, elements, a floating-point type and a name that ends in .weight: nil stands for IsWeight. Another name for what it selects
// tells one job from another.
func NewCompressedTensors(preset string, selected func(t *Tensor) bool, selection string) (*CompressedTensors, error) {
	p, err := lookUpPreset(preset)
	if err != nil {
		return nil, err
	}
	if selected == nil {
		selected = IsWeight
	}
	return &CompressedTensors{p, p.choice(), preset, selected, selection}, nil
}

// IsWeight tells the tensors that are quantized unless others are asked for: those of two axes whose name ends in weight and has none of
// norm, embed, lm_head, router, gate.weight in it.
func IsWeight(t *Tensor) bool {
	if t.Rank() != 2 || !strings.HasSuffix(t.Name(), "weight") {
		return false
	}
	for _, part := range []string{"norm", "embed", "lm_head", "router", "gate.weight"} {
		if strings.Contains(t.Name(), part) {
			return false
		}
	}
	return true
}

// String names the job.
func (j *CompressedTensors) String() string {
	return fmt.Sprintf("compressed-tensors %s %s", j.name, j.what)
}

// Convert takes the matrices that are selected, if the group size divides their rows.
func (j *CompressedTensors) Convert(t *Tensor) (Converter, error) {
	if _, fromGGUF := t.lead().File.(*gguf.File); fromGGUF {
		return nil, t.refuse("is in a GGUF file: compressed-tensors is made of safetensors")
	}
	if t.Quantized() {
		return nil, t.refuse("is quantized already, by %v: dequantize first", t.Scheme().Method)
	}
	if t.Rank() != 2 || t.Elements() == 0 || !floating(t.dtype) || !j.sel(t) {
		return nil, nil
	}
	if module, ok := strings.CutSuffix(t.Name(), ".weight"); !ok || module == "" {
		return nil, Kept("its name does not end in .weight, as that of a module's weight does")
	}
	if g := j.preset.weights.group; g != 0 && t.Shape()[1]%g != 0 {
		return nil, Kept(fmt.Sprintf("its rows of %d elements are not whole groups of %d", t.Shape()[1], g))
	}
	return newCTWriter(t, j.preset, j.choice)
}

// Metadata says that the tensors are torch's, as its readers want to hear.
func (j *CompressedTensors) Metadata(f *safetensors.File, _ iter.Seq[string], _ func(string) Converter) (map[string]string, error) {
	metadata := maps.Clone(metadataOf(f))
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata["format"] = "pt"
	return metadata, nil
}

// Config sets the quantization_config. Its ignore lists the modules whose matrices stay as they are, embeddings aside.
func (j *CompressedTensors) Config(old []byte, changes []Change) ([]byte, error) {
	var ignore []string
	for _, c := range changes {
		module, ok := strings.CutSuffix(c.Tensor.Name(), ".weight")
		if ok && module != "" && !c.Converted && c.Tensor.Rank() == 2 && !strings.Contains(c.Tensor.Name(), "embed") {
			ignore = append(ignore, module)
		}
	}
	slices.Sort(ignore)
	if old == nil {
		old = []byte("{}")
	}
	return editConfig(old, j.preset.config(ignore))
}
