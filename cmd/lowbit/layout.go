package main

import (
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// layout gathers the tensors of a file to be written from one that is there.
type layout struct {
	in      *safetensors.File
	tensors []safetensors.Info
}

// add adds a tensor of the input, in this type and shape.
func (l *layout) add(name string, t safetensors.DType, shape safetensors.Shape) {
	l.tensors = append(l.tensors, safetensors.Info{Name: name, DType: t, Shape: shape})
}

// beside adds a tensor that is written beside one of the input's, which must not have its name already.
func (l *layout) beside(tensor, suffix string, t safetensors.DType, shape safetensors.Shape) error {
	name := tensor + suffix
	if _, taken := l.in.Lookup(name); taken {
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

// parameterSuffixes are those of a format's parameters.
func parameterSuffixes(d quant.DType) []string {
	if d.IsFloat() {
		return []string{scaleSuffix}
	}
	return []string{scaleSuffix, zeroPointSuffix, minvalSuffix}
}

// parameterType is the element type of a parameter.
func parameterType(suffix string) safetensors.DType {
	if suffix == zeroPointSuffix {
		return safetensors.I32
	}
	return safetensors.F32
}

// parameters adds a tensor's parameters.
func (l *layout) parameters(tensor string, d quant.DType, groups []int) error {
	for _, suffix := range parameterSuffixes(d) {
		if err := l.beside(tensor, suffix, parameterType(suffix), safetensors.ShapeOf(groups...)); err != nil {
			return err
		}
	}
	return nil
}
