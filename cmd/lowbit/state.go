package main

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// states are quantizers' states by the names of their tensors. In a file, that of T is under T. and the state's own names.
type states map[string]quant.State

// readState reads the state of a tensor's quantizer. Whether it is complete is for the quantizer to say.
func readState(f *safetensors.File, tensor string) (quant.State, error) {
	state := make(quant.State)
	for _, name := range quant.StateNames() {
		info, ok := f.Lookup(tensor + "." + name)
		if !ok {
			continue
		}
		data, err := f.ReadAll(info.Name)
		if err != nil {
			return nil, err
		}
		state[name] = quant.StateTensor{DType: info.DType.String(), Shape: info.Shape.Dims(), Data: data}
	}
	if len(state) == 0 {
		return nil, refuse(f, tensor, "has no state in this file")
	}
	return state, nil
}

// restated makes of a state of calibrate --ranges or --histogram one of a quantizer of any other spec that goes on with these, nil if it is none. Its
// parameters are placeholders: the next pass observes, and has parameters by the quantizer's own spec.
func restated[T kernels.Float](state quant.State, q quantizers.Quantizer[T], target quant.Target) quant.State {
	const prefix = "qparams_calculator."
	text := rangesSpec
	if _, ok := state[prefix+"histogram_counts"]; ok {
		text = histogramSpec
	}
	spec, err := quant.ParseSpec([]byte(text))
	if err != nil {
		return nil
	}
	from, err := quantizers.New[T](spec, target, quantizers.Options{})
	if err != nil || from.LoadState(state) != nil || !from.ObserverEnabled() {
		return nil
	}
	groups, own := state[prefix+"scale"].Shape, q.State()
	for name := range state {
		if name != prefix+"zero_point" && name != prefix+"minval" && own[name].DType == "" {
			return nil
		}
	}
	if own[prefix+"running_min"].DType == "" {
		return nil
	}
	for name, t := range own {
		value := float32(0)
		switch strings.TrimPrefix(name, prefix) {
		case "scale", "factor", "global_scale":
			value = 1
		case "zero_point", "minval":
		default:
			own[name] = state[name] // LoadState refuses what is missing
			continue
		}
		if len(t.Shape) > 0 {
			t.Shape = groups
		}
		t.Data = nil
		for range safetensors.ShapeOf(t.Shape...).Elements() {
			t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(value))
		}
		own[name] = t
	}
	return own
}

// create writes a file, all but the last step.
func (s states) create(path string) (*safetensors.Writer, error) {
	var tensors []safetensors.Info
	data := make(map[string][]byte)
	for _, tensor := range slices.Sorted(maps.Keys(s)) {
		for _, name := range slices.Sorted(maps.Keys(s[tensor])) {
			t := s[tensor][name]
			dtype, err := safetensors.ParseDType(t.DType)
			if err != nil {
				return nil, err
			}
			full := tensor + "." + name
			tensors = append(tensors, safetensors.Info{Name: full, DType: dtype, Shape: safetensors.ShapeOf(t.Shape...)})
			data[full] = t.Data
		}
	}
	w, err := safetensors.Create(path, nil, tensors)
	if err != nil {
		return nil, err
	}
	for name, bytes := range data {
		if err := w.WriteTensor(name, bytes, 0); err != nil {
			w.Close()
			return nil, err
		}
	}
	return w, nil
}
