package checkpoint

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/safetensors"
)

// scaleInv is what the name of an fp8 tensor's scales ends in.
const scaleInv = "_scale_inv"

// resolveFP8 finds the fp8 tensors of DeepSeek and transformers: X and X_scale_inv, one scale per block of a matrix.
func (r *resolver) resolveFP8(q *quantConfig) {
	names := r.owners(scaleInv)
	if q.path != "" {
		for name := range r.names {
			t := r.info(name).DType
			if t == safetensors.I8 && !strings.HasSuffix(name, ".weight") { // integers that are no experts
				continue
			}
			if _, ok := r.storedAs(name + scaleInv); !ok && (t == safetensors.F8_E4M3 || t == safetensors.F8_E5M2 || t == safetensors.I8) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		b := r.begin(name, methodFP8, "e4m3")
		b.resolveFP8(q)
		b.end(name, name+scaleInv)
		if p, ok := strings.CutSuffix(name, ".weight"); ok {
			b.others(p+".input_scale", p+".activation_scale")
		}
	}
}

func (b *builder) resolveFP8(q *quantConfig) {
	codes, ok := b.need(Codes, b.name, safetensors.F8_E4M3, safetensors.F8_E5M2, safetensors.I8, safetensors.U8)
	if !ok {
		return
	}
	scale, ok := b.need(Scale, b.name+scaleInv, append(floats, safetensors.F8_E8M0, safetensors.U8)...)
	if !ok {
		return
	}
	rank := len(codes.dims())
	if rank < 2 {
		b.fail(codes.Name, "has the shape %s, want a matrix", shapeText(codes.dims()))
		return
	}
	shape := append([]int{}, codes.dims()...)
	l := &grouped{codes: codes, form: formE4M3, bits: 8, rowBytes: shape[rank-1], scale: scales{Stored: scale}}
	blockRows, blockCols := 128, 128
	switch codes.DType {
	case safetensors.F8_E5M2:
		l.form, b.scheme.Format = formE5M2, "e5m2"
	case safetensors.I8, safetensors.U8:
		l.form, l.bits, b.scheme.Format = formE2M1, 4, "e2m1"
		shape[rank-1] *= 2
		blockRows, blockCols = 1, 32
		if shape[rank-1]%32 != 0 {
			b.fail(codes.Name, "has rows of %d elements, want a multiple of 32", shape[rank-1])
			return
		}
	}
	l.cols = shape[rank-1]
	want := append([]int{}, shape...)
	switch block := q.WeightBlockSize; {
	case l.form == formE2M1:
	case block == nil && len(scale.dims()) < 2 && scale.Elements() == 1:
		blockRows, blockCols, want = max(1, shape[rank-2]), max(1, l.cols), scale.dims()
		if rank > 2 {
			b.fail(scale.Name, "has one scale, want blocks, as %q has the shape %s", codes.Name, shapeText(codes.dims()))
			return
		}
	case block == nil:
		b.fail(scale.Name, "has the shape %s, but %s has no weight_block_size", shapeText(scale.dims()), q.path)
		return
	case len(block) != 2 || block[0] < 1 || block[1] < 1:
		b.fail(codes.Name, "is fp8, but the weight_block_size in %s is %v", q.path, block)
		return
	default:
		blockRows, blockCols = block[0], block[1]
	}
	l.groupCols = (l.cols + blockCols - 1) / blockCols
	if len(want) == rank {
		want[rank-2], want[rank-1] = (shape[rank-2]+blockRows-1)/blockRows, l.groupCols
	}
	if !b.wantShape(scale, want...) {
		return
	}
	for i, d := range shape[:rank-1] {
		l.axes = append(l.axes, axis{d, 1})
		if i == rank-2 {
			l.axes[i].block = blockRows
		}
	}
	l.blockCols = blockCols
	b.scheme.Bits, b.scheme.Rows, b.scheme.Cols = l.bits, blockRows, blockCols
	b.done(shape, l, scale.DType)
}

// resolveMXFP4 finds the experts of gpt-oss: X_blocks and X_scales.
func (r *resolver) resolveMXFP4() {
	for _, name := range r.owners("_blocks", "_scales") {
		blocks, scales := name+"_blocks", name+"_scales"
		if r.config.quant == nil {
			_, both := r.storedAs(scales)
			if s, ok := r.storedAs(blocks); !ok || !both || s.DType != safetensors.U8 {
				continue
			}
		}
		b := r.begin(name, methodMXFP4, "mxfp4")
		b.scheme.Bits, b.scheme.Rows, b.scheme.Cols = 4, 32, 1
		b.resolveMXFP4(blocks, scales)
		b.end(blocks, scales)
	}
}

func (b *builder) resolveMXFP4(blocks, scales string) {
	codes, ok := b.need(Codes, blocks, safetensors.U8)
	if !ok {
		return
	}
	scale, ok := b.need(Scale, scales, safetensors.U8, safetensors.F8_E8M0)
	if !ok {
		return
	}
	if n := len(codes.dims()); n != 4 || codes.dims()[3] != 16 {
		b.fail(codes.Name, "has the shape %s, want four axes, the last of 16 bytes", shapeText(codes.dims()))
		return
	}
	if !b.wantShape(scale, codes.dims()[:3]...) {
		return
	}
	l := &transposedMX{codes: codes, scale: scale, experts: codes.dims()[0], in: 32 * codes.dims()[2], out: codes.dims()[1]}
	b.done([]int{l.experts, l.in, l.out}, l, 0)
}

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
	l.groups = (in + size - 1) / size
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
	if size == -1 {
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

// bnbState is the name of a companion's suffix that says how bitsandbytes quantized a tensor.
const bnbState = ".quant_state.bitsandbytes__"

// resolveBNB finds the tensors of bitsandbytes.
func (r *resolver) resolveBNB() {
	four := r.owners(bnbState+"nf4", bnbState+"fp4")
	seen := map[string]bool{}
	for _, name := range four {
		seen[name] = true
	}
	for _, name := range r.owners(".absmax", ".quant_map") {
		if !seen[name] {
			if _, ok := r.storedAs(name); ok {
				four = append(four, name)
			}
		}
	}
	for _, name := range four {
		b := r.begin(name, methodBNB, "nf4")
		b.scheme.Bits = 4
		b.resolveNF4()
		b.end(name, name+".absmax", name+".quant_map", name+".nested_absmax", name+".nested_quant_map", name+bnbState+"nf4", name+bnbState+"fp4")
	}
	eight := r.owners(".SCB")
	if r.config.quant != nil {
		for _, p := range r.owners(".weight") {
			if _, ok := r.storedAs(p + ".SCB"); !ok && r.info(p+".weight").DType == safetensors.I8 {
				eight = append(eight, p)
			}
		}
	}
	for _, p := range eight {
		b := r.begin(p+".weight", methodBNB, "int8")
		b.resolveInt8(p)
		b.end(p+".weight", p+".SCB")
	}
}

func (b *builder) resolveInt8(p string) {
	codes, ok := b.need(Codes, p+".weight", safetensors.I8)
	if !ok {
		return
	}
	if len(codes.dims()) != 2 {
		b.fail(codes.Name, "has the shape %s, want two axes", shapeText(codes.dims()))
		return
	}
	scale, ok := b.need(Scale, p+".SCB", safetensors.F32)
	if !ok || !b.wantShape(scale, codes.dims()[0]) {
		return
	}
	if format, ok := b.add(Other, p+".weight_format"); ok {
		if format.DType != safetensors.U8 || format.Elements() != 1 {
			b.fail(format.Name, "is %v %s, want one byte", format.DType, shapeText(format.dims()))
			return
		}
		if v := readSmall[uint8](b, format); b.err == nil && v[0] != 0 {
			b.fail(format.Name, "says that the rows of the codes are in the order %d, want 0: other orders are not supported", v[0])
			return
		}
	}
	b.scheme.Bits, b.scheme.Rows, b.scheme.Cols = 8, 1, codes.dims()[1]
	b.done(codes.dims(), &int8Rows{codes, scale, codes.dims()[1]}, scale.DType)
}

// quantState is what bitsandbytes says in JSON beside a tensor.
type quantState struct {
	QuantType       string   `json:"quant_type"`
	BlockSize       int      `json:"blocksize"`
	DType           string   `json:"dtype"`
	Shape           []int    `json:"shape"`
	NestedBlockSize int      `json:"nested_blocksize"`
	NestedDType     string   `json:"nested_dtype"`
	NestedOffset    *float64 `json:"nested_offset"`
}

func (b *builder) resolveNF4() {
	codes, ok := b.need(Codes, b.name, safetensors.U8)
	if !ok {
		return
	}
	kind := "nf4"
	if _, ok := b.storedAs(b.name + bnbState + "fp4"); ok {
		kind = "fp4"
	}
	b.scheme.Format = kind
	stateName := b.name + bnbState + kind
	state, ok := b.readQuantState(stateName)
	if !ok {
		return
	}
	l, values := &nf4{codes: codes, elements: 1, block: state.BlockSize, pairs: &nf4Pairs}, &nf4Table
	if kind == "fp4" {
		l.pairs, values = &fp4Pairs, &fp4Table
	}
	if state.QuantType != kind {
		b.fail(stateName, "has the quant_type %q, want %q", state.QuantType, kind)
		return
	}
	if l.block < 1 || l.block > 1<<20 {
		b.fail(stateName, "has a blocksize of %d", l.block)
		return
	}
	dtype := torchDType(state.DType)
	if dtype == 0 {
		b.fail(stateName, "has the dtype %q, want float32, float16 or bfloat16", state.DType)
		return
	}
	for _, d := range state.Shape {
		if d < 1 || int64(d) > 2*codes.Size || int64(l.elements) > 2*codes.Size/int64(d) {
			b.fail(stateName, "has the shape %s, which the codes' %d bytes do not hold", shapeText(state.Shape), codes.Size)
			return
		}
		l.elements *= d
	}
	if int64(l.elements+1)/2 != codes.Size {
		b.fail(stateName, "has the shape %s, which %d bytes of codes do not fill", shapeText(state.Shape), codes.Size)
		return
	}
	blocks := (l.elements + l.block - 1) / l.block
	table, ok := b.need(Other, b.name+".quant_map", safetensors.F32)
	if !ok || !b.wantShape(table, 16) {
		return
	}
	for i, v := range readSmall[float32](b, table) {
		if b.err == nil && v != values[i] {
			b.fail(table.Name, "gives code %d the value %v, want %v as %s has it", i, v, values[i], kind)
		}
	}
	if b.err != nil {
		return
	}
	absmax := safetensors.U8
	if state.NestedOffset == nil {
		absmax = safetensors.F32
	}
	if l.absmax, ok = b.need(Scale, b.name+".absmax", absmax); !ok || !b.wantShape(l.absmax, blocks) {
		return
	}
	if state.NestedOffset != nil {
		if l.nested = b.resolveNested(stateName, state, blocks); l.nested == nil {
			return
		}
	}
	b.scheme.Rows, b.scheme.Cols = 1, l.block
	b.done(state.Shape, l, dtype)
}

// readQuantState reads what the tensor of that name says in JSON.
func (b *builder) readQuantState(name string) (state quantState, ok bool) {
	stored, ok := b.need(Other, name, safetensors.U8)
	if !ok || !b.wantShape(stored, int(stored.Size)) {
		return state, false
	}
	text := readSmall[uint8](b, stored)
	if b.err != nil {
		return state, false
	}
	err := noTwins(text)
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		b.fail(name, "is no JSON that says how the tensor is quantized: %w", plainJSON(err))
	}
	return state, err == nil
}

// resolveNested finds what the scales of so many blocks are quantized by, nil if that is not whole.
func (b *builder) resolveNested(stateName string, state quantState, blocks int) *nested {
	n := &nested{block: state.NestedBlockSize, offset: float32(*state.NestedOffset)}
	if n.block < 1 || n.block > 1<<20 {
		b.fail(stateName, "has a nested_blocksize of %d", n.block)
		return nil
	}
	if torchDType(state.NestedDType) != safetensors.F32 {
		b.fail(stateName, "has the nested_dtype %q, want float32", state.NestedDType)
		return nil
	}
	var ok bool
	if n.absmax, ok = b.need(GlobalScale, b.name+".nested_absmax", safetensors.F32); !ok || !b.wantShape(n.absmax, (blocks+n.block-1)/n.block) {
		return nil
	}
	table, ok := b.need(Other, b.name+".nested_quant_map", safetensors.F32)
	if !ok || !b.wantShape(table, 256) {
		return nil
	}
	n.table = readSmall[float32](b, table)
	return n
}
