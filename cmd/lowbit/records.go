package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// recordsKey is where the records are in a file's __metadata__:
//
//	"lowbit": "{\"version\":1,\"tensors\":{\"w\":{\"spec\":{\"dtype\":\"int4\",...},\"dtype\":\"F32\",\"shape\":[384,384],\"packed\":true}}}"
const recordsKey = "lowbit"

// recordsVersion is that of the records' form.
const recordsVersion = 1

// record says how a tensor was quantized: all that it takes to dequantize it.
type record struct {
	Spec   *quant.Spec `json:"spec"`
	DType  string      `json:"dtype"` // what the tensor was
	Shape  []int       `json:"shape"`
	Packed bool        `json:"packed,omitempty"` // codes of less than a byte
}

// records are those of a file's quantized tensors, by their names.
type records map[string]record

// recordsFile is the value of recordsKey.
type recordsFile struct {
	Version int     `json:"version"`
	Tensors records `json:"tensors"`
}

// parameter tells whether a tensor is a parameter of a quantized one.
func (r records) parameter(name string) bool {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return false
	}
	owner, ok := r[name[:i]]
	return ok && slices.Contains(parameterSuffixes(owner.Spec.DType), name[i:])
}

// readRecords reads a file's records and holds them against its tensors. They are nil if the file has none.
func readRecords(f *safetensors.File) (records, error) {
	text, ok := f.Metadata()[recordsKey]
	if !ok {
		return nil, nil
	}
	bad := func(err error) error {
		return &safetensors.Error{File: f.Name(), Err: fmt.Errorf("__metadata__: %s: %w", recordsKey, err)}
	}
	var content recordsFile
	if err := json.Unmarshal([]byte(text), &content); err != nil {
		return nil, bad(plain(err))
	}
	if content.Version != recordsVersion {
		return nil, bad(fmt.Errorf("version is %d, want %d", content.Version, recordsVersion))
	}
	for _, name := range slices.Sorted(maps.Keys(content.Tensors)) {
		if err := content.Tensors[name].check(f, name); err != nil {
			return nil, err
		}
	}
	if content.Tensors == nil {
		content.Tensors = make(records)
	}
	return content.Tensors, nil
}

// check holds a record against the tensors of the file.
func (r record) check(f *safetensors.File, name string) error {
	info, ok := f.Lookup(name)
	if !ok {
		return refuse(f, name, "missing, although __metadata__ says how it was quantized")
	}
	if r.Spec == nil {
		return refuse(f, name, "__metadata__ does not have the spec that it was quantized by")
	}
	if t, err := safetensors.ParseDType(r.DType); err != nil || !floating(t) {
		return refuse(f, name, "__metadata__ says that its type was %q, want F32, F16 or BF16", r.DType)
	}
	for _, d := range r.Shape {
		if d < 1 || d > math.MaxInt/8 {
			return refuse(f, name, "__metadata__ says that its shape was %s", shapeText(r.Shape))
		}
	}
	dtype, shape := r.stored()
	if info.DType != dtype || info.Shape != shape {
		return refuse(f, name, "is %v %s, but %v %s according to __metadata__", info.DType, info.Shape, dtype, shape)
	}
	var groups safetensors.Shape
	for i, suffix := range parameterSuffixes(r.Spec.DType) {
		p, ok := f.Lookup(name + suffix)
		if !ok {
			return refuse(f, name, "has no %q", name+suffix)
		}
		if want := parameterType(suffix); p.DType != want {
			return refuse(f, p.Name, "is %v, want %v", p.DType, want)
		}
		if i == 0 {
			groups = p.Shape
		} else if p.Shape != groups {
			return refuse(f, p.Name, "has the shape %s, want %s as %q has", p.Shape, groups, name+scaleSuffix)
		}
	}
	return nil
}

// storageTypes are the element types of unpacked codes.
var storageTypes = map[quant.DType]safetensors.DType{
	quant.Int8: safetensors.I8, quant.Uint8: safetensors.U8, quant.Float8E4M3FN: safetensors.F8_E4M3, quant.Float8E5M2: safetensors.F8_E5M2,
	quant.Int16: safetensors.I16, quant.Uint16: safetensors.U16,
}

// stored tells the type and the shape of the codes in a file.
func (r record) stored() (safetensors.DType, safetensors.Shape) {
	d, shape := r.Spec.DType, safetensors.ShapeOf(r.Shape...)
	switch {
	case !r.Packed || d.Bits() == 8:
		return storageTypes[d.Storage()], shape
	case d.IsFloat():
		return safetensors.F4, shape
	}
	packed := quant.Codes{Spec: *r.Spec, Shape: r.Shape, Packed: true}
	return safetensors.U8, safetensors.ShapeOf(packed.DataShape()...)
}

// codes are what was stored, without data and parameters.
func (r record) codes() quant.Codes {
	return quant.Codes{Spec: *r.Spec, Shape: r.Shape, Packed: r.Packed}
}

// addTo returns the metadata with these records in the place of any others; nil are none.
func (r records) addTo(metadata map[string]string) (map[string]string, error) {
	metadata = maps.Clone(metadata)
	delete(metadata, recordsKey)
	if r == nil {
		if len(metadata) == 0 {
			return nil, nil
		}
		return metadata, nil
	}
	text, err := json.Marshal(recordsFile{recordsVersion, r})
	if err != nil {
		return nil, err
	}
	if metadata == nil {
		metadata = make(map[string]string)
	}
	metadata[recordsKey] = string(text)
	return metadata, nil
}

// errNotQuantized says that a file has no records.
var errNotQuantized = errors.New("__metadata__ does not say how it was quantized: lowbit quantize has not written it")
