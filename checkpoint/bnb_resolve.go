package checkpoint

import (
	"encoding/json"

	"github.com/lowbit-go/lowbit/safetensors"
)

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
	l, values := &nf4{codes: codes, elements: 1, block: state.BlockSize, values: nf4Values}, &nf4Table
	if kind == "fp4" {
		l.values, values = fp4Values, &fp4Table
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
