package main

import (
	"fmt"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// presetsCommand is lowbit presets: what quantize --preset takes.
type presetsCommand struct{}

// presetShape is the matrix that bits per weight are told of.
var presetShape = safetensors.ShapeOf(4096, 4096)

// Run prints each preset with its bits per weight, what reads the result, and its spec.
func (c *presetsCommand) Run(t *tool) error {
	list := newTable(t.stdout, column{head: "PRESET", most: 16}, column{head: ">BITS/WEIGHT", most: 12}, column{head: "READ BY", most: 24}, column{head: "SPEC", most: 140})
	for _, name := range quant.Presets() {
		w, err := preset(name)
		if err != nil {
			return err
		}
		groups, err := w.spec.Granularity.Groups(presetShape.Dims(), quant.Weight)
		if err != nil {
			return err
		}
		r := checkpoint.Record{Spec: w.spec, DType: safetensors.BF16, Shape: presetShape, Packed: w.spec.DType.Bits() < 8}
		bits := float64(r.Bits(safetensors.ShapeOf(groups...).Elements())) / float64(presetShape.Elements())
		list.add(name, fmt.Sprintf("%.3f", bits), "lowbit", specText(w.spec))
	}
	if err := list.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.stdout, "\nbits per weight of a bfloat16 matrix of %v, with its scales\n", presetShape)
	return err
}
