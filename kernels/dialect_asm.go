package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/fp4"
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

// infinite reports whether factors may be: of zero, the oracle has a code of its own then.
func (m *method) infinite() bool {
	return m.dialect == TorchAO && m.scales == ScaleE4M3FNGlobal && !(m.global >= 0x1p-100)
}

// multipliesAlone reports whether codes are those of products with the factors. To
// round a product with a power of two to the type of the element changes nothing but
// what is far below every format, and with it the zeros.
func (m *method) multipliesAlone() bool { return m.multiplies() && m.plain() && !m.infinite() }

// quantizeFloatBy quantizes as dialects other than the reference do.
func quantizeFloatBy[T Float](impl isa, dst []byte, src []T, g Grid, p *FloatParams) {
	m := p.method()
	switch {
	case !g.inBytes(p.Format.Bits()) || m.infinite():
		portableQuantizeFloat(dst, src, g, p)
	case p.Format.isSix():
		quantizeFloatSixes(impl, dst, src, g, p)
	case !m.plain() || !m.multiplies() && narrows[T](p.Dialect):
		quantizeFloatBefore(impl, dst, src, g, p)
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
		m.values(impl, s, p.Scale[base:][:len(s)])
		part := FloatParams{Format: p.Format, Scale: s}
		for r := range g.Rows {
			at, n := r*row+base*g.Len, len(s)*g.Len
			dequantizeFloat(impl, dst[at:][:n], src[p.Format.Bytes(at):][:p.Format.Bytes(n)], Grid{1, len(s), g.Len}, &part)
		}
	}
}

// values computes what the values of codes are multiplied by.
func (m *method) values(impl isa, dst, scale []float32) {
	times, over := m.twoLevels()
	if over == 1 {
		asm.Product(impl, &dst[0], &scale[0], &times, minusZeros[0], nan32, 1, len(scale), 0)
		return
	}
	recip := nan32 // to divide
	if over >= 0x1p-80 && over <= 0x1p100 {
		recip = 1 / over
	}
	asm.Quotient(impl, &dst[0], &scale[0], &over, &recip, &minusZeros[0], -1, nan32, 1, len(scale), 0)
}

// chooseDialect chooses scales from the largest magnitudes, which may lie where the
// scales will be, and factors, which go to factor and to the rule's own.
func chooseDialect[T Float](impl isa, r *FloatRule, most, factor []float32) {
	m := r.method()
	factor = factor[:len(most)]
	switch {
	case len(most) == 0:
	case r.Scales == ScaleE8M0 && choosePowers[T](impl, &m, r.Scale, factor, most):
	case r.Scales == ScaleE8M0 && exponentsOf(&m, r.Format) != nil:
		exponentsOf(&m, r.Format).choose(r.Scale, factor, most)
	case chooseE4M3s[T](impl, &m, r.Scale, factor, most):
	default:
		for i, most := range most {
			if r.Dialect == Reference {
				one := FloatRule{Format: r.Format, Scales: r.Scales, Scale: r.Scale[i:][:1]}
				portableChooseFloat[T](&one, []float32{0}, []float32{most})
				factor[i] = r.Scale[i]
				continue
			}
			r.Scale[i], factor[i] = chooseScale[T](&m, most)
			r.Scale[i] = oneNaN(r.Scale[i])
		}
	}
	copy(r.Factor, factor)
}

// choosePowers chooses powers of two, if the magnitudes are not special ones to the dialect.
func choosePowers[T Float](impl isa, m *method, scale, factor, most []float32) bool {
	var largest float32
	asm.AbsMax[float32](impl, asm.F32, unsafe.Pointer(&most[0]), &largest, 1, len(most))
	if !(largest <= 0x1p120) {
		return false
	}
	f := m.format
	switch {
	case m.dialect == ModelOpt:
		asm.ParamsLogarithm(impl, &scale[0], &factor[0], &most[0], f.largest, 0x1p127, len(most))
	case m.dialect == TorchAO && m.rule == ScaleRCeil:
		asm.ParamsLogarithm(impl, &scale[0], &factor[0], &most[0], f.largest, 1, len(most))
	case m.dialect == TorchAO:
		round := [...]int32{ScaleFloor: 0, ScaleEven: 1 << (f.step>>23 - 1), ScaleCeil: 1<<23 - 1}[m.rule]
		asm.ParamsPowerOfTwo(impl, &scale[0], &factor[0], &most[0], round, int32(f.maxExp), 0, 1, len(most))
	case (m.dialect == CompressedTensors || m.dialect == CompressedTensorsF32) && elemOf[T]() != asm.F16:
		mantissa, below := m.compressedPower()
		asm.ParamsPowerOfTwo(impl, &scale[0], &factor[0], &most[0], 1<<(22-mantissa), below, 0, 0, len(most))
	default:
		return false
	}
	return true
}

// chooseE4M3s chooses scales of E4M3FN, unless the global one is extreme.
func chooseE4M3s[T Float](impl isa, m *method, scale, factor, most []float32) bool {
	n, g := len(most), m.global
	const six = fp4.E2M1Max
	switch {
	case m.scales == ScaleE4M3FN:
		asm.ParamsE4M3[float32](impl, asm.F32, &scale[0], &factor[0], &most[0], six, 1, 1, 0, 0x1p-6, 0x1p-6, 1, n)
		return true
	case m.scales != ScaleE4M3FNGlobal || !(g >= 0x1p-60 && g <= 0x1p100):
		return false
	case m.dialect == TorchAO:
		asm.ParamsE4M3[float32](impl, asm.F32, &scale[0], &factor[0], &most[0], six, g, 1, 0, 0x1p-6, 0x1p-6, 1/g, n)
		return true
	case m.dialect == ModelOpt:
		asm.ParamsE4M3[float32](impl, asm.F32, &scale[0], &factor[0], &most[0], six*g, 1, 1, 0, 1, 0x1p-9, 1, n)
	default:
		asm.ParamsE4M3[T](impl, elemOf[T](), &scale[0], &factor[0], &most[0], six, 1, g, 0x1p-10, 0.125, 0, 1, n)
	}
	m.values(impl, factor, scale[:n])
	return true
}

// dynamicFloatBy observes and quantizes some groups at a time.
func dynamicFloatBy[T Float](impl isa, dst []byte, src []T, g Grid, r *FloatRule) {
	if g.Groups <= fewChosen {
		var factor [fewChosen]float32
		dynamicFloatsBy(impl, dst, src, g, r, factor[:])
	} else {
		var factor [manyChosen]float32
		dynamicFloatsBy(impl, dst, src, g, r, factor[:])
	}
}

func dynamicFloatsBy[T Float](impl isa, dst []byte, src []T, g Grid, r *FloatRule, factor []float32) {
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
		chooseDialect[T](impl, &part, part.Scale, factor)
		p := part.params(0, n)
		if p.Dialect != Reference {
			p.Factor = factor[:n]
		}
		quantizeFloat(impl, dst[r.Format.Bytes(first*g.Len):][:r.Format.Bytes(n*g.Len)], x, Grid{1, n, g.Len}, &p)
	}
}
