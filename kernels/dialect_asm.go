package kernels

import (
	"math"
	"slices"
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

// infinite reports whether factors may be: of zero, the oracle has a code of its own then.
func (m *method) infinite() bool {
	return m.dialect == TorchAO && m.scales == ScaleE4M3FNGlobal && !(m.global >= 0x1p-100)
}

// wild reports whether a quotient of groups to quantize may be NaN that is not one of a NaN: of zero and an infinite factor, as that of a
// scale of 0 is, or of zero divided by one. For E2M1Packed the assembly is told what ModelOpt has for that.
func (m *method) wild(impl isa, p *FloatParams, packed bool) bool {
	switch {
	case !m.replaces() || m.dialect == ModelOpt && packed:
		return false
	case m.scales == ScaleE4M3FNGlobal && !(m.global >= 0x1p-100):
		return true
	case p.Factor != nil && m.multiplies():
		return !(largest(impl, p.Factor) <= math.MaxFloat32)
	case m.scales == ScaleE8M0:
		return false
	}
	of := p.Scale
	if p.Factor != nil {
		of = p.Factor
	}
	var least, most float32
	asm.MinMax[float32](impl, asm.F32, unsafe.Pointer(unsafe.SliceData(of)), unsafe.Pointer(&least), unsafe.Pointer(&most), 1, len(of))
	return !(least >= 0x1p-120)
}

// multipliesAlone reports whether codes are those of products with the factors. To
// round a product with a power of two to the type of the element changes nothing but
// what is far below every format, and with it the zeros. E2M1 with a byte to each code
// has no kernel for that.
func (m *method) multipliesAlone() bool {
	return m.multiplies() && m.plain() && !m.infinite() && !(m.fp4 && m.format.bits == 8)
}

func (r *FloatRule) multipliesAlone() bool {
	m := r.method()
	return m.multipliesAlone()
}

// quantizeFloatBy quantizes as dialects other than the reference do.
func quantizeFloatBy[T Float](impl isa, dst []byte, src []T, g Grid, p *FloatParams) {
	m := p.method()
	switch {
	case !g.inBytes(p.Format.Bits()) || m.wild(impl, p, p.Format == E2M1Packed):
		portableQuantizeFloat(dst, src, g, p)
	case p.Format.isSix():
		quantizeFloatSixes(impl, dst, src, g, p)
	case m.multipliesAlone():
		var room [someGroups]float32
		to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), p.Format.Bits(), NoMask)
		for base := 0; base < g.Groups; base += len(room) {
			factor := factors[T](p, &m, base, min(len(room), g.Groups-base), room[:])
			quantizeFloatGroups(impl, dst, src, g, p.Format, base, nil, factor, to)
		}
	case p.Format == E2M1Packed:
		quantizeFours(impl, dst, src, g, p)
	case m.multiplies() || !m.plain() || narrows[T](p.Dialect):
		quantizeFloatBefore(impl, dst, src, g, p, 0, g.Groups)
	default: // the factors are the scales
		quantizeFloatAsm(impl, dst, src, g, &FloatParams{Format: p.Format, Scale: p.Scale})
	}
}

// factors are what the elements of some groups from base on are multiplied with or
// divided by, in room unless they are the parameters' own.
func factors[T Float](p *FloatParams, m *method, base, n int, room []float32) []float32 {
	if p.Factor != nil {
		return p.Factor[base:][:n]
	}
	room = room[:n]
	for i := range room {
		room[i] = factorAt[T](p, m, base+i)
	}
	return room
}

// fours are what the assembly is told of E2M1Packed: the words of asm.QuantizeE2M1PowerOfTwo.
type fours struct {
	instead, tie float32
	flip         int32
}

// fours are those of the method's codes. Where signs are flipped, elements are to have the other one.
func (m *method) fours() fours {
	f := fours{instead: nan32, tie: 0x1p-22}
	if m.dialect == ModelOpt { // NaN has the code of the largest value
		f.instead = float32(math.Inf(1))
	}
	if m.towardZero() { // a zero is +0 first
		f = fours{-f.instead, math.Nextafter32(f.tie, 0), 0x08080808}
	}
	return f
}

// quantizeFoursOf quantizes the groups from base on, as quantizeFloatGroups does: there are no
// other kernels than those for float32.
func quantizeFoursOf[T Float](impl isa, dst []byte, src []T, g Grid, base int, scale, recip []float32, f *fours, to streaming) {
	var s spans
	s.visit(g, base, len(recip), mostElements, to)
	wide := unsafe.Sizeof(*new(T)) == 4
	var buf [widenedLen]float32
	if !wide {
		s.most = len(buf)
	}
	for s.advance() {
		q, x := &dst[s.off/2], &buf[0]
		if first := unsafe.Pointer(&src[s.off]); wide {
			x = (*float32)(first)
		} else {
			asm.Decode(impl, elemOf[T](), x, (*uint16)(first), s.groups*s.length, 0)
		}
		if recip := &recip[s.first]; scale == nil {
			asm.QuantizeE2M1PowerOfTwo(impl, q, x, recip, f.instead, f.tie, f.flip, s.groups, s.length, s.ahead)
		} else {
			asm.QuantizeE2M1(impl, q, x, &scale[s.first], recip, f.instead, s.groups, s.length, s.ahead)
		}
	}
}

// quantizeFours quantizes to E2M1Packed where zeros or ties are the library's own. The
// assembly is right where no quotient but that of zero becomes zero: with factors that are
// less than 1 quotients come first, and by scales of 2 and more it divides.
func quantizeFours[T Float](impl isa, dst []byte, src []T, g Grid, p *FloatParams) {
	m := p.method()
	words := m.fours()
	var room [someGroups]float32
	var recip [manyGroups]float32
	step := len(room)
	if p.Factor != nil {
		step = len(recip)
	}
	to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), p.Format.Bits(), NoMask)
	if unsafe.Sizeof(src[0]) == 2 {
		to = streaming{}
	}
	for base := 0; base < g.Groups; base += step {
		n := min(step, g.Groups-base)
		var factor []float32
		if p.Factor == nil && !m.multiplies() {
			factor = room[:n]
			m.values(impl, factor, p.Scale[base:][:n])
		} else {
			factor = factors[T](p, &m, base, n, room[:])
		}
		var least, most float32
		asm.MinMax[float32](impl, asm.F32, unsafe.Pointer(&factor[0]), unsafe.Pointer(&least), unsafe.Pointer(&most), 1, n)
		switch {
		case !m.multiplies():
			asm.Prepare(impl, &recip[0], &factor[0], n)
			for i := 0; i < n && !(most <= belowTwo); i++ {
				if factor[i] > belowTwo {
					recip[i] = nan32
				}
			}
			quantizeFoursOf(impl, dst, src, g, base, factor, recip[:n], &words, to)
		case !(least >= 1):
			quantizeFloatBefore(impl, dst, src, g, p, base, n)
		case words.flip != 0:
			minus := float32(-1)
			asm.Product(impl, &recip[0], &factor[0], &minus, minusZeros[0], nan32, 1, n, 0)
			quantizeFoursOf(impl, dst, src, g, base, nil, recip[:n], &words, to)
		default:
			quantizeFoursOf(impl, dst, src, g, base, nil, factor, &words, to)
		}
	}
}

// dequantizeFloatLevels is for scales that are divided by a number, or multiplied by one and rounded.
func dequantizeFloatLevels[T Float](impl isa, dst []T, src []byte, g Grid, p *FloatParams, m *method) {
	if g.Groups <= someGroups {
		var scale [someGroups]float32
		dequantizeFloatPieces(impl, dst, src, g, p, m, scale[:])
	} else {
		var scale [manyGroups]float32
		dequantizeFloatPieces(impl, dst, src, g, p, m, scale[:])
	}
}

// dequantizeFloatPieces computes the scales of as many groups at a time as it has room for.
func dequantizeFloatPieces[T Float](impl isa, dst []T, src []byte, g Grid, p *FloatParams, m *method, scale []float32) {
	row := g.Groups * g.Len
	if g.Rows > 1 && row%perByte(p.Format.Bits()) != 0 {
		portableDequantizeFloat(dst, src, g, p)
		return
	}
	for base := 0; base < g.Groups; base += len(scale) {
		s := scale[:min(len(scale), g.Groups-base)]
		m.values(impl, s, p.Scale[base:][:len(s)])
		part := FloatParams{Format: p.Format, Scale: s}
		for r := range g.Rows {
			at, n := r*row+base*g.Len, len(s)*g.Len
			dequantizeFloatTimes(impl, dst[at:][:n], src[p.Format.Bytes(at):][:p.Format.Bytes(n)], Grid{1, len(s), g.Len}, &part, m.format.times)
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
// scales will be, and factors, which go to factor and to the rule's own. It reports
// whether recip takes the reciprocals of factors by which E2M1 is divided.
func chooseDialect[T Float](impl isa, r *FloatRule, most, factor, recip []float32) (reciprocals bool) {
	m := r.method()
	factor = factor[:len(most)]
	switch {
	case len(most) == 0:
	case r.Scales == ScaleE8M0 && choosePowers[T](impl, &m, r.Scale, factor, most):
	case r.Scales == ScaleE8M0 && exponentsOf(&m, r.Format) != nil:
		exponentsOf(&m, r.Format).choose(r.Scale, factor, most)
	case chooseE4M3s[T](impl, &m, r.Scale, factor, recip, most):
		reciprocals = !m.multiplies()
	default:
		for i, most := range most {
			r.Scale[i], factor[i] = chooseScale[T](&m, most)
			r.Scale[i] = oneNaN(r.Scale[i])
		}
	}
	copy(r.Factor, factor)
	return reciprocals
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
	case m.dialect == CompressedTensors || m.dialect == CompressedTensorsF32:
		if elemOf[T]() == asm.F16 && slices.ContainsFunc(most, func(m float32) bool { return m < 0x1p-14 || m >= 0x1.Cp15 }) {
			return false
		}
		mantissa, below := m.compressedPower()
		asm.ParamsPowerOfTwo(impl, &scale[0], &factor[0], &most[0], 1<<(22-mantissa), below, 0, 0, len(most))
	default:
		return false
	}
	return true
}

// chooseE4M3s chooses scales of E4M3FN, unless the global one is extreme. Where elements
// are divided by factors recip takes their reciprocals, as asm.QuantizeE2M1 wants them.
func chooseE4M3s[T Float](impl isa, m *method, scale, factor, recip, most []float32) bool {
	n, g := len(most), m.global
	const six = fp4.E2M1Max
	switch {
	case m.scales == ScaleE4M3FN:
		asm.ParamsE4M3(impl, asm.F32, &scale[0], &factor[0], &scale[0], &most[0], six, 1, 1, 0, 0x1p-6, 0x1p-6, 1, 1, fp8.E4M3FNMax, 1, n)
	case m.scales != ScaleE4M3FNGlobal || !(g >= 0x1p-60 && g <= 0x1p100):
		return false
	case m.dialect == TorchAO:
		asm.ParamsE4M3(impl, asm.F32, &scale[0], &factor[0], &scale[0], &most[0], six, g, 1, 0, 0x1p-6, 0x1p-6, 1, 1, fp8.E4M3FNMax, 1/g, n)
	case m.dialect == ModelOpt:
		asm.ParamsE4M3(impl, asm.F32, &scale[0], &recip[0], &factor[0], &most[0], six*g, 1, 1, 0, 1, 0x1p-9, 1, g, belowTwo, 1, n)
	default:
		asm.ParamsE4M3(impl, elemOf[T](), &scale[0], &recip[0], &factor[0], &most[0], six, 1, g, 0x1p-10, 0.125, 0, g, 1, belowTwo, 1, n)
	}
	return true
}

// dynamicFloatBy observes and quantizes some groups at a time.
func dynamicFloatBy[T Float](impl isa, dst []byte, src []T, g Grid, r *FloatRule) {
	if g.Groups <= fewChosen {
		var factor, recip [fewChosen]float32
		dynamicFloatsBy(impl, dst, src, g, r, factor[:], recip[:])
	} else {
		var factor, recip [manyChosen]float32
		dynamicFloatsBy(impl, dst, src, g, r, factor[:], recip[:])
	}
}

func dynamicFloatsBy[T Float](impl isa, dst []byte, src []T, g Grid, r *FloatRule, factor, recip []float32) {
	m := r.method()
	words := m.fours()
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
		reciprocals := false
		if r.Dialect == Reference {
			chooseFloats[T](impl, findings{recip: recip}, &part, 0, n)
		} else {
			reciprocals = chooseDialect[T](impl, &part, part.Scale, factor, recip)
		}
		q, grid := dst[r.Format.Bytes(first*g.Len):][:r.Format.Bytes(n*g.Len)], Grid{1, n, g.Len}
		if reciprocals && r.Format == E2M1Packed {
			quantizeFoursOf(impl, q, x, grid, 0, factor[:n], recip[:n], &words, streaming{})
			continue
		}
		p := part.params(0, n)
		if p.Dialect != Reference {
			p.Factor = factor[:n]
		}
		quantizeFloat(impl, q, x, grid, &p)
	}
}
