package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/safetensors"
)

// toGGUF quantizes the tensors of a GGUF to blocks of llama.cpp.
func (c *quantizeCommand) toGGUF(t *tool) error {
	if !isGGUF(c.In) {
		in, err := open(c.In)
		if err != nil {
			return err
		}
		in.Close()
		return &safetensors.Error{File: c.In, Err: fmt.Errorf("is no GGUF, and --to gguf takes only that: names and metadata of a model are made by llama.cpp's convert_hf_to_gguf.py")}
	}
	if c.Spec.set {
		return usagef("--spec: GGUF is made by --preset or --recipe")
	}
	src, err := gguf.Open(c.In)
	if err != nil {
		return err
	}
	defer src.Close()
	var importance *gguf.Importance
	if c.IMatrix != "" {
		if importance, err = openImportance(string(c.IMatrix)); err != nil {
			return err
		}
	}
	conversion, err := c.conversion(src, importance)
	if err != nil {
		return err
	}
	conversion.Workers = t.workers
	tensors, unweighed, err := conversion.Tensors(src)
	if err != nil {
		return err
	}
	if c.DryRun {
		return dryRunGGUF(t, src, tensors)
	}
	log := newLogger(t.stderr)
	if len(unweighed) > 0 {
		log.Warn(fmt.Sprintf("the importance matrix has nothing for %s, the first of which is named", tensorCount(len(unweighed))), "tensor", unweighed[0])
	}
	if *c.Output == "" {
		return fmt.Errorf("the name of the file to write is empty")
	}
	before, after := ggufSize(src.Tensors()), ggufSize(tensors)
	bar := newProgress(t.stderr, "quantize", before+after, true)
	defer bar.end()
	conversion.Progress, conversion.Begin = bar.add, bar.name
	watch := newWatch(c.Report, modelOfGGUF(src))
	if watch != nil {
		conversion.Watch = watch.gguf
	}
	closing, begun := closingPlace(t, *c.Output), time.Now()
	if err := gguf.Convert(t.ctx, *c.Output, src, conversion); err != nil {
		if t.ctx.Err() != nil {
			return errInterrupted
		}
		return err
	}
	bar.end()
	closingLine(closing, "quantize", before, after, true, time.Since(begun))
	return watch.report(t, *c.Output, c.Report)
}

// conversion says what type each tensor gets.
func (c *quantizeCommand) conversion(src *gguf.File, importance *gguf.Importance) (gguf.Conversion, error) {
	model := gguf.ModelOf(src)
	model.Importance, model.Pure = importance != nil, c.Pure
	conversion := gguf.Conversion{Importance: importance}
	if c.Preset != "" {
		if err := wants(c.Preset, toGGUF); err != nil {
			return conversion, usagef("--preset: %w", err)
		}
		p, err := gguf.ParsePreset(c.Preset)
		if err != nil {
			return conversion, err
		}
		conversion.Types, conversion.Metadata = p.Types(src.Tensors(), model), p.Metadata(src.Metadata(), importance)
		for i, info := range src.Tensors() {
			if !c.selects(info.Name) {
				conversion.Types[i] = info.Type
			}
		}
		return conversion, nil
	}
	return conversion, c.recipeToGGUF(&conversion, src)
}

// recipeToGGUF gives each floating tensor the type that the first rule says, or what stands for it where its blocks do not divide the rows, and
// the file the type that most bytes have.
func (c *quantizeCommand) recipeToGGUF(conversion *gguf.Conversion, src *gguf.File) error {
	presets := make([]gguf.Preset, len(c.Recipe.rules))
	for i, r := range c.Recipe.rules {
		if r.keep {
			continue
		}
		if r.preset == "" {
			return usagef("--recipe: rule %d: spec: GGUF has types, name one by preset", i+1)
		}
		if err := wants(r.preset, toGGUF); err != nil {
			return usagef("--recipe: rule %d: %w", i+1, err)
		}
		p, err := gguf.ParsePreset(r.preset)
		if err != nil {
			return err
		}
		if t, err := gguf.ParseType(r.preset); err != nil || t != p.Base {
			return usagef("--recipe: rule %d: %s is a mix of types, want one type", i+1, r.preset)
		}
		presets[i] = p
	}
	bytes := make([]int64, len(presets))
	for _, info := range src.Tensors() {
		to := info.Type
		if i := c.Recipe.find(info.Name); i >= 0 && !c.Recipe.rules[i].keep && c.selects(info.Name) && info.Type.Supported() {
			to = presets[i].Base.Fit(info.Row())
			bytes[i] += int64(to.Bytes(info.Elements()))
		}
		conversion.Types = append(conversion.Types, to)
	}
	conversion.Metadata = src.Metadata()
	if most := slices.Max(append(bytes, 0)); most > 0 {
		conversion.Metadata = presets[slices.Index(bytes, most)].Metadata(src.Metadata(), conversion.Importance)
	}
	return nil
}

// ggufSize counts the bytes of tensors.
func ggufSize(tensors []gguf.Info) (n int64) {
	for _, t := range tensors {
		n += t.Size
	}
	return n
}

// dryRunGGUF prints what would become of the tensors.
func dryRunGGUF(t *tool, src *gguf.File, after []gguf.Info) error {
	list := newTable(t.stdout, column{head: "TENSOR", most: 68}, column{head: "TYPE", most: 12}, column{head: "SHAPE", most: 40}, column{head: "BECOMES", most: 20},
		column{head: ">BYTES BEFORE", most: 20}, column{head: ">AFTER", most: 20})
	for i, info := range src.Tensors() {
		becomes := "kept"
		if after[i].Type != info.Type {
			becomes = after[i].Type.String()
		}
		list.add(printable(info.Name), info.Type.String(), shapeText(info.Shape), becomes, fmt.Sprint(info.Size), fmt.Sprint(after[i].Size))
	}
	if err := list.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.stdout, "\n%d bytes would become %d; nothing is written\n", ggufSize(src.Tensors()), ggufSize(after))
	return err
}

// ggufTypes are the types that safetensors have too.
var ggufTypes = map[gguf.Type]safetensors.DType{
	gguf.F32: safetensors.F32, gguf.F16: safetensors.F16, gguf.BF16: safetensors.BF16, gguf.F64: safetensors.F64,
	gguf.I8: safetensors.I8, gguf.I16: safetensors.I16, gguf.I32: safetensors.I32, gguf.I64: safetensors.I64,
}

// inspectGGUF prints metadata and tensors.
func inspectGGUF(t *tool, path string, asJSON bool) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	elements := 0
	for _, info := range f.Tensors() {
		elements += info.Elements()
	}
	bits := 0.0
	if elements > 0 {
		bits = 8 * float64(ggufSize(f.Tensors())) / float64(elements)
	}
	if asJSON {
		return inspectGGUFJSON(t, f, bits)
	}
	fmt.Fprintf(t.stdout, "%s: GGUF version %d, tensors %d, data %s, %.3f bits per element\n", cut(printable(path), 140), f.Version(), len(f.Tensors()), byteText(ggufSize(f.Tensors())), bits)
	for _, kv := range f.Metadata() {
		fmt.Fprintln(t.stdout, cut(cut(printable(kv.Key), 80)+": "+printable(valueText(kv.Value)), mostColumns))
	}
	if len(f.Tensors()) == 0 {
		return nil
	}
	fmt.Fprintln(t.stdout)
	list := newTable(t.stdout, column{head: "TENSOR", most: 72}, column{head: "TYPE", most: 12}, column{head: "SHAPE", most: 50}, column{head: ">ELEMENTS", most: 20}, column{head: ">BYTES", most: 20})
	for _, info := range f.Tensors() {
		list.add(printable(info.Name), info.Type.String(), shapeText(info.Shape), fmt.Sprint(info.Elements()), fmt.Sprint(info.Size))
	}
	return list.flush()
}

// valueText prints a value of the metadata; of a long list, its beginning and its length.
func valueText(value any) string {
	text := fmt.Sprintf("%v", value)
	if _, ok := value.(string); ok {
		return text
	}
	if n, ok := listLen(value); ok && n > 8 {
		first := strings.Fields(text)
		return fmt.Sprintf("%s ... (%d)", strings.Join(first[:min(len(first), 8)], " "), n)
	}
	return text
}

// listLen tells how long a list of the metadata is.
func listLen(value any) (int, bool) {
	if v := reflect.ValueOf(value); v.Kind() == reflect.Slice {
		return v.Len(), true
	}
	return 0, false
}
