package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
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
	done, err := readRecords(f)
	if err != nil {
		return err
	}

	size := int64(0)
	list := table{head: []string{"TENSOR", "DTYPE", "SHAPE", ">ELEMENTS", ">BYTES", "QUANTIZED"}}
	for _, info := range f.Tensors() {
		size += info.Size
		how := ""
		if r, ok := done[info.Name]; ok {
			how = fmt.Sprintf("%v from %s %s", r.Spec.DType, r.DType, shapeText(r.Shape))
		}
		list.add(printable(info.Name), info.DType.String(), info.Shape.String(), strconv.Itoa(info.Elements()), strconv.FormatInt(info.Size, 10), how)
	}
	if done == nil {
		list.head = list.head[:5]
		for i := range list.lines {
			list.lines[i] = list.lines[i][:5]
		}
	}
	fmt.Fprintf(t.stdout, "%s: tensors %d, data %s\n", printable(c.File), len(f.Tensors()), byteText(size))
	metadata := f.Metadata()
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if key != recordsKey {
			fmt.Fprintf(t.stdout, "%s: %s\n", printable(key), printable(shorten(metadata[key])))
		}
	}
	specs := make(map[string]bool)
	for _, r := range done {
		specs[r.Spec.String()] = true
	}
	for _, spec := range slices.Sorted(maps.Keys(specs)) {
		fmt.Fprintf(t.stdout, "quantized by: %s\n", spec)
	}
	if len(list.lines) == 0 {
		return nil
	}
	fmt.Fprintln(t.stdout)
	return list.print(t.stdout)
}

// shorten cuts a long text, as metadata may have anything.
func shorten(s string) string {
	const most = 1000
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return strings.Join([]string{string([]rune(s)[:most]), "..."}, "")
}
