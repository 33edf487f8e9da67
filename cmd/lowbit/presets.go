package main

import (
	"fmt"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// presetsCommand is lowbit presets: what quantize --preset takes.
type presetsCommand struct{}

// presetShape is the matrix that bits per weight are told of.
var presetShape = safetensors.ShapeOf(4096, 4096)

// Run prints each preset with its bits per weight, what reads the result, and its spec.
func (c *presetsCommand) Run(t *tool) error {
	list := newTable(t.stdout, column{head: "PRESET", most: 16}, column{head: "TO", most: 20}, column{head: ">BITS/WEIGHT", most: 12}, column{head: "READ BY", most: 32}, column{head: ">SEARCH GAINS", most: 12}, column{head: "SPEC", most: 400})
	for _, name := range quant.Presets() {
		spec, err := quant.Preset(name)
		if err != nil {
			return err
		}
		groups, err := spec.Granularity.Groups(presetShape.Dims(), quant.Weight)
		if err != nil {
			return err
		}
		r := checkpoint.Record{Spec: spec, DType: safetensors.BF16, Shape: presetShape, Packed: spec.DType.Bits() < 8}
		bits := float64(r.Bits(safetensors.ShapeOf(groups...).Elements())) / float64(presetShape.Elements())
		gain := ""
		if g, ok := searchGains[name]; ok {
			gain = fmt.Sprintf("%.2f dB", g)
		}
		list.add(name, toLowbit, fmt.Sprintf("%.3f", bits), "Lowbit", gain, specText(spec))
	}
	for _, name := range checkpoint.CompressedTensorsPresets() {
		list.add(name, toCT, ctBits[name], "vLLM, transformers", "", "")
	}
	for _, p := range gguf.Presets() {
		bits := fmt.Sprintf("%.3f", 8*float64(p.Base.BlockBytes())/float64(p.Base.BlockLen()))
		if _, err := gguf.ParseType(p.Name); err != nil {
			bits = ">= " + bits
		}
		list.add(p.Name, toGGUF, bits, "llama.cpp", "", "")
	}
	if err := list.flush(); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "\nbits per weight of a bfloat16 matrix of %v, with its scales; a mix has more where its rules say so\n", presetShape)
	_, err := fmt.Fprintf(t.stdout, "%s", searchNote)
	return err
}

// searchNote tells what a search is, and what it costs: the measurements of bench/README.md.
const searchNote = `-mse searches for the scales of the least squared error. SEARCH GAINS is SQNR on the weights of lowbit demo. To search takes 37 times as
long as to fake-quantize to int4, 78 times with int2, 78 to 92 times with nvfp4, with one core of an EPYC (Zen 3) and AVX2.
To read the result takes no longer.
`

// searchGains are what searches gain on the weights of demo, in dB.
var searchGains = map[string]float64{
	"int4-g32-mse": 0.71, "int4-g64-mse": 0.71, "int4-g128-mse": 0.84, "uint4-g32-mse": 0.31, "uint4-g64-mse": 0.37, "uint4-g128-mse": 0.51,
	"int2-g32-mse": 2.21, "fp8-mse": 0.26, "mxfp8-mse": 1.07, "mxfp6-mse": 0.06, "mxfp4-mse": 0.28, "nvfp4-mse": 1.34,
}

// ctBits are the bits per weight of such a matrix in compressed-tensors.
var ctBits = map[string]string{
	"w8a8": "8.004", "w4a16": "4.125", "w4a16-asym": "4.156", "fp8-dynamic": "8.004", "fp8-block": "8.001", "nvfp4": "4.500", "mxfp4": "4.250",
}
