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
	for base := 0; base < g.Groups; {
		safe, n := safeRun(impl, p.Scale[base:min(base+len(recip), g.Groups)])
		safe = safe && p.holdsZero()
		scale, minval := &p.Scale[base], &noMinval[0]
		if p.Minval != nil {
			minval = &p.Minval[base]
		}
		if safe {
			p.prepare(impl, base, recip[:n], lo, hi)
		} else {
			p.clipCodes(base, lo[:n], hi[:n])
		}
		for r := range g.Rows {
			off := (r*g.Groups + base) * g.Len
			q, x := unsafe.Pointer(&dst[off]), unsafe.Pointer(&src[off])
			switch {
			case !safe:
				asm.QuantizeAny(impl, code, elem, q, x, scale, minval, &lo[0], &hi[0], least, n, g.Len)
			case p.Minval != nil:
				asm.QuantizeMinval(impl, code, elem, q, x, minval, scale, &recip[0], &hi[0], least, n, g.Len)
			case p.ZeroPoint != nil:
				asm.Quantize(impl, code, elem, q, x, scale, &recip[0], &hi[0], &p.ZeroPoint[base], least, n, g.Len)
			default:
				asm.QuantizeSymmetric(impl, code, elem, q, x, scale, &recip[0], &hi[0], least, n, g.Len)
			}
		}
		base += n
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
	code, elem := p.Format.asmCode(), elemOf[T]()
	_, _, most := p.Format.grid()
	for base := 0; base < g.Groups; {
		safe, n := safeRun(impl, p.Scale[base:min(base+len(recip), g.Groups)])
		scale := &p.Scale[base]
		if safe {
			asm.PrepareFp(impl, &recip[0], &hi[0], scale, most, n)
		}
		for r := range g.Rows {
			off := (r*g.Groups + base) * g.Len
			q, x := &dst[off*p.Format.bits()/8], unsafe.Pointer(&src[off])
			if safe {
				asm.QuantizeFp(impl, code, elem, q, x, scale, &recip[0], &hi[0], n, g.Len)
			} else {
				asm.QuantizeFpAny(impl, code, elem, q, x, scale, most, n, g.Len)
			}
		}
		base += n
	}
}
