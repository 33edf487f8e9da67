package main

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// openImportance reads an importance matrix: llama.cpp's in either form, or what calibrate writes, which is a safetensors file.
func openImportance(path string) (*gguf.Importance, error) {
	if !beginsAsSafetensors(path) {
		return gguf.OpenImportance(path)
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const sums, counts = ".in_sum2", ".counts"
	weights, entries := map[string][]float32{}, 0
	for _, info := range f.Tensors() {
		name, ok := strings.CutSuffix(info.Name, sums)
		if !ok {
			continue
		}
		state := quant.State{}
		for _, suffix := range []string{sums, counts} {
			info, ok := f.Lookup(name + suffix)
			if !ok {
				return nil, refuse(f, name+suffix, "is missing")
			}
			data, err := f.ReadAll(info.Name)
			if err != nil {
				return nil, err
			}
			state[suffix[1:]] = quant.StateTensor{DType: info.DType.String(), Shape: info.Shape.Dims(), Data: data}
		}
		var seen quant.Importance[float32]
		if err := seen.LoadState(state); err != nil {
			return nil, inTensor(f, name, err)
		}
		entries++
		if w := seen.Weights(); w != nil { // nil of a tensor without elements
			weights[name] = w
		}
	}
	if entries == 0 {
		return nil, &safetensors.Error{File: path, Err: fmt.Errorf("no importance matrix: no tensor is called NAME%s", sums)}
	}
	return gguf.NewImportance(path, weights)
}

// beginsAsSafetensors tells a safetensors file by its beginning: a length that it has, and an object.
func beginsAsSafetensors(path string) bool {
	head := beginning(path, 16)
	return len(head) > 8 && binary.LittleEndian.Uint64(head) < math.MaxInt32 && strings.HasPrefix(strings.TrimLeft(string(head[8:]), " \t\r\n"), "{")
}

// weights are those of an importance matrix, for the range calculator mse. Without --imatrix they are nil.
type weights struct {
	importance *gguf.Importance
	stamp      string
	err        error  // of the first tensor that they do not fit
	missing    int    // tensors that are searched without weights
	first      string // of them
	used       bool
}

func (c *quantizeCommand) weights() (*weights, error) {
	if c.IMatrix == "" {
		return nil, nil
	}
	importance, err := openImportance(string(c.IMatrix))
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(string(c.IMatrix))
	if err != nil {
		return nil, err
	}
	return &weights{importance: importance, stamp: fmt.Sprintf(" imatrix %s %d %v", c.IMatrix, info.Size(), info.ModTime().UnixNano())}, nil
}

// text tells one importance matrix from another.
func (w *weights) text() string {
	if w == nil {
		return ""
	}
	return w.stamp
}

// give adds the weights of a tensor to the choice of how it is quantized, if that is by a search.
func (w *weights) give(t *checkpoint.Tensor, choice *checkpoint.Choice) *checkpoint.Choice {
	if w == nil || choice == nil || choice.Spec.RangeCalculator.Name != "mse" {
		return choice
	}
	w.used = true
	info := gguf.Info{Name: t.Name(), Shape: t.Shape()}
	values, err := w.importance.Weights(info)
	if last := len(info.Shape) - 2; err != nil && last > 0 { // those of all matrices, as calibrate keeps them
		info.Shape = info.Shape[last:]
		if alike, err2 := w.importance.Weights(info); err2 == nil {
			values, err = alike, nil
		}
	}
	switch {
	case err != nil && w.err == nil:
		w.err = err
	case values == nil && err == nil:
		if w.missing++; w.missing == 1 {
			w.first = t.Name()
		}
	}
	weighted := *choice
	weighted.Importance = values
	return &weighted
}

// check returns what was found wrong while the plan was made.
func (w *weights) check() error {
	switch {
	case w == nil:
		return nil
	case w.err != nil:
		return w.err
	case !w.used:
		return usagef("--imatrix: no tensor is quantized by the range calculator mse, which is what takes it")
	}
	return nil
}

// warn says once that some tensors have no weights.
func (w *weights) warn(log *slog.Logger) {
	if w != nil && w.missing > 0 {
		log.Warn(fmt.Sprintf("the importance matrix has nothing for %s, the first of which is named", tensorCount(w.missing)), "tensor", w.first)
	}
}
