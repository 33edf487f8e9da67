package main

import (
	"fmt"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/safetensors"
)

// model is a set of named tensors that are compared with others, whatever they lie in.
type model struct {
	path  string
	names []string
	find  func(name string) (*comparand, bool)
	close func() error
}

// comparand is a tensor that is compared.
type comparand struct {
	dtype string
	shape safetensors.Shape
	bytes int64
	plain safetensors.DType // of raw; 0 if the tensor is quantized, and rows give its values
	raw   func(buf []byte, off int64) error
	rows  func(dst []float32, first int) error
}

// numeric tells whether the elements are numbers that can be compared.
func (c *comparand) numeric() bool { return c.plain == 0 || numeric(c.plain) }

// openModel opens a file, an index, a folder or a GGUF.
func openModel(path string) (*model, error) {
	if isGGUF(path) {
		return openGGUFModel(path)
	}
	in, err := open(path)
	if err != nil {
		return nil, err
	}
	if err := in.Err(); err != nil {
		in.Close()
		return nil, err
	}
	return modelOf(in), nil
}

func modelOf(in *checkpoint.Checkpoint) *model {
	m := &model{path: in.Path(), close: in.Close}
	for _, t := range in.Tensors() {
		m.names = append(m.names, t.Name())
	}
	m.find = func(name string) (*comparand, bool) {
		t, ok := in.Lookup(name)
		if !ok {
			return nil, false
		}
		c := &comparand{dtype: dtypeText(t), shape: t.Parts()[0].Shape}
		for _, p := range t.Parts() {
			c.bytes += p.Size
		}
		if t.Quantized() {
			c.shape = safetensors.ShapeOf(t.Shape()...)
			c.rows = func(dst []float32, first int) error { return checkpoint.ReadRows(t, dst, first) }
			return c, true
		}
		values := t.Parts()[0]
		c.plain = values.DType
		c.raw = func(buf []byte, off int64) error { return values.File.ReadTensor(values.Name, buf, off) }
		return c, true
	}
	return m
}

func openGGUFModel(path string) (*model, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	for _, info := range f.Tensors() {
		if _, plain := ggufTypes[info.Type]; !plain && !info.Type.Supported() {
			f.Close()
			return nil, &gguf.Error{File: f.Name(), Tensor: info.Name, Err: fmt.Errorf("is %v, which is not supported", info.Type)}
		}
	}
	return modelOfGGUF(f), nil
}

func modelOfGGUF(f *gguf.File) *model {
	m := &model{path: f.Name(), close: f.Close}
	for _, info := range f.Tensors() {
		m.names = append(m.names, info.Name)
	}
	m.find = func(name string) (*comparand, bool) {
		info, ok := f.Lookup(name)
		if !ok {
			return nil, false
		}
		c := &comparand{dtype: info.Type.String(), shape: safetensors.ShapeOf(info.Shape...), bytes: info.Size}
		if plain, ok := ggufTypes[info.Type]; ok {
			c.plain = plain
			c.raw = func(buf []byte, off int64) error { return f.ReadTensor(name, buf, off) }
			return c, true
		}
		c.rows = func(dst []float32, first int) error { return f.Rows(dst, name, first) }
		return c, true
	}
	return m
}
