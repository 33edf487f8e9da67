package main

import (
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// taken tells whether IN has a tensor of that name, in whatever file.
type taken func(name string) bool

// inFile tells whether a file has it.
func inFile(f *safetensors.File) taken {
	return func(name string) bool { _, ok := f.Lookup(name); return ok }
}

// layout gathers the tensors of a file to be written from one that is there.
type layout struct {
	in      *safetensors.File
	taken   taken
	tensors []safetensors.Info
}

// add adds a tensor of the input, in this type and shape.
func (l *layout) add(name string, t safetensors.DType, shape safetensors.Shape) {
	l.tensors = append(l.tensors, safetensors.Info{Name: name, DType: t, Shape: shape})
}

// beside adds a tensor that is written beside one of the input's, which must not have its name already.
func (l *layout) beside(tensor, suffix string, t safetensors.DType, shape safetensors.Shape) error {
	name := tensor + suffix
	if l.taken(name) {
		return refuse(l.in, tensor, "its %q would be written to a name that the file has already", name)
	}
	l.add(name, t, shape)
	return nil
}

// Names that are written beside a tensor's own.
const (
	maskSuffix      = ".mask"
	scaleSuffix     = ".scale"
	zeroPointSuffix = ".zero_point"
	minvalSuffix    = ".minval"
	gradSuffix      = ".grad"
)

// parameters adds what fakequant writes of a tensor's parameters.
func (l *layout) parameters(tensor string, d quant.DType, groups []int) error {
	shape := safetensors.ShapeOf(groups...)
	if err := l.beside(tensor, scaleSuffix, safetensors.F32, shape); err != nil || d.IsFloat() {
		return err
	}
	if err := l.beside(tensor, zeroPointSuffix, safetensors.I32, shape); err != nil {
		return err
	}
	return l.beside(tensor, minvalSuffix, safetensors.F32, shape)
}
