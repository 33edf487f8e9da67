package main

import (
	"maps"
	"slices"

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
