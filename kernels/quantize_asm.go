package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// quantizeIntAsm is the integer formula on an implementation with assembly.
func quantizeIntAsm[T Float](impl isa, st storage, dst unsafe.Pointer, src []T, g Grid, p *IntParams) {
	switch {
	case g.Groups <= fewGroups:
		var recip [fewGroups]float32
		quantizeIntRuns(impl, st, dst, src, g, p, recip[:])
	case g.Groups <= someGroups:
		var recip [someGroups]float32
		quantizeIntRuns(impl, st, dst, src, g, p, recip[:])
	default:
		var recip [manyGroups]float32
		quantizeIntRuns(impl, st, dst, src, g, p, recip[:])
	}
}

func quantizeIntRuns[T Float](impl isa, st storage, dst unsafe.Pointer, src []T, g Grid, p *IntParams, recip []float32) {
	to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), dst, st.bits, NoMask)
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		asm.Prepare(impl, &recip[0], &p.Scale[base], n)
		quantizeIntGroups(impl, st, dst, src, g, p, base, recip[:n], to)
	}
}

// quantizeIntGroups quantizes the groups from base on, with the reciprocals of their scales.
func quantizeIntGroups[T Float](impl isa, st storage, dst unsafe.Pointer, src []T, g Grid, p *IntParams, base int, recip []float32, to streaming) {
	var s spans
	s.visit(g, base, len(recip), mostElements, to)
	for s.advance() {
		if p.Minval == nil && hasProducts[T](impl, s.length) {
			for i := range s.groups {
				group, off := base+s.first+i, s.off+i*s.length
				q, x := unsafe.Add(dst, off*st.bits/8), unsafe.Pointer(&src[off])
				if !quantizeIntProduct(impl, st.layout, elemOf[T](), q, x, p, group, s.length, s.ahead) {
					quantizeIntGroup[T](impl, st, q, x, p, group, recip[s.first+i:], 1, s.length, s.ahead)
				}
			}
			continue
		}
		q, x := unsafe.Add(dst, s.off*st.bits/8), unsafe.Pointer(&src[s.off])
		quantizeIntGroup[T](impl, st, q, x, p, base+s.first, recip[s.first:], s.groups, s.length, s.ahead)
	}
}

// quantizeIntGroup quantizes adjacent groups from first on; recip are their scales' reciprocals.
func quantizeIntGroup[T Float](impl isa, st storage, dst, x unsafe.Pointer, p *IntParams, first int, recip []float32, groups, length, ahead int) {
	elem, least, most, layout := elemOf[T](), int32(p.Min), int32(p.Max), int32(st.layout)
	q, scale, r := (*uint8)(dst), &p.Scale[first], &recip[0]
	switch {
	case p.Minval != nil:
		quantizeMinvals[T](impl, st, dst, x, scale, r, &p.Minval[first], least, most, groups, length, ahead)
	case p.ZeroPoint != nil:
		asm.QuantizeZeroPoint[T](impl, elem, q, x, scale, r, &p.ZeroPoint[first], least, most, layout, groups, length, ahead)
	case st.layout == asm.SignedBytes && least == -128 && most == 127: // the usual range has no clips to do
		asm.QuantizeWhole[T](impl, elem, (*int8)(dst), x, scale, r, groups, length, ahead)
	default:
		asm.Quantize[T](impl, elem, q, x, scale, r, least, most, layout, groups, length, ahead)
	}
}

// quantizeMinvals is quantizeIntGroup with minvals: elements of 16 bits become
// float32s first, in pieces that stay in the L1 cache.
func quantizeMinvals[T Float](impl isa, st storage, q, x unsafe.Pointer, scale, recip, minval *float32, least, most int32, groups, length, ahead int) {
	if unsafe.Sizeof(*new(T)) == 4 {
		asm.QuantizeMinval(impl, asm.F32, (*uint8)(q), (*float32)(x), scale, recip, minval, least, most, int32(st.layout), groups, length, ahead)
		return
	}
	var buf [widenedLen]float32
	var s spans
	s.visit(Grid{1, groups, length}, 0, groups, len(buf), streaming{})
	for s.advance() {
		asm.Decode(impl, elemOf[T](), &buf[0], (*uint16)(unsafe.Add(x, 2*s.off)), s.groups*s.length, 0)
		asm.QuantizeMinval(impl, asm.F32, (*uint8)(unsafe.Add(q, s.off*st.bits/8)), &buf[0], step(scale, s.first), step(recip, s.first), step(minval, s.first),
			least, most, int32(st.layout), s.groups, s.length, ahead)
	}
}

// quantizeIntProduct quantizes one group by products, if they will do.
func quantizeIntProduct(impl isa, layout asm.Layout, elem asm.Elem, q, x unsafe.Pointer, p *IntParams, group, length, ahead int) bool {
	least, most, zero, scale := int32(p.Min), int32(p.Max), int32(0), p.Scale[group]
	if p.ZeroPoint != nil {
		zero = p.ZeroPoint[group]
	}
	recip, ok := product(impl, elem, scale, intMiddles(least, most, zero), 0)
	switch {
	case !ok:
	case layout == asm.SignedBytes && zero == 0 && least == -128 && most == 127:
		asm.QuantizeWholeProduct(impl, elem, (*int8)(q), (*uint16)(x), scale, recip, length, ahead)
	default:
		asm.QuantizeProduct(impl, elem, (*uint8)(q), (*uint16)(x), scale, recip, zero, least, most, int32(layout), length, ahead)
	}
	return ok
}

// quantizeIntBetweenBytes is for groups that do not begin at a byte of packed
// codes: a byte each comes first, in pieces that stay in the L1 cache.
func quantizeIntBetweenBytes[T Float](impl isa, dst []byte, src []T, g Grid, p *IntParams, f Format) {
	var codes [betweenBytes]byte // Int8, which has room for unsigned codes of fewer bits too
	bits := f.Bits()
	var s spans
	s.visit(g, 0, g.Groups, len(codes), streaming{})
	for s.advance() {
		n := s.groups * s.length
		part := p.part(s.first, s.groups)
		quantizeIntAsm(impl, Int8.storage(), unsafe.Pointer(&codes[0]), src[s.off:][:n], Grid{1, s.groups, s.length}, &part)
		at, rest := s.off, codes[:n]
		for toByte := 8 / bits; at%toByte > 0 && len(rest) > 0; at++ {
			dst[at/toByte] |= rest[0] & (1<<bits - 1) << (at % toByte * bits)
			rest = rest[1:]
		}
		pack(impl, dst[at*bits/8:][:f.Bytes(len(rest))], rest, f)
	}
}

// betweenBytes is how many codes there are in such a piece.
const betweenBytes = 4096

// quantizeFloatAsm is the float formula on an implementation with assembly.
func quantizeFloatAsm[T Float](impl isa, dst []byte, src []T, g Grid, p *FloatParams) {
	switch {
	case g.Groups <= fewGroups:
		var recip [fewGroups]float32
		quantizeFloatRuns(impl, dst, src, g, p, recip[:])
	case g.Groups <= someGroups:
		var recip [someGroups]float32
		quantizeFloatRuns(impl, dst, src, g, p, recip[:])
	default:
		var recip [manyGroups]float32
		quantizeFloatRuns(impl, dst, src, g, p, recip[:])
	}
}

func quantizeFloatRuns[T Float](impl isa, dst []byte, src []T, g Grid, p *FloatParams, recip []float32) {
	to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), p.Format.Bits(), NoMask)
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		asm.Prepare(impl, &recip[0], &p.Scale[base], n)
		quantizeFloatGroups(impl, dst, src, g, p.Format, base, p.Scale[base:][:n], recip[:n], to)
	}
}

// quantizeFloatGroups quantizes the groups from base on, with their scales and the
// reciprocals of these. Without scales it multiplies; E2M1 with a byte to each has them.
func quantizeFloatGroups[T Float](impl isa, dst []byte, src []T, g Grid, format Format, base int, scale, recip []float32, to streaming) {
	d, elem := &formats[format], elemOf[T]()
	layout, f := int32(d.layout), &d.float8
	var s spans
	s.visit(g, base, len(recip), mostElements, to)
	for s.advance() {
		if scale != nil && hasProducts[T](impl, s.length) {
			for i := range s.groups {
				off, scale := s.off+i*s.length, &scale[s.first+i]
				q, x := &dst[off*d.bits/8], unsafe.Pointer(&src[off])
				if r, ok := product(impl, elem, *scale, format.middles(), 0); ok {
					asm.QuantizeFpProduct(impl, elem, q, (*uint16)(x), *scale, r, f.least, f.ruler, f.weights, f.top, f.nan, layout, s.length, s.ahead)
				} else {
					asm.QuantizeFp[T](impl, elem, q, x, scale, &recip[s.first+i], f.least, f.ruler, f.weights, f.top, f.nan, layout, 1, s.length, s.ahead)
				}
			}
			continue
		}
		q, x, recip := &dst[s.off*d.bits/8], unsafe.Pointer(&src[s.off]), &recip[s.first]
		if scale == nil {
			asm.QuantizeFpPowerOfTwo[T](impl, elem, q, x, recip, f.least, f.ruler, f.weights, f.top, f.nan, layout, s.groups, s.length, s.ahead)
		} else {
			asm.QuantizeFp[T](impl, elem, q, x, &scale[s.first], recip, f.least, f.ruler, f.weights, f.top, f.nan, layout, s.groups, s.length, s.ahead)
		}
	}
}
