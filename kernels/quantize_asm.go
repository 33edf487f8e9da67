package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// quantizeIntAsm is the integer formula on an implementation with assembly.
func quantizeIntAsm[T Float](impl isa, st storage, dst unsafe.Pointer, src []T, g Grid, p *Int) {
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

func quantizeIntRuns[T Float](impl isa, st storage, dst unsafe.Pointer, src []T, g Grid, p *Int, recip []float32) {
	to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), dst, st.bits, NoMask)
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		asm.Prepare(impl, &recip[0], &p.Scale[base], n)
		quantizeIntGroups(impl, st, dst, src, g, p, base, recip[:n], to)
	}
}

// quantizeIntGroups quantizes the groups from base on, with the reciprocals of their scales.
func quantizeIntGroups[T Float](impl isa, st storage, dst unsafe.Pointer, src []T, g Grid, p *Int, base int, recip []float32, to streaming) {
	code, elem, least, most := st.code, elemOf[T](), int32(p.Min), int32(p.Max)
	s := spans{g: g, base: base, n: len(recip), most: mostElements, to: to}
	for s.advance() {
		q, x := unsafe.Add(dst, s.off*st.bits/8), unsafe.Pointer(&src[s.off])
		scale, recip := &p.Scale[base+s.first], &recip[s.first]
		switch {
		case p.Minval != nil:
			asm.QuantizeMinval(impl, code, elem, q, x, scale, recip, &p.Minval[base+s.first], least, most, s.groups, s.length, s.ahead)
		case p.ZeroPoint != nil:
			asm.QuantizeZeroPoint(impl, code, elem, q, x, scale, recip, &p.ZeroPoint[base+s.first], least, most, s.groups, s.length, s.ahead)
		case code == asm.Int8 && least == -128 && most == 127: // the usual range has no clips to do
			asm.QuantizeWhole(impl, code, elem, (*int8)(q), x, scale, recip, s.groups, s.length, s.ahead)
		default:
			asm.Quantize(impl, code, elem, q, x, scale, recip, least, most, s.groups, s.length, s.ahead)
		}
	}
}

// quantizeIntBetweenBytes is for groups that do not begin at a byte of packed
// codes: a byte each comes first, in pieces that stay in the L1 cache.
func quantizeIntBetweenBytes[T Float](impl isa, dst []byte, src []T, g Grid, p Int, f Packing) {
	var codes [betweenBytes]int8 // which have room for unsigned ones too
	bits := f.bits()
	s := spans{g: g, n: g.Groups, most: len(codes)}
	for s.advance() {
		n := s.groups * s.length
		part := p.part(s.first, s.groups)
		quantizeIntAsm(impl, storageOf[int8](), unsafe.Pointer(&codes[0]), src[s.off:][:n], Grid{1, s.groups, s.length}, &part)
		at, rest := s.off, codes[:n]
		for toByte := 8 / bits; at%toByte > 0 && len(rest) > 0; at++ {
			dst[at/toByte] |= byte(rest[0]) & (1<<bits - 1) << (at % toByte * bits)
			rest = rest[1:]
		}
		pack(impl, dst[at*bits/8:][:packedBytes(len(rest), bits)], rest, bits)
	}
}

// betweenBytes is how many codes there are in such a piece.
const betweenBytes = 4096

// quantizeFpAsm is the float formula on an implementation with assembly.
func quantizeFpAsm[T Float](impl isa, dst []byte, src []T, g Grid, p Fp) {
	switch {
	case g.Groups <= fewGroups:
		var recip [fewGroups]float32
		quantizeFpRuns(impl, dst, src, g, p, recip[:])
	case g.Groups <= someGroups:
		var recip [someGroups]float32
		quantizeFpRuns(impl, dst, src, g, p, recip[:])
	default:
		var recip [manyGroups]float32
		quantizeFpRuns(impl, dst, src, g, p, recip[:])
	}
}

func quantizeFpRuns[T Float](impl isa, dst []byte, src []T, g Grid, p Fp, recip []float32) {
	to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), p.Format.bits(), NoMask)
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		asm.Prepare(impl, &recip[0], &p.Scale[base], n)
		quantizeFpGroups(impl, dst, src, g, p, base, recip[:n], false, to)
	}
}

// quantizeFpGroups quantizes the groups from base on, with the reciprocals of
// their scales, which may be known to be powers of two.
func quantizeFpGroups[T Float](impl isa, dst []byte, src []T, g Grid, p Fp, base int, recip []float32, powersOfTwo bool, to streaming) {
	code, elem, most := p.Format.asmCode(), elemOf[T](), p.Format.Max()
	s := spans{g: g, base: base, n: len(recip), most: mostElements, to: to}
	for s.advance() {
		q, x, recip := &dst[s.off*p.Format.bits()/8], unsafe.Pointer(&src[s.off]), &recip[s.first]
		if powersOfTwo {
			asm.QuantizeFpPowerOfTwo(impl, code, elem, q, x, recip, most, s.groups, s.length, s.ahead)
		} else {
			asm.QuantizeFp(impl, code, elem, q, x, &p.Scale[base+s.first], recip, most, s.groups, s.length, s.ahead)
		}
	}
}
