package quant

import (
	"math"

	"github.com/lowbit-go/lowbit/kernels"
)

// write does a pass's output for the elements [lo, hi).
func (p *pass[T]) write(ws *workspace[T], lo, hi int) {
	if lo < hi {
		p.out(ws, lo, hi)
	}
}

// writesFakes has the pass write y and the mask from x.
func (p *pass[T]) writesFakes() {
	if p.outputs.fakes == nil {
		p.outputs.fakes = func(ws *workspace[T], lo, hi int) { p.fakeQuantize(ws, lo, hi) }
	}
	p.out = p.outputs.fakes
}

// writesCodes has it write codes from x.
func (p *pass[T]) writesCodes() {
	if p.outputs.codes == nil {
		p.outputs.codes = func(ws *workspace[T], lo, hi int) { p.quantize(ws, lo, hi) }
		p.outputs.dynamic = func(lo, hi int) { p.observeAndQuantize(lo, hi) }
	}
	p.out, p.dynamic = p.outputs.codes, p.outputs.dynamic
}

// writesCodeValues has it write to y the codes' values from x.
func (p *pass[T]) writesCodeValues() {
	if p.outputs.codeValues == nil {
		p.outputs.codeValues = func(ws *workspace[T], lo, hi int) { p.quantizeValues(ws, lo, hi) }
	}
	p.out = p.outputs.codeValues
}

// writesValuesOfCodes has it write y from codes.
func (p *pass[T]) writesValuesOfCodes() {
	if p.outputs.valuesOfCodes == nil {
		p.outputs.valuesOfCodes = func(ws *workspace[T], lo, hi int) { p.dequantize(ws, lo, hi) }
	}
	p.out = p.outputs.valuesOfCodes
}

// writesGradients has it write y from x and the mask.
func (p *pass[T]) writesGradients() {
	if p.outputs.gradients == nil {
		p.outputs.gradients = func(_ *workspace[T], lo, hi int) { kernels.Backward(p.y[lo:hi], p.x[lo:hi], p.mask.kernel(lo, hi-lo)) }
	}
	p.out = p.outputs.gradients
}

// fakeQuantize writes y and the mask.
func (p *pass[T]) fakeQuantize(ws *workspace[T], lo, hi int) {
	if p.step != nil {
		p.fakeQuantizeBySteps(ws, lo, hi)
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
			mask := ws.mask[:min(chunk, end-at)]
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
		k := p.format.floats(p.params, s, false)
		kernels.FakeQuantizeFloat(y, mask, x, s.grid, &k)
	} else {
		k := p.format.ints(p.params, s, false)
		kernels.FakeQuantizeInt(y, mask, x, s.grid, &k)
	}
}

// fakeQuantizeBySteps does it with a user's own step: what is NaN before it is clamped stays so, all else is what its code stands for.
func (p *pass[T]) fakeQuantizeBySteps(ws *workspace[T], lo, hi int) {
	for at := lo; at < hi; at += chunk {
		n := min(chunk, hi-at)
		buf := ws.codes[:n*p.format.width()]
		p.encodeBySteps(p.step, ws, buf, at)
		p.decode(p.y[at:][:n], buf, at)
		keepNaN(p.y[at:][:n], ws.stepped)
		for i, m := range ws.mask[:n] {
			ws.mask[i] = min(m, 1)
		}
		switch p.mask.Kind {
		case ByteMask:
			copy(p.mask.Data[at:], ws.mask[:n])
		case BitMask:
			setBits(p.mask.Data, at, ws.mask[:n])
		}
	}
}

// quantizeValues writes to y the values of the codes, in the type of the tensor, which has them all; what is NaN before it is clamped
// stays so. That is a NaN of x, and an Inf by an observed Inf.
func (p *pass[T]) quantizeValues(ws *workspace[T], lo, hi int) {
	plain := *p.format
	plain.minval = false
	plain.dialect, plain.scale, plain.rule, plain.global = Reference, ScaleAny, RuleDefault, false
	ws.wide = grow(ws.wide, chunk)
	for at := lo; at < hi; at += chunk {
		n := min(chunk, hi-at)
		buf := ws.codes[:n*p.format.width()]
		step, source := p.step, ws.wide
		if step == nil && p.format.dialect == Reference && !p.finite(at, at+n) {
			step = formula{}
		}
		if step != nil {
			p.encodeBySteps(step, ws, buf, at)
			source = ws.stepped
		} else {
			widen(ws.wide, p.x[at:][:n])
			p.encode(ws, buf, at)
		}
		decodeSpan(p.y[at:][:n], buf, span{grid: kernels.Grid{Rows: 1, Groups: 1, Len: n}}, &plain, &unit, false)
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
func (p *pass[T]) quantize(ws *workspace[T], lo, hi int) {
	if w := p.lines.width; !p.lines.packed {
		p.encode(ws, p.codes[lo*w:hi*w], lo)
		return
	}
	for lo < hi {
		end := lo + p.lines.part(lo, hi, hi-lo)
		if p.step == nil && p.inBytes(lo, end) {
			for s := range p.tiling.spans(lo, end) {
				encodeSpan(p.place(s), p.x[s.at:][:s.len()], s, p.format, p.params, true)
			}
			lo = end
		}
		for lo < end {
			n := p.lines.part(lo, end, chunk)
			p.encode(ws, ws.codes[:n], lo)
			p.lines.pack(p.codes[p.lines.offset(lo):], ws.codes[:n])
			lo += n
		}
	}
}

// observeAndQuantize moves the parameters with groups that lie contiguous and whole in [lo, hi), and writes their codes.
func (p *pass[T]) observeAndQuantize(lo, hi int) {
	for s := range p.tiling.spans(lo, hi) {
		dst, x := p.place(s), p.x[s.at:][:s.len()]
		if p.format.dtype.IsFloat() {
			r := p.format.floatRule(p.params, s.group, s.grid.Groups, p.lines.packed)
			kernels.DynamicFloat(dst, x, s.grid, &r)
		} else {
			r := p.format.intRule(p.params, s.group, s.grid.Groups, p.lines.packed)
			kernels.DynamicInt(dst, x, s.grid, &r)
		}
	}
}

// dequantize writes y from codes.
func (p *pass[T]) dequantize(ws *workspace[T], lo, hi int) {
	if w := p.lines.width; !p.lines.packed {
		p.decode(p.y[lo:hi], p.codes[lo*w:hi*w], lo)
		return
	}
	for lo < hi {
		end := lo + p.lines.part(lo, hi, hi-lo)
		if p.inBytes(lo, end) {
			for s := range p.tiling.spans(lo, end) {
				decodeSpan(p.y[s.at:][:s.len()], p.place(s), s, p.format, p.params, true)
			}
			lo = end
		}
		for lo < end {
			n := p.lines.part(lo, end, chunk)
			p.lines.unpack(ws.codes[:n], p.codes[p.lines.offset(lo):])
			p.decode(p.y[lo:][:n], ws.codes[:n], lo)
			lo += n
		}
	}
}

// place is where the codes of a span are; packed ones begin at a byte.
func (p *pass[T]) place(s span) []byte {
	if p.lines.packed {
		return p.codes[p.lines.offset(s.at):][:p.lines.bytes(s.len())]
	}
	return p.codes[s.at*p.lines.width:][:s.len()*p.lines.width]
}

// inBytes tells whether the spans of the elements [lo, hi), of one line, begin at a byte, so that the kernels can pack and unpack them. Those
// of float4 are better off with groups that do, too.
func (p *pass[T]) inBytes(lo, hi int) bool {
	n := p.lines.perByte()
	for s := range p.tiling.spans(lo, hi) {
		if s.at%p.lines.length%n != 0 || p.lines.fp4 && s.grid.Len%n != 0 && !(s.grid.Len == 1 && s.grid.Groups%n == 0) {
			return false
		}
	}
	return true
}

// encode writes the codes of x from element at on, unpacked.
func (p *pass[T]) encode(ws *workspace[T], dst []byte, at int) {
	if p.step != nil {
		p.encodeBySteps(p.step, ws, dst, at)
		return
	}
	w := p.format.width()
	for s := range p.tiling.spans(at, at+len(dst)/w) {
		encodeSpan(dst[(s.at-at)*w:][:s.len()*w], p.x[s.at:][:s.len()], s, p.format, p.params, false)
	}
}

func encodeSpan[T kernels.Float](dst []byte, x []T, s span, f *format, p *Params, packed bool) {
	if f.dtype.IsFloat() {
		k := f.floats(p, s, packed)
		kernels.QuantizeFloat(dst, x, s.grid, &k)
	} else {
		k := f.ints(p, s, packed)
		kernels.QuantizeInt(dst, x, s.grid, &k)
	}
}

// encodeBySteps is encode by a step, and leaves the last chunk's values and mask in the workspace.
func (p *pass[T]) encodeBySteps(step QuantizeStep, ws *workspace[T], dst []byte, at int) {
	ws.wide, ws.stepped = grow(ws.wide, chunk), grow(ws.stepped, chunk)
	w := p.format.width()
	for len(dst) > 0 {
		n := min(chunk, len(dst)/w)
		widen(ws.wide, p.x[at:][:n])
		for s := range p.tiling.spans(at, at+n) {
			for i := s.at - at; i < s.at-at+s.len(); i += s.grid.Len {
				g := p.format.group(p.params, s.group+(i-s.at+at)/s.grid.Len%s.grid.Groups)
				g.First = p.tiling.first + at + i
				end := i + s.grid.Len
				step.Quantize(ws.stepped[i:end:end], ws.mask[i:end:end], ws.wide[i:end:end], g)
			}
		}
		p.format.encode(dst[:n*w], ws.stepped[:n])
		dst, at = dst[n*w:], at+n
	}
}

// decode writes the values of codes, of the elements from at on.
func (p *pass[T]) decode(y []T, src []byte, at int) {
	w := p.format.width()
	for s := range p.tiling.spans(at, at+len(y)) {
		decodeSpan(y[s.at-at:][:s.len()], src[(s.at-at)*w:][:s.len()*w], s, p.format, p.params, false)
	}
}

func decodeSpan[T kernels.Float](y []T, src []byte, s span, f *format, p *Params, packed bool) {
	if f.dtype.IsFloat() {
		k := f.floats(p, s, packed)
		kernels.DequantizeFloat(y, src, s.grid, &k)
	} else {
		k := f.ints(p, s, packed)
		kernels.DequantizeInt(y, src, s.grid, &k)
	}
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
