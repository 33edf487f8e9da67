package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/quant"
)

// inspectCommand is lowbit inspect: what the headers of a checkpoint say.
type inspectCommand struct {
	JSON bool   `name:"json" help:"Print JSON."`
	File string `arg:"" name:"IN" help:"File, index or folder to read."`
}

// Run prints metadata and tensors; of quantized ones, how.
func (c *inspectCommand) Run(t *tool) error {
	if isGGUF(c.File) {
		return inspectGGUF(t, c.File, c.JSON)
	}
	in, err := open(c.File)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := in.Err(); err != nil {
		return err
	}
	if c.JSON {
		return inspectJSON(t, in)
	}
	tensors, bytes := 0, int64(0)
	for _, f := range in.Shards() {
		tensors += len(f.Tensors())
		bytes += size(f.Tensors())
	}
	about := ""
	if method := in.Method(); method != "" {
		about = fmt.Sprintf(", quantized by %s, %.3f bits per weight of what is", method, bitsPerWeight(in))
	}
	fmt.Fprintf(t.stdout, "%s: tensors %d, data %s%s\n", cut(printable(c.File), 120), tensors, byteText(bytes), about)
	if len(in.Shards()) > 1 || in.Kind() != checkpoint.File {
		for _, f := range in.Shards() {
			fmt.Fprintln(t.stdout, cut(fmt.Sprintf("%s: tensors %d, data %s", printable(filepath.Base(f.Name())), len(f.Tensors()), byteText(size(f.Tensors()))), mostColumns))
		}
	}
	if len(in.Shards()) > 0 {
		metadata := in.Shards()[0].Metadata()
		for _, key := range slices.Sorted(maps.Keys(metadata)) {
			if key != checkpoint.RecordsKey {
				fmt.Fprintln(t.stdout, cut(cut(printable(key), 80)+": "+printable(metadata[key]), mostColumns))
			}
		}
	}
	if err := printSpecs(t, in); err != nil {
		return err
	}
	if tensors == 0 {
		return nil
	}
	fmt.Fprintln(t.stdout)
	columns := []column{{head: "TENSOR", most: 60}, {head: "DTYPE", most: 11}, {head: "SHAPE", most: 24}, {head: ">ELEMENTS", most: 13}, {head: ">BYTES", most: 13}, {head: "QUANTIZED", most: 69}}
	if in.Method() == "" {
		columns = columns[:5]
	}
	list := newTable(t.stdout, columns...)
	for _, tensor := range in.Tensors() {
		for i, p := range tensor.Parts() {
			cells := []string{printable(p.Name), p.DType.String(), p.Shape.String(), strconv.Itoa(p.Elements()), strconv.FormatInt(p.Size, 10)}
			if in.Method() != "" {
				how := ""
				if i == 0 && tensor.Quantized() {
					how = schemeText(tensor, columns[5].most)
				}
				cells = append(cells, how)
			}
			list.add(cells...)
		}
	}
	return list.flush()
}

// printSpecs prints the specs of Lowbit's own tensors.
func printSpecs(t *tool, in *checkpoint.Checkpoint) error {
	specs, seen := map[string]bool{}, map[*checkpoint.Record]bool{}
	for _, f := range in.Shards() {
		records, err := checkpoint.ReadRecords(f)
		if err != nil {
			return err
		}
		for _, r := range records {
			if !seen[r] {
				seen[r], specs[specText(r.Spec)] = true, true
			}
		}
	}
	for _, spec := range slices.Sorted(maps.Keys(specs)) {
		fmt.Fprintln(t.stdout, cut("quantized by: "+spec, mostColumns))
	}
	return nil
}

// schemeText says how a tensor is quantized, and what it was if there is room for that.
func schemeText(t *checkpoint.Tensor, most int) string {
	s := t.Scheme()
	text := fmt.Sprintf(", %.3f bits, groups %dx%d", tensorBits(t), s.Rows, s.Cols)
	if scale, ok := t.Part(checkpoint.Scale); ok {
		text += fmt.Sprintf(", scales %v", scale.DType)
	}
	if whole := fmt.Sprintf("%s of %v %s%s", s.Format, t.DType(), shapeText(t.Shape()), text); len(whole) <= most {
		return whole
	}
	return s.Format + text
}

// tensorBits counts the bits per weight of a tensor, with all that belongs to it.
func tensorBits(t *checkpoint.Tensor) float64 {
	bytes := int64(0)
	for _, p := range t.Parts() {
		bytes += p.Size
	}
	return 8 * float64(bytes) / float64(max(1, t.Elements()))
}

// bitsPerWeight counts those of all tensors that are quantized.
func bitsPerWeight(in *checkpoint.Checkpoint) float64 {
	bits, weights := 0.0, 0.0
	for _, t := range in.Tensors() {
		if t.Quantized() {
			bits += tensorBits(t) * float64(t.Elements())
			weights += float64(t.Elements())
		}
	}
	return bits / max(1, weights)
}

// specText prints the fields of a spec that are not what they are by default.
func specText(s quant.Spec) string {
	var standard map[string]json.RawMessage
	text, err := json.Marshal(quant.Spec{})
	if err == nil {
		err = json.Unmarshal(text, &standard)
	}
	if err == nil {
		text, err = json.Marshal(s)
	}
	if err != nil {
		return err.Error()
	}
	fields, err := objectFields(text)
	if err != nil {
		return err.Error()
	}
	var parts []string
	for _, f := range fields {
		if f.name == "dtype" || !bytes.Equal(f.value, standard[f.name]) {
			parts = append(parts, fmt.Sprintf("%q:%s", f.name, f.value))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// inspection is what inspect --json prints of a tensor.
type inspection struct {
	Name      string         `json:"name"`
	DType     string         `json:"dtype"`
	Shape     []int          `json:"shape"` // null if its rank is absurd
	Elements  int            `json:"elements"`
	Bytes     int64          `json:"bytes"`
	Quantized *schemeDetails `json:"quantized,omitempty"`
}

type schemeDetails struct {
	Method        string      `json:"method"`
	Format        string      `json:"format"`
	Bits          int         `json:"bits"`
	Group         [2]int      `json:"group"` // rows and columns
	BitsPerWeight float64     `json:"bits_per_weight"`
	Parts         []partEntry `json:"parts"`
}

type partEntry struct {
	Name  string `json:"name"`
	Role  string `json:"role"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
}

// inspectJSON prints an object, a line for each tensor.
func inspectJSON(t *tool, in *checkpoint.Checkpoint) error {
	var shards []map[string]any
	for _, f := range in.Shards() {
		shards = append(shards, map[string]any{"name": filepath.Base(f.Name()), "tensors": len(f.Tensors()), "bytes": size(f.Tensors()), "metadata": f.Metadata()})
	}
	head := map[string]any{"path": in.Path(), "kind": in.Kind().String(), "shards": shards}
	if method := in.Method(); method != "" {
		head["method"], head["bits_per_weight"] = method, bitsPerWeight(in)
	}
	return writeInspection(t, head, func(yield func(inspection) bool) {
		for _, tensor := range in.Tensors() {
			i := inspection{Name: tensor.Name(), DType: tensor.DType().String(), Elements: tensor.Parts()[0].Elements()}
			if tensor.Quantized() {
				i.Shape, i.Elements = tensor.Shape(), tensor.Elements()
			} else {
				i.Shape = dimsOf(tensor.Parts()[0].Shape)
			}
			var parts []partEntry
			for _, p := range tensor.Parts() {
				i.Bytes += p.Size
				parts = append(parts, partEntry{p.Name, string(p.Role), p.DType.String(), dimsOf(p.Shape)})
			}
			if tensor.Quantized() {
				s := tensor.Scheme()
				i.Quantized = &schemeDetails{s.Method, s.Format, s.Bits, [2]int{s.Rows, s.Cols}, tensorBits(tensor), parts}
			}
			if !yield(i) {
				return
			}
		}
	})
}

// inspectGGUFJSON prints the same of a GGUF.
func inspectGGUFJSON(t *tool, f *gguf.File, bits float64) error {
	type pair struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	}
	metadata := []pair{}
	for _, kv := range f.Metadata() {
		value := kv.Value
		if n, ok := listLen(value); ok && n > 64 {
			value = valueText(value)
		}
		switch v := value.(type) {
		case float32, float64: // JSON has no NaN
			value = fmt.Sprint(v)
		case []float32, []float64:
			value = fmt.Sprint(v)
		}
		metadata = append(metadata, pair{kv.Key, value})
	}
	head := map[string]any{"path": f.Name(), "kind": "gguf", "version": f.Version(), "bits_per_weight": bits, "metadata": metadata}
	return writeInspection(t, head, func(yield func(inspection) bool) {
		for _, info := range f.Tensors() {
			shape := info.Shape
			if shape == nil {
				shape = []int{}
			}
			if !yield(inspection{Name: info.Name, DType: info.Type.String(), Shape: shape, Elements: info.Elements(), Bytes: info.Size}) {
				return
			}
		}
	})
}

func writeInspection(t *tool, head map[string]any, tensors func(func(inspection) bool)) error {
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(t.stdout, "%s,\n\"tensors\": [", strings.TrimSuffix(string(text), "}")); err != nil {
		return err
	}
	before := "\n"
	for i := range tensors {
		line, err := json.Marshal(i)
		if err == nil {
			_, err = fmt.Fprintf(t.stdout, "%s%s", before, line)
		}
		if err != nil {
			return err
		}
		before = ",\n"
	}
	_, err = fmt.Fprint(t.stdout, "\n]}\n")
	return err
}

// dtypeText is how inspect and compare name the type of a tensor.
func dtypeText(t *checkpoint.Tensor) string {
	if !t.Quantized() {
		return t.DType().String()
	}
	return t.Scheme().Format
}
