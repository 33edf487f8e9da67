package kernels

import (
	"math"
	"unsafe"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/asm"
)

// asReference reports whether codes of integers are the reference's: where nothing
// is rounded but the quotient, it makes no difference whether it is clamped before.
func asReference[T Float](p *IntParams) bool {
	switch p.Dialect {
	case Reference:
		return true
	case CompressedTensors, CompressedTensorsF32:
		return p.ZeroPoint == nil && !narrows[T](p.Dialect)
	}
	return false
}

// dividesByScales reports whether elements are fake-quantized as the reference does
// by powers of two.
func (p *FloatParams) dividesByScales() bool {
	if p.Dialect != TorchAO || p.Scales != ScaleE8M0 {
		return false
	}
	for _, s := range p.Scale {
		if !(s >= 0x1p-126) {
			return false
		}
	}
	return true
}

// quantizeFloatBy quantizes as dialects other than the reference do.
func quantizeFloatBy[T Float](impl isa, dst []byte, src []T, g Grid, p *FloatParams) {
	m := p.method()
	switch {
	case !m.plain() || narrows[T](p.Dialect) || !g.inBytes(p.Format.Bits()),
		p.Scales == ScaleE4M3FNGlobal && !(p.Global >= 0x1p-100): // factors may be infinite
		portableQuantizeFloat(dst, src, g, p)
	case p.Format.isSix():
		quantizeFloatSixes(impl, dst, src, g, p)
	case !m.multiplies(): // the factors are the scales
		quantizeFloatAsm(impl, dst, src, g, &FloatParams{Format: p.Format, Scale: p.Scale})
	default:
		to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), p.Format.Bits(), NoMask)
		var factor [someGroups]float32
		for base := 0; base < g.Groups; base += len(factor) {
			f := factor[:min(len(factor), g.Groups-base)]
			if p.Factor != nil {
				f = p.Factor[base:][:len(f)]
			} else {
				for i := range f {
					f[i] = factorAt[T](p, &m, base+i)
				}
			}
			quantizeFloatGroups(impl, dst, src, g, p, base, f, true, to)
		}
	}
}

// dequantizeFloatGlobal is for scales of two levels.
func dequantizeFloatGlobal[T Float](impl isa, dst []T, src []byte, g Grid, p *FloatParams) {
	m := p.method()
	row := g.Groups * g.Len
	if g.Rows > 1 && row%perByte(p.Format.Bits()) != 0 {
		portableDequantizeFloat(dst, src, g, p)
		return
	}
	var scale [someGroups]float32
	for base := 0; base < g.Groups; base += len(scale) {
		s := scale[:min(len(scale), g.Groups-base)]
		for i := range s {
			s[i] = m.valueScale(p.Scale[base+i])
		}
		part := FloatParams{Format: p.Format, Scale: s}
		for r := range g.Rows {
			at, n := r*row+base*g.Len, len(s)*g.Len
			dequantizeFloat(impl, dst[at:][:n], src[p.Format.Bytes(at):][:p.Format.Bytes(n)], Grid{1, len(s), g.Len}, &part)
		}
	}
}

// chooseDialect chooses scales from the largest magnitudes, which may lie where the
// scales will be, and factors, which go to factor and to the rule's own.
func chooseDialect[T Float](impl isa, r *FloatRule, most, factor []float32) {
	m := r.method()
	if t := exponentsOf(&m, r.Format); t != nil {
		t.choose(r.Scale, factor, most)
		copy(r.Factor, factor[:len(most)])
		return
	}
	if m.dialect == TorchAO && m.scales == ScaleE4M3FNGlobal && m.global >= 0x1p-100 && m.global <= 0x1p100 {
		chooseNVFP4(impl, &m, r.Scale, factor, most)
		copy(r.Factor, factor[:len(most)])
		return
	}
	for i, most := range most {
		var scale, f float32
		if r.Dialect == Reference {
			one := FloatRule{Format: r.Format, Scales: r.Scales, Scale: r.Scale[i:][:1]}
			portableChooseFloat[T](&one, []float32{0}, []float32{most})
			scale = r.Scale[i]
			f = scale
		} else {
			scale, f = chooseScale[T](&m, most)
		}
		r.Scale[i], factor[i] = oneNaN(scale), f
		if r.Factor != nil {
			r.Factor[i] = f
		}
	}
}

// dynamicFloatBy observes and quantizes some groups at a time.
func dynamicFloatBy[T Float](impl isa, dst []byte, src []T, g Grid, r *FloatRule) {
	var factor [someGroups]float32
	step := max(1, min(len(factor), dynamicPiece/g.Len))
	if n := perByte(r.Format.Bits()); g.Len%n != 0 {
		step = step / n * n
	}
	if step == 0 { // long groups that end within a byte: one, as the grid is in bytes
		step = g.Groups
	}
	for first := 0; first < g.Groups; first += step {
		n := min(step, g.Groups-first)
		x, part := src[first*g.Len:][:n*g.Len], r.part(first, n)
		adjacent(impl, x, g.Len, nil, part.Scale, false)
		chooseDialect[T](impl, &part, part.Scale, factor[:])
		p := part.params(0, n)
		if p.Dialect != Reference {
			p.Factor = factor[:n]
		}
		quantizeFloat(impl, dst[r.Format.Bytes(first*g.Len):][:r.Format.Bytes(n*g.Len)], x, Grid{1, n, g.Len}, &p)
	}
}

// fewNVFP4 is the least number of groups for which it pays to list the factors.
const fewNVFP4 = 64

// chooseNVFP4 chooses the scales of torchao's two levels, (m/6)/g as E4M3FN. Both
// quotients are those of the kernel that divides by one number for all, and takes
// 2^-23 at least: a power of two brings g to 1..2, so that this is far below the
// least scale, 2^-6.
func chooseNVFP4(impl isa, m *method, scale, factor, most []float32) {
	e := int(math.Float32bits(m.global)>>23) - 127
	up := math.Float32frombits(uint32(127-e) << 23)
	g := m.global * up
	inverse := 1 / m.global
	var quotients, spare [someGroups]float32
	var codes [someGroups]fp8.E4M3FN
	var factors [128]float32
	listed := len(most) >= fewNVFP4
	if listed {
		for c := range factors {
			factors[c] = inverse / fp8.E4M3FN(c).Float32()
		}
	}
	for first := 0; first < len(most); first += someGroups {
		n := min(someGroups, len(most)-first)
		q := quotients[:n]
		for i, x := range most[first:][:n] {
			q[i] = x * up
		}
		asm.ParamsScale[float32](impl, asm.F32, &q[0], &spare[0], &q[0], fp4.E2M1Max, n)
		asm.ParamsScale[float32](impl, asm.F32, &q[0], &spare[0], &q[0], g, n)
		encodeAsm(impl, codes[:n], q, &encodeE4M3FNSat)
		for i, c := range codes[:n] {
			c = max(c, 0x08) & 0x7f // 2^-6
			s := c.Float32()
			scale[first+i] = s
			if listed {
				factor[first+i] = factors[c]
			} else {
				factor[first+i] = inverse / s
			}
		}
	}
}
