package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/lowbit-go/lowbit/internal/codeformat"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// RecordsKey is the key of a file's __metadata__ under which Lowbit says how its tensors were quantized.
const RecordsKey = "lowbit"

// recordsVersion is that of the records' form.
const recordsVersion = 2

// Record says how a tensor was quantized: all that it takes, beside the file, to get its values back.
type Record struct {
	Spec   quant.Spec
	DType  safetensors.DType // what the tensor was: F32, F16 or BF16
	Shape  safetensors.Shape
	Packed bool // codes of less than a byte
	first  bool // as version 1 has it: parameters of four bytes
}

// Records are those of a file's quantized tensors, by their names. Tensors that are alike have one in common.
type Records map[string]*Record

// recordsJSON is the value of RecordsKey.
type recordsJSON struct {
	Version int               `json:"version"`
	Specs   []json.RawMessage `json:"specs"`
	Tensors json.RawMessage   `json:"tensors"` // an object of recordJSON, of which there may be very many
}

type recordJSON struct {
	Spec   json.RawMessage `json:"spec"`
	DType  string          `json:"dtype"`
	Shape  []int           `json:"shape"`
	Packed bool            `json:"packed,omitempty"`
}

// ReadRecords reads a file's records and holds them against its tensors. They are nil if the file has none.
func ReadRecords(f *safetensors.File) (Records, error) {
	text, ok := f.Metadata()[RecordsKey]
	if !ok {
		return nil, nil
	}
	records, err := parseRecords(text)
	if err != nil {
		e := &safetensors.Error{File: f.Name(), Err: fmt.Errorf("__metadata__: %s: %w", RecordsKey, err)}
		if of, ok := errors.AsType[*safetensors.Error](err); ok {
			e.Tensor, e.Err = of.Tensor, fmt.Errorf("__metadata__: %s: %w", RecordsKey, of.Err)
		}
		return nil, e
	}
	for _, name := range slices.Sorted(maps.Keys(records)) {
		if err := records[name].check(f, name); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func parseRecords(text string) (Records, error) {
	var content recordsJSON
	if err := json.Unmarshal([]byte(text), &content); err != nil {
		return nil, plainJSON(err)
	}
	// Of the tensors, which may be very many, see below.
	if err := noTwins([]byte(strings.Replace(text, string(content.Tensors), "0", min(1, len(content.Tensors))))); err != nil {
		return nil, err
	}
	if content.Version != 1 && content.Version != recordsVersion {
		return nil, fmt.Errorf("version is %d, want 1 or %d", content.Version, recordsVersion)
	}
	specs := make([]quant.Spec, len(content.Specs))
	for i, text := range content.Specs {
		var err error
		if specs[i], err = quant.ParseSpec(text); err != nil {
			return nil, fmt.Errorf("specs[%d]: %w", i, err)
		}
	}
	type key struct {
		spec, dtype string
		shape       safetensors.Shape
		packed      bool
	}
	known := map[key]*Record{}
	records := Records{}
	d := json.NewDecoder(bytes.NewReader(content.Tensors))
	switch t, err := d.Token(); {
	case t == nil && (err == nil || errors.Is(err, io.EOF)): // null, or not there
		return records, nil
	case err != nil:
		return nil, err
	case t != json.Delim('{'):
		return nil, errors.New("tensors is no object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		if records[name.(string)] != nil {
			return nil, fmt.Errorf("has the key %q twice in one object", name)
		}
		var t recordJSON
		if err := d.Decode(&t); err != nil {
			return nil, &safetensors.Error{Tensor: name.(string), Err: plainJSON(err)}
		}
		k := key{string(t.Spec), t.DType, safetensors.ShapeOf(t.Shape...), t.Packed}
		if known[k] == nil {
			r, err := t.record(specs, content.Version)
			if err != nil {
				return nil, &safetensors.Error{Tensor: name.(string), Err: err}
			}
			known[k] = &r
		}
		records[name.(string)] = known[k]
	}
	return records, nil
}

// record checks what can be checked without the file.
func (t recordJSON) record(specs []quant.Spec, version int) (r Record, err error) {
	r.Packed, r.first = t.Packed, version == 1
	switch i := 0; {
	case len(t.Spec) == 0 || bytes.Equal(t.Spec, []byte("null")):
		return r, errors.New("the spec is missing")
	case r.first:
		if r.Spec, err = quant.ParseSpec(t.Spec); err != nil {
			return r, err
		}
	case json.Unmarshal(t.Spec, &i) != nil || i < 0 || i >= len(specs):
		return r, fmt.Errorf("spec is %.40s, want the position of one of %d specs", t.Spec, len(specs))
	default:
		r.Spec = specs[i]
	}
	if r.DType, err = safetensors.ParseDType(t.DType); err != nil || !Quantizable(r.DType) {
		return r, fmt.Errorf("dtype is %q, want F32, F16 or BF16", t.DType)
	}
	elements := 1
	for _, d := range t.Shape {
		if d < 1 || d > math.MaxInt/8/elements {
			return r, fmt.Errorf("shape is %v, want positive lengths of no more elements than there can be", safetensors.ShapeOf(t.Shape[:min(len(t.Shape), 16)]...))
		}
		elements *= d
	}
	r.Shape = safetensors.ShapeOf(t.Shape...)
	return r, nil
}

// Quantizable tells the element types that can be quantized.
func Quantizable(t safetensors.DType) bool {
	return t == safetensors.F32 || t == safetensors.F16 || t == safetensors.BF16
}

// check holds a record against the tensors of the file.
func (r Record) check(f *safetensors.File, name string) error {
	refuse := func(tensor, format string, args ...any) error {
		return &safetensors.Error{File: f.Name(), Tensor: tensor, Err: fmt.Errorf(format, args...)}
	}
	info, ok := f.Lookup(name)
	if !ok {
		return refuse(name, "missing, although __metadata__ says how it was quantized")
	}
	dtype, shape := r.Stored()
	if info.DType != dtype || info.Shape != shape {
		return refuse(name, "is %v %v, but %v %v according to __metadata__", info.DType, info.Shape, dtype, shape)
	}
	var groups safetensors.Shape
	for i, c := range r.Companions() {
		p, ok := f.Lookup(name + c.Suffix)
		if !ok {
			return refuse(name, "has no %q", name+c.Suffix)
		}
		if p.DType != c.DType {
			return refuse(p.Name, "is %v, want %v", p.DType, c.DType)
		}
		if i == 0 {
			groups = p.Shape
		} else if want := c.Shape(groups); p.Shape != want {
			return refuse(p.Name, "has the shape %v, want %v, as %q has %v", p.Shape, want, name+scaleSuffix, groups)
		}
	}
	return nil
}

// storageType is the element type of codes in a file: bytes, packed ones as many as there are, if safetensors has no
// name for their format.
func storageType(d quant.DType, packed bool) safetensors.DType {
	format := codeformat.OfDType(d.String())
	if !packed {
		format = format.WholeBytes()
	}
	name := format.FileType()
	if name == "" {
		return safetensors.U8
	}
	t, err := safetensors.ParseDType(name)
	if err != nil {
		panic(err) // the table's mistake, which its tests find
	}
	return t
}

// Stored tells the type and the shape of the codes in a file.
func (r Record) Stored() (safetensors.DType, safetensors.Shape) {
	t := storageType(r.Spec.DType, r.Packed)
	if r.Packed && t == safetensors.U8 {
		return t, safetensors.ShapeOf(r.Codes().DataShape()...)
	}
	return t, r.Shape
}

// Codes are what is stored, without data and parameters.
func (r Record) Codes() quant.Codes {
	return quant.Codes{Spec: r.Spec, Shape: r.Shape.Dims(), Packed: r.Packed}
}

// Companion tells whether a tensor lies beside a quantized one, as part of it.
func (r Records) Companion(name string) bool {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return false
	}
	owner, ok := r[name[:i]]
	return ok && slices.ContainsFunc(owner.Companions(), func(c Companion) bool { return c.Suffix == name[i:] })
}

// Metadata returns a file's metadata with these records in the place of any others; nil are none.
func (r Records) Metadata(metadata map[string]string) (map[string]string, error) {
	if r == nil {
		metadata = maps.Clone(metadata)
		delete(metadata, RecordsKey)
		if len(metadata) == 0 {
			return nil, nil
		}
		return metadata, nil
	}
	return recordsMetadata(metadata, func(yield func(string, Record) bool) {
		for _, name := range slices.Sorted(maps.Keys(r)) {
			if !yield(name, *r[name]) {
				return
			}
		}
	})
}

// recordsMetadata returns a file's metadata with these records in the place of any others. A file may have very many: they are written as they
// come.
func recordsMetadata(metadata map[string]string, records iter.Seq2[string, Record]) (map[string]string, error) {
	var specs [][]byte
	known := map[string]int{}
	var tensors []byte
	for name, t := range records {
		spec, err := json.Marshal(t.Spec)
		if err != nil {
			return nil, err
		}
		i, ok := known[string(spec)]
		if !ok {
			i = len(known)
			known[string(spec)] = i
			specs = append(specs, spec)
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		entry, err := json.Marshal(recordJSON{Spec: strconv.AppendInt(nil, int64(i), 10), DType: t.DType.String(), Shape: t.Shape.Dims(), Packed: t.Packed})
		if err != nil {
			return nil, err
		}
		if len(tensors) > 0 {
			tensors = append(tensors, ',')
		}
		tensors = append(append(append(tensors, key...), ':'), entry...)
	}
	if metadata = maps.Clone(metadata); metadata == nil {
		metadata = make(map[string]string)
	}
	metadata[RecordsKey] = fmt.Sprintf(`{"version":%d,"specs":[%s],"tensors":{%s}}`, recordsVersion, bytes.Join(specs, []byte{','}), tensors)
	return metadata, nil
}
