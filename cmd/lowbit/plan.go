package main

import (
	"errors"
	"fmt"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// step is what becomes of a tensor.
type step struct {
	info   safetensors.Info
	record *checkpoint.Record // nil: the tensor is copied
	after  int64              // bytes of it and of what is written beside it
	chosen bool               // to be quantized
	warn   string             // why it is kept nevertheless
	attrs  []any              // of the warning
	odd    oddities
}

// shardPlan is what becomes of a file.
type shardPlan struct {
	in    *safetensors.File
	steps []*step
	layout
	metadata map[string]string
}

// planShard says what becomes of the tensors of a file.
func (c *quantizeCommand) planShard(in *safetensors.File, taken taken) (*shardPlan, error) {
	p := &shardPlan{in: in, layout: layout{in: in, taken: taken}}
	records := make(checkpoint.Records)
	for _, info := range in.Tensors() {
		s := &step{info: info, after: info.Size}
		p.steps = append(p.steps, s)
		w := c.of(info, &c.selection)
		if s.chosen = w != nil; s.chosen {
			if err := p.quantize(s, w, c.Pack); err != nil {
				return nil, err
			}
		}
		if s.record == nil {
			p.add(info.Name, info.DType, info.Shape)
			continue
		}
		records[info.Name] = *s.record
	}
	var err error
	p.metadata, err = records.Metadata(in.Metadata())
	return p, err
}

// quantize plans to quantize a tensor, unless that cannot be.
func (p *shardPlan) quantize(s *step, w *way, pack bool) error {
	info := s.info
	if info.Elements() == 0 {
		return nil
	}
	if rank := info.Shape.Rank(); rank > mostAxes {
		return refuse(p.in, info.Name, "has %d axes, want at most %d to quantize it: leave it out with --exclude", rank, mostAxes)
	}
	groups, err := w.spec.Granularity.Groups(info.Shape.Dims(), quant.Weight)
	if errors.Is(err, quant.ErrDisabled) {
		s.warn = "block size does not divide its axis: the tensor is not quantized"
		s.attrs = []any{"tensor", info.Name, "shape", info.Shape, "granularity", w.spec.Granularity.String()}
		return nil
	}
	if err != nil {
		return refuse(p.in, info.Name, "%w: leave it out with --exclude", plain(err))
	}
	r := &checkpoint.Record{Spec: w.spec, DType: info.DType, Shape: info.Shape, Packed: (w.pack || pack) && w.spec.DType.Bits() < 8}
	dtype, shape := r.Stored()
	if dims := shape.Dims(); dtype == safetensors.F4 && (len(dims) == 0 || dims[len(dims)-1]%2 != 0) {
		return refuse(p.in, info.Name, "has the shape %s, want an even last axis, as float4 is packed in pairs", info.Shape)
	}
	from := len(p.tensors)
	p.add(info.Name, dtype, shape)
	for _, c := range r.Companions() {
		if err := p.beside(info.Name, c.Suffix, c.DType, safetensors.ShapeOf(groups...)); err != nil {
			return err
		}
	}
	s.record, s.after = r, 0
	for _, t := range p.tensors[from:] {
		s.after += int64(t.DType.Bits()) * int64(t.Elements()) / 8
	}
	return nil
}

// mostAxes is how many axes a tensor may have that is quantized. No framework has tensors of more than 64.
const mostAxes = 1024

// sizes counts the bytes of all tensors.
func (p *shardPlan) sizes() (before, after int64) {
	for _, s := range p.steps {
		before += s.info.Size
		after += s.after
	}
	return before, after
}

// chosen counts the tensors that are to be quantized.
func chosen(plans []*shardPlan) (n int) {
	for _, p := range plans {
		for _, s := range p.steps {
			if s.chosen {
				n++
			}
		}
	}
	return n
}

// dryRun prints what would become of the tensors.
func (c *quantizeCommand) dryRun(t *tool, plans []*shardPlan) error {
	list := newTable(t.stdout, column{head: "TENSOR", most: 68}, column{head: "DTYPE", most: 12}, column{head: "SHAPE", most: 26}, column{head: "BECOMES", most: 46},
		column{head: ">BYTES BEFORE", most: 18}, column{head: ">AFTER", most: 18})
	var before, after int64
	for _, p := range plans {
		for _, s := range p.steps {
			becomes := "kept"
			if s.record != nil {
				becomes = fmt.Sprintf("%v %v", s.record.Spec.DType, s.record.Spec.Granularity)
			} else if s.warn != "" {
				becomes = "kept: " + s.warn
			}
			list.add(printable(s.info.Name), s.info.DType.String(), s.info.Shape.String(), becomes, fmt.Sprint(s.info.Size), fmt.Sprint(s.after))
		}
		b, a := p.sizes()
		before, after = before+b, after+a
	}
	if err := list.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.stdout, "\n%d bytes would become %d; nothing is written\n", before, after)
	return err
}
