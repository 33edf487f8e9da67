package checkpoint

import (
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/safetensors"
)

// resolveGPTQ finds the modules of GPTQ.
func (r *resolver) resolveGPTQ(q *quantConfig) error {
	format := q.CheckpointFormat
	if format == "" {
		format = "gptq"
	}
	switch {
	case q.Bits != 2 && q.Bits != 3 && q.Bits != 4 && q.Bits != 8:
		return q.unsupported("gptq with bits %d", q.Bits)
	case q.Marlin:
		return q.unsupported("is_marlin_format true")
	case format != "gptq" && format != "gptq_v2":
		return q.unsupported("checkpoint_format %q", format)
	case q.GroupSize < -1 || q.GroupSize == 0:
		return q.unsupported("group_size %d", q.GroupSize)
	}
	for _, p := range r.owners(".qweight", ".qzeros") {
		b := r.begin(p+".weight", methodGPTQ, format)
		b.resolveGPTQ(q, p)
		b.endPacked(p)
	}
	return nil
}

// endPacked is end for a module of GPTQ or AWQ.
func (b *builder) endPacked(p string) { b.end(p+".qweight", p+".qzeros", p+".scales", p+".g_idx") }

func (b *builder) resolveGPTQ(q *quantConfig, p string) {
	codes, ok := b.need(Codes, p+".qweight", safetensors.I32)
	if !ok {
		return
	}
	if len(codes.dims()) != 2 || codes.dims()[0]*32%q.Bits != 0 {
		b.fail(codes.Name, "has the shape %s, want whole codes of %d bits along the first of two axes", shapeText(codes.dims()), q.Bits)
		return
	}
	in, out := codes.dims()[0]*32/q.Bits, codes.dims()[1]
	l := &gptq{columns: columns{codes: codes, bits: q.Bits, in: in, out: out}}
	if b.scheme.Format == "gptq" {
		l.plus = 1
	}
	size, ok := b.groups(q, codes, in)
	if !ok {
		return
	}
	l.groups = axis{in, size}.groups()
	zeros, ok := b.need(ZeroPoint, p+".qzeros", safetensors.I32)
	if !ok {
		return
	}
	if out*q.Bits%32 != 0 {
		b.fail(codes.Name, "has %d columns, whose zero points of %d bits do not fill whole words", out, q.Bits)
		return
	}
	if !b.wantShape(zeros, l.groups, out*q.Bits/32) {
		return
	}
	l.zeros = zeros
	scale, ok := b.need(Scale, p+".scales", floats...)
	if !ok || !b.wantShape(scale, l.groups, out) {
		return
	}
	l.scale = scales{Stored: scale}
	if index, ok := b.add(GroupIndex, p+".g_idx"); ok {
		if index.DType != safetensors.I32 {
			b.fail(index.Name, "is %v, want I32", index.DType)
			return
		}
		if !b.wantShape(index, in) {
			return
		}
		if l.index = b.readIndex(index, l.groups); b.err != nil {
			return
		}
		if slices.Equal(l.index, evenIndex(in, size)) {
			l.size = size
		}
	} else if q.DescAct {
		b.fail(p+".g_idx", "is missing, though desc_act in %s is true", q.path)
		return
	} else {
		l.index, l.size = evenIndex(in, size), size
	}
	b.scheme.Bits, b.scheme.Rows, b.scheme.Cols = q.Bits, 1, size
	b.done([]int{out, in}, l, scale.DType)
}

// groups returns the size of groups of GPTQ and AWQ.
func (b *builder) groups(q *quantConfig, codes Stored, in int) (size int, ok bool) {
	size = q.GroupSize
	if size == -1 || size > in && b.scheme.Method == methodGPTQ {
		size = max(1, in)
	}
	if in%size != 0 && b.scheme.Method == methodAWQ {
		b.fail(codes.Name, "has %d inputs, which the group_size of %d in %s does not divide", in, size, q.path)
	}
	return size, b.err == nil
}

// resolveAWQ finds the modules of AWQ.
func (r *resolver) resolveAWQ(q *quantConfig) error {
	version := strings.ToLower(q.Version)
	switch {
	case version != "" && version != "gemm":
		return q.unsupported("awq with version %q", q.Version)
	case q.Bits != 4:
		return q.unsupported("awq with bits %d", q.Bits)
	case q.ZeroPoint != nil && !*q.ZeroPoint:
		return q.unsupported("awq with zero_point false")
	case q.GroupSize < -1 || q.GroupSize == 0:
		return q.unsupported("group_size %d", q.GroupSize)
	}
	for _, p := range r.owners(".qweight", ".qzeros") {
		b := r.begin(p+".weight", methodAWQ, "gemm")
		b.resolveAWQ(q, p)
		b.endPacked(p)
	}
	return nil
}

func (b *builder) resolveAWQ(q *quantConfig, p string) {
	codes, ok := b.need(Codes, p+".qweight", safetensors.I32)
	if !ok {
		return
	}
	if len(codes.dims()) != 2 || codes.dims()[0]%8 != 0 {
		b.fail(codes.Name, "has the shape %s, want two axes, the first a multiple of 8", shapeText(codes.dims()))
		return
	}
	in, out := codes.dims()[0], codes.dims()[1]*8
	size, ok := b.groups(q, codes, in)
	if !ok {
		return
	}
	l := &awq{columns{codes: codes, bits: 4, in: in, out: out, groups: in / size, index: evenIndex(in, size), size: size}}
	zeros, ok := b.need(ZeroPoint, p+".qzeros", safetensors.I32)
	if !ok || !b.wantShape(zeros, l.groups, out/8) {
		return
	}
	l.zeros = zeros
	scale, ok := b.need(Scale, p+".scales", floats...)
	if !ok || !b.wantShape(scale, l.groups, out) {
		return
	}
	l.scale = scales{Stored: scale}
	b.scheme.Bits, b.scheme.Rows, b.scheme.Cols = 4, 1, size
	b.done([]int{out, in}, l, scale.DType)
}
