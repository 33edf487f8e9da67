package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

func codeOf[C Code]() asm.Code {
	if C(0)-1 < 0 {
		return asm.Int8
	}
	return asm.Uint8
}

// quantizeIntAsm is the integer formula on an implementation with assembly.
func quantizeIntAsm[C Code, T Float](impl isa, dst []C, src []T, g Grid, p Int) {
	if g.Groups <= fewGroups {
		var recip [fewGroups]float32
		quantizeIntRuns(impl, dst, src, g, p, recip[:])
	} else {
		var recip [manyGroups]float32
		quantizeIntRuns(impl, dst, src, g, p, recip[:])
	}
}

func quantizeIntRuns[C Code, T Float](impl isa, dst []C, src []T, g Grid, p Int, recip []float32) {
	to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), 8, NoMask)
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		asm.Prepare(impl, &recip[0], &p.Scale[base], n)
		quantizeIntGroups(impl, dst, src, g, p, base, recip[:n], to)
	}
}

// quantizeIntGroups quantizes the groups from base on, with the reciprocals of their scales.
func quantizeIntGroups[C Code, T Float](impl isa, dst []C, src []T, g Grid, p Int, base int, recip []float32, to streaming) {
	code, elem, least, most := codeOf[C](), elemOf[T](), int32(p.Min), int32(p.Max)
	s := spans{g: g, base: base, n: len(recip), most: mostElements, to: to}
	for s.advance() {
		q, x := unsafe.Pointer(&dst[s.off]), unsafe.Pointer(&src[s.off])
		scale, recip := &p.Scale[base+s.first], &recip[s.first]
		switch {
		case p.Minval != nil:
			asm.QuantizeMinval(impl, code, elem, q, x, scale, recip, &p.Minval[base+s.first], least, most, s.groups, s.length, s.ahead)
		case p.ZeroPoint != nil:
			asm.QuantizeZeroPoint(impl, code, elem, q, x, scale, recip, &p.ZeroPoint[base+s.first], least, most, s.groups, s.length, s.ahead)
		default:
			asm.Quantize(impl, code, elem, q, x, scale, recip, least, most, s.groups, s.length, s.ahead)
		}
	}
}

// quantizeFpAsm is the float formula on an implementation with assembly.
func quantizeFpAsm[T Float](impl isa, dst []byte, src []T, g Grid, p Fp) {
	if g.Groups <= fewGroups {
		var recip [fewGroups]float32
		quantizeFpRuns(impl, dst, src, g, p, recip[:])
	} else {
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
