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
		var recip, lo, hi [fewGroups]float32
		quantizeIntRuns(impl, dst, src, g, p, recip[:], lo[:], hi[:])
	} else {
		var recip, lo, hi [manyGroups]float32
		quantizeIntRuns(impl, dst, src, g, p, recip[:], lo[:], hi[:])
	}
}

func quantizeIntRuns[C Code, T Float](impl isa, dst []C, src []T, g Grid, p Int, recip, lo, hi []float32) {
	code, elem, least := codeOf[C](), elemOf[T](), int32(p.Min)
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		safe := p.holdsZero() && safeScales(impl, p.Scale[base:base+n])
		if safe {
			p.prepare(impl, base, recip[:n], lo, hi)
		} else {
			p.clipCodes(base, lo[:n], hi[:n])
		}
		for s := (spans{g: g, base: base, n: n, most: mostElements}); s.advance(); {
			q, x := unsafe.Pointer(&dst[s.off]), unsafe.Pointer(&src[s.off])
			scale, recip, lo, hi := &p.Scale[base+s.first], &recip[s.first], &lo[s.first], &hi[s.first]
			minval := &noMinval[s.first]
			if p.Minval != nil {
				minval = &p.Minval[base+s.first]
			}
			switch {
			case !safe:
				asm.QuantizeAny(impl, code, elem, q, x, scale, minval, lo, hi, least, s.groups, s.length)
			case p.Minval != nil:
				asm.QuantizeMinval(impl, code, elem, q, x, minval, scale, recip, hi, least, s.groups, s.length)
			case p.ZeroPoint != nil:
				asm.Quantize(impl, code, elem, q, x, scale, recip, hi, &p.ZeroPoint[base+s.first], least, s.groups, s.length)
			default:
				asm.QuantizeSymmetric(impl, code, elem, q, x, scale, recip, hi, least, s.groups, s.length)
			}
		}
	}
}

// quantizeFpAsm is the float formula on an implementation with assembly.
func quantizeFpAsm[T Float](impl isa, dst []byte, src []T, g Grid, p Fp) {
	if g.Groups <= fewGroups {
		var recip, hi [fewGroups]float32
		quantizeFpRuns(impl, dst, src, g, p, recip[:], hi[:])
	} else {
		var recip, hi [manyGroups]float32
		quantizeFpRuns(impl, dst, src, g, p, recip[:], hi[:])
	}
}

func quantizeFpRuns[T Float](impl isa, dst []byte, src []T, g Grid, p Fp, recip, hi []float32) {
	code, elem, most := p.Format.asmCode(), elemOf[T](), p.Format.Max()
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		safe := safeScales(impl, p.Scale[base:base+n])
		if safe {
			asm.PrepareFp(impl, &recip[0], &hi[0], &p.Scale[base], most, n)
		}
		for s := (spans{g: g, base: base, n: n, most: mostElements}); s.advance(); {
			q, x, scale := &dst[s.off*p.Format.bits()/8], unsafe.Pointer(&src[s.off]), &p.Scale[base+s.first]
			if safe {
				asm.QuantizeFp(impl, code, elem, q, x, scale, &recip[s.first], &hi[s.first], s.groups, s.length)
			} else {
				asm.QuantizeFpAny(impl, code, elem, q, x, scale, most, s.groups, s.length)
			}
		}
	}
}
