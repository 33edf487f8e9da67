// Package golden gives tests what the reference returned: cases, the tensors
// that went in and those that came out. testdata/README.md tells what they are.
package golden

import (
	"bytes"
	"embed"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/lowbit-go/lowbit/safetensors"
)

//go:embed testdata
var files embed.FS

// Case is a quantizer's specification and the forward passes it made.
type Case struct {
	Name   string          `json:"name"`
	Spec   json.RawMessage `json:"spec"`   // the reference's constructor arguments
	Target string          `json:"target"` // weight or activation
	Steps  []Step          `json:"steps"`
	Grad   string          `json:"grad"` // the input with gradients, or ""
}

// Step is a forward pass. A switch that is nil stays as it was.
type Step struct {
	Input     string `json:"input"`
	Observer  *bool  `json:"observer"`
	FakeQuant *bool  `json:"fake_quant"`
}

// Cases returns all cases.
func Cases() ([]Case, error) {
	var cases []Case
	for _, of := range []struct{ file, inputs string }{{"cases.json", ""}, {"cases-0.4.json", "0.4/"}} {
		data, err := files.ReadFile("testdata/" + of.file)
		if err != nil {
			return nil, err
		}
		var all struct {
			Reference string
			Cases     []Case
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(&all); err != nil {
			return nil, fmt.Errorf("%s: %w", of.file, err)
		}
		for _, c := range all.Cases {
			for i := range c.Steps {
				c.Steps[i].Input = of.inputs + c.Steps[i].Input
			}
			if c.Grad != "" {
				c.Grad = of.inputs + c.Grad
			}
			cases = append(cases, c)
		}
	}
	return cases, nil
}

// Tensor is a tensor of a file, row-major, its data little-endian.
type Tensor struct {
	DType safetensors.DType
	Shape []int
	Data  []byte
}

// Inputs returns the tensors that a step or a gradient names.
func Inputs(name string) (map[string]Tensor, error) {
	return load("testdata/inputs/" + name + ".safetensors")
}

// Format returns the tensors of a file of testdata/formats.
func Format(name string) (map[string]Tensor, error) {
	return load("testdata/formats/" + name + ".safetensors")
}

// Expected returns the results of the case of that name.
func Expected(name string) (map[string]Tensor, error) {
	return load("testdata/expected/" + name + ".safetensors")
}

func load(path string) (map[string]Tensor, error) {
	data, err := files.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, data)
}

func parse(path string, data []byte) (map[string]Tensor, error) {
	f, err := safetensors.NewFile(bytes.NewReader(data), int64(len(data)), path)
	if err != nil {
		return nil, err
	}
	tensors := map[string]Tensor{}
	for _, info := range f.Tensors() {
		data, err := f.ReadAll(info.Name)
		if err != nil {
			return nil, err
		}
		tensors[info.Name] = Tensor{info.DType, info.Shape.Dims(), data}
	}
	return tensors, nil
}

// Values returns the elements as numbers of type E, which has their size.
func Values[E any](t Tensor) []E {
	values := make([]E, len(t.Data)*8/t.DType.Bits())
	if n, err := binary.Decode(t.Data, binary.LittleEndian, values); err != nil || n != len(t.Data) {
		panic(fmt.Sprintf("golden: %v elements as %T: %d of %d bytes, %v", t.DType, values, n, len(t.Data), err))
	}
	return values
}

// Bytes is the inverse of Values: little-endian data.
func Bytes[E any](values []E) []byte {
	data, err := binary.Append(nil, binary.LittleEndian, values)
	if err != nil {
		panic(fmt.Sprintf("golden: %T: %v", values, err))
	}
	return data
}

// Diff compares bits: it returns the index of the first element in which data
// differs from t's, -1 if there is none. Any NaN equals any NaN. Data of
// another length differs at the end of the shorter.
func (t Tensor) Diff(data []byte) int {
	size := t.DType.Bits() / 8
	n := min(len(data), len(t.Data))
	for i := 0; i < n/size; i++ {
		got, want := bits(data[i*size:][:size]), bits(t.Data[i*size:][:size])
		if got != want && !(isNaN(t.DType, got) && isNaN(t.DType, want)) {
			return i
		}
	}
	if len(data) != len(t.Data) {
		return n / size
	}
	return -1
}

func bits(b []byte) uint64 {
	var v uint64
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	return v
}

func isNaN(t safetensors.DType, bits uint64) bool {
	switch t {
	case safetensors.F32:
		return bits&(1<<31-1) > 0xff<<23
	case safetensors.F16:
		return bits&(1<<15-1) > 0x1f<<10
	case safetensors.BF16:
		return bits&(1<<15-1) > 0xff<<7
	case safetensors.F8_E4M3:
		return bits&0x7f == 0x7f
	case safetensors.F8_E5M2:
		return bits&0x7f > 0x7c
	}
	return false
}
