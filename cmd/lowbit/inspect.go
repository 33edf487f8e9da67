package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/quant"
)

// inspectCommand is lowbit inspect: what the header of a file says.
type inspectCommand struct {
	File string `arg:"" name:"FILE" help:"File to read."`
}

// Run prints metadata and tensors; of quantized ones, how.
func (c *inspectCommand) Run(t *tool) error {
	f, err := open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	done, err := checkpoint.ReadRecords(f)
	if err != nil {
		return err
	}

	fmt.Fprintf(t.stdout, "%s: tensors %d, data %s\n", cut(printable(c.File), 150), len(f.Tensors()), byteText(size(f.Tensors())))
	metadata := f.Metadata()
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if key != checkpoint.RecordsKey {
			fmt.Fprintln(t.stdout, cut(cut(printable(key), 80)+": "+printable(metadata[key]), mostColumns))
		}
	}
	specs := make(map[string]bool)
	for _, r := range done {
		specs[specText(r.Spec)] = true
	}
	for _, spec := range slices.Sorted(maps.Keys(specs)) {
		fmt.Fprintln(t.stdout, cut("quantized by: "+spec, mostColumns))
	}
	if len(f.Tensors()) == 0 {
		return nil
	}
	fmt.Fprintln(t.stdout)
	columns := []column{{head: "TENSOR", most: 72}, {head: "DTYPE", most: 12}, {head: "SHAPE", most: 32}, {head: ">ELEMENTS", most: 20}, {head: ">BYTES", most: 20}, {head: "QUANTIZED", most: 34}}
	if done == nil {
		columns = columns[:5]
	}
	list := newTable(t.stdout, columns...)
	for _, info := range f.Tensors() {
		cells := []string{printable(info.Name), info.DType.String(), info.Shape.String(), strconv.Itoa(info.Elements()), strconv.FormatInt(info.Size, 10)}
		if done != nil {
			how := ""
			if r, ok := done[info.Name]; ok {
				how = fmt.Sprintf("%v from %s %s", r.Spec.DType, r.DType, r.Shape)
			}
			cells = append(cells, how)
		}
		list.add(cells...)
	}
	return list.flush()
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
