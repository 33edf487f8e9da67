package quant

import (
	"math"
	"unsafe"

	"github.com/lowbit-go/lowbit/kernels"
)

// write does a pass's output for the elements [lo, hi).
func (p *pass[T]) write(b *bench[T], lo, hi int) {
	if lo == hi {
		return
	}
	switch p.out {
	case fakes:
		p.fakeQuantize(b, lo, hi)
	case codes:
		p.quantize(b, lo, hi)
	case values:
		p.quantizeValues(b, lo, hi)
	case dequantized:
		p.dequantize(b, lo, hi)
	case gradients:
		kernels.Backward(p.y[lo:hi], p.x[lo:hi], p.mask.kernel(lo, hi-lo))
	}
}

// fakeQuantize writes y and the mask.
func (p *pass[T]) fakeQuantize(b *bench[T], lo, hi int) {
	if p.step != nil {
		p.fakeQuantizeBySteps(b, lo, hi)
		return
	}
	for s := range p.tiling.spans(lo, hi) {
		end := s.at + s.len()
		if p.mask.Kind != BitMask || s.at%8 == 0 && (end%8 == 0 || end == p.size) {
			p.fakeQuantizeSpan(s, p.mask.kernel(s.at, s.len()))
			continue
		}
		// The span begins or ends within a byte of the mask.
		for at := s.at; at < end; at += chunk {
			mask := b.mask[:min(chunk, end-at)]
			for s := range p.tiling.spans(at, at+len(mask)) {
				p.fakeQuantizeSpan(s, kernels.ByteMask(mask[s.at-at:][:s.len()]))
			}
			setBits(p.mask.Data, at, mask)
		}
	}
}

func (p *pass[T]) fakeQuantizeSpan(s span, mask kernels.Mask) {
	y, x := p.y[s.at:][:s.len()], p.x[s.at:][:s.len()]
	if p.format.dtype.IsFloat() {
		kernels.FakeQuantizeFloat(y, mask, x, s.grid, p.format.fp(p.params, s))
	} else {
		kernels.FakeQuantizeInt(y, mask, x, s.grid, p.format.int(p.params, s))
	}
}

// fakeQuantizeBySteps does it with a user's own step: what is NaN before it is clamped stays so, all else is what its code stands for.
func (p *pass[T]) fakeQuantizeBySteps(b *bench[T], lo, hi int) {
	for at := lo; at < hi; at += chunk {
		n := min(chunk, hi-at)
		p.encodeBySteps(p.step, b, b.codes[:n], at)
		p.decode(p.y[at:][:n], b.codes[:n], at)
		keepNaN(p.y[at:][:n], b.stepped)
		switch p.mask.Kind {
		case ByteMask:
			copy(p.mask.Data[at:], b.mask[:n])
		case BitMask:
			setBits(p.mask.Data, at, b.mask[:n])
		}
	}
}

// quantizeValues writes to y the values of the codes, in the type of the tensor, which has them all; what is NaN before it is clamped
// stays so. That is a NaN of x, and an Inf by an observed Inf.
func (p *pass[T]) quantizeValues(b *bench[T], lo, hi int) {
	plain := *p.format
	plain.minval = false
	b.wide = grow(b.wide, chunk)
	for at := lo; at < hi; at += chunk {
		n := min(chunk, hi-at)
		step, source := p.step, b.wide
		if step == nil && !p.finite(at, at+n) {
			step = formula{}
		}
		if step != nil {
			p.encodeBySteps(step, b, b.codes[:n], at)
			source = b.stepped
		} else {
			widen(b.wide, p.x[at:][:n])
			p.encode(b, b.codes[:n], at)
		}
		decodeSpan(p.y[at:][:n], b.codes[:n], span{grid: kernels.Grid{Rows: 1, Groups: 1, Len: n}}, &plain, &unit)
		keepNaN(p.y[at:][:n], source)
	}
}

// finite tells whether all scales of the elements [lo, hi) are.
func (p *pass[T]) finite(lo, hi int) bool {
	for s := range p.tiling.spans(lo, hi) {
		for _, scale := range p.params.Scale[s.group:][:s.grid.Groups] {
			if !(scale <= math.MaxFloat32) {
				return false
			}
		}
	}
	return true
}

// keepNaN makes y NaN where the source is.
func keepNaN[T kernels.Float](y []T, source []float32) {
	for i, v := range source[:len(y)] {
		if v != v {
			y[i] = nan[T]()
		}
	}
}

// unit are the parameters with which a code is its own value.
var unit = Params{Scale: []float32{1}}

// quantize writes codes.
func (p *pass[T]) quantize(b *bench[T], lo, hi int) {
	if !p.lines.packed {
		p.encode(b, p.codes[lo:hi], lo)
		return
	}
	for lo < hi {
		end := lo + p.lines.part(lo, hi, hi-lo)
		if p.step == nil && p.inBytes(lo, end) {
			for s := range p.tiling.spans(lo, end) {
				dst, x := p.packed(s), p.x[s.at:][:s.len()]
				if p.lines.fp4 {
					kernels.QuantizeFloat(dst, x, s.grid, p.format.pairs(p.params, s))
				} else {
					kernels.QuantizeIntPacked(dst, x, s.grid, p.format.int(p.params, s), p.format.packing())
				}
			}
			lo = end
		}
		for lo < end {
			n := p.lines.part(lo, end, chunk)
			p.encode(b, b.codes[:n], lo)
			p.lines.pack(p.codes[p.lines.offset(lo):], b.codes[:n])
			lo += n
		}
	}
}

// observeAndQuantize moves the parameters with groups that lie contiguous and whole in [lo, hi), and writes their codes.
func (p *pass[T]) observeAndQuantize(lo, hi int) {
	for s := range p.tiling.spans(lo, hi) {
		x, groups := p.x[s.at:][:s.len()], s.grid.Groups
		switch {
		case p.lines.fp4 && p.lines.packed:
			rule := p.format.fpRule(p.params, s.group, groups)
			rule.Format = kernels.E2M1Packed
			kernels.DynamicFloat(p.packed(s), x, s.grid, rule)
		case p.lines.packed:
			kernels.DynamicIntPacked(p.packed(s), x, s.grid, p.format.intRule(p.params, s.group, groups), p.format.packing())
		case p.format.dtype.IsFloat():
			kernels.DynamicFloat(p.codes[s.at:][:s.len()], x, s.grid, p.format.fpRule(p.params, s.group, groups))
		case p.format.dtype.Storage() == Int8:
			kernels.DynamicInt(signed(p.codes[s.at:][:s.len()]), x, s.grid, p.format.intRule(p.params, s.group, groups))
		default:
			kernels.DynamicInt(p.codes[s.at:][:s.len()], x, s.grid, p.format.intRule(p.params, s.group, groups))
		}
	}
}

// dequantize writes y from codes.
func (p *pass[T]) dequantize(b *bench[T], lo, hi int) {
	if !p.lines.packed {
		p.decode(p.y[lo:hi], p.codes[lo:hi], lo)
		return
	}
	for lo < hi {
		end := lo + p.lines.part(lo, hi, hi-lo)
		if p.inBytes(lo, end) {
			for s := range p.tiling.spans(lo, end) {
				y, src := p.y[s.at:][:s.len()], p.packed(s)
				if p.lines.fp4 {
					kernels.DequantizeFloat(y, src, s.grid, p.format.pairs(p.params, s))
				} else {
					kernels.DequantizeIntPacked(y, src, s.grid, p.format.int(p.params, s), p.format.packing())
				}
			}
			lo = end
		}
		for lo < end {
			n := p.lines.part(lo, end, chunk)
			p.lines.unpack(b.codes[:n], p.codes[p.lines.offset(lo):], p.format.dtype.Storage() == Int8)
			p.decode(p.y[lo:][:n], b.codes[:n], lo)
			lo += n
		}
	}
}

// packed returns the packed codes of a span that begins at a byte.
func (p *pass[T]) packed(s span) []byte {
	return p.codes[p.lines.offset(s.at):][:p.lines.bytes(s.len())]
}

// inBytes tells whether the spans of the elements [lo, hi), of one line, begin at a byte, so that the kernels can pack and unpack them. Those
// of float4 are better off with groups that do, too.
func (p *pass[T]) inBytes(lo, hi int) bool {
	n := 8 / p.lines.bits
	for s := range p.tiling.spans(lo, hi) {
		if s.at%p.lines.length%n != 0 || p.lines.fp4 && s.grid.Len%n != 0 && !(s.grid.Len == 1 && s.grid.Groups%n == 0) {
			return false
		}
	}
	return true
}

// encode writes the codes of x from element at on, a byte each.
func (p *pass[T]) encode(b *bench[T], dst []byte, at int) {
	if p.step != nil {
		p.encodeBySteps(p.step, b, dst, at)
		return
	}
	for s := range p.tiling.spans(at, at+len(dst)) {
		dst, x := dst[s.at-at:][:s.len()], p.x[s.at:][:s.len()]
		switch p.format.dtype.Storage() {
		case Int8:
			kernels.QuantizeInt(signed(dst), x, s.grid, p.format.int(p.params, s))
		case Uint8:
			kernels.QuantizeInt(dst, x, s.grid, p.format.int(p.params, s))
		default:
			kernels.QuantizeFloat(dst, x, s.grid, p.format.fp(p.params, s))
		}
	}
}

// encodeBySteps is encode by a step, and leaves the last chunk's values and mask on the bench.
func (p *pass[T]) encodeBySteps(step QuantizeStep, b *bench[T], dst []byte, at int) {
	b.wide, b.stepped = grow(b.wide, chunk), grow(b.stepped, chunk)
	for len(dst) > 0 {
		n := min(chunk, len(dst))
		widen(b.wide, p.x[at:][:n])
		for s := range p.tiling.spans(at, at+n) {
			for i := s.at - at; i < s.at-at+s.len(); i += s.grid.Len {
				g := p.format.group(p.params, s.group+(i-s.at+at)/s.grid.Len%s.grid.Groups)
				end := i + s.grid.Len
				step.Quantize(b.stepped[i:end:end], b.mask[i:end:end], b.wide[i:end:end], g)
			}
		}
		p.format.encode(dst[:n], b.stepped[:n])
		dst, at = dst[n:], at+n
	}
}

// decode writes the values of codes, of the elements from at on.
func (p *pass[T]) decode(y []T, src []byte, at int) {
	for s := range p.tiling.spans(at, at+len(y)) {
		decodeSpan(y[s.at-at:][:s.len()], src[s.at-at:][:s.len()], s, p.format, p.params)
	}
}

func decodeSpan[T kernels.Float](y []T, src []byte, s span, f *format, p *Params) {
	switch f.dtype.Storage() {
	case Int8:
		kernels.DequantizeInt(y, signed(src), s.grid, f.int(p, s))
	case Uint8:
		kernels.DequantizeInt(y, src, s.grid, f.int(p, s))
	default:
		kernels.DequantizeFloat(y, src, s.grid, f.fp(p, s))
	}
}

// signed views bytes as signed codes.
func signed(b []byte) []int8 {
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(b))), len(b))
}

// setBits writes a mask of bytes to the bits from at on. A byte of bits is written from its first bit on.
func setBits(bits []byte, at int, mask []byte) {
	for i, m := range mask {
		if i += at; i%8 == 0 {
			bits[i/8] = m
		} else {
			bits[i/8] |= m << (i % 8)
		}
	}
}
