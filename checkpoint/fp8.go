package checkpoint

import (
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
	l.groupCols = axis{l.cols, blockCols}.groups()
	if len(want) == rank {
		want[rank-2], want[rank-1] = axis{shape[rank-2], blockRows}.groups(), l.groupCols
	}
	if !b.wantShape(scale, want...) {
		return
	}
	for i, d := range shape[:rank-1] {
		l.axes = append(l.axes, axis{d, 1})
		if i == rank-2 {
			l.axes[i].block = min(blockRows, max(1, d))
		}
	}
	l.blockCols = min(blockCols, max(1, l.cols))
	b.scheme.Bits, b.scheme.Rows, b.scheme.Cols = l.bits, blockRows, blockCols
	b.done(shape, l, scale.DType)
}
