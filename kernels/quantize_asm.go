package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

func codeOf[C Code]() asm.Code {
	if any(*new(C)) == any(int8(0)) {
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
	code, elem, least, most := codeOf[C](), elemOf[T](), int32(p.Min), int32(p.Max)
	to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), 8, NoMask)
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		asm.Prepare(impl, &recip[0], &p.Scale[base], n)
		for s := (spans{g: g, base: base, n: n, most: mostElements, to: to}); s.advance(); {
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
	code, elem, most := p.Format.asmCode(), elemOf[T](), p.Format.Max()
	to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), p.Format.bits(), NoMask)
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		asm.Prepare(impl, &recip[0], &p.Scale[base], n)
		for s := (spans{g: g, base: base, n: n, most: mostElements, to: to}); s.advance(); {
			asm.QuantizeFp(impl, code, elem, &dst[s.off*p.Format.bits()/8], unsafe.Pointer(&src[s.off]), &p.Scale[base+s.first], &recip[s.first], most, s.groups, s.length, s.ahead)
		}
	}
}
