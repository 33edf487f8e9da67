package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// dequantizeIntAsm is the integer formula on an implementation with assembly.
func dequantizeIntAsm[T Float, C Code](impl isa, dst []T, src []C, g Grid, p Int) {
	code, elem := codeOf[C](), elemOf[T]()
	for base := 0; base < g.Groups; base += manyGroups {
		n := min(manyGroups, g.Groups-base)
		zero := &noZeroPoint[0]
		if p.ZeroPoint != nil {
			zero = &p.ZeroPoint[base]
		}
		for r := range g.Rows {
			off := (r*g.Groups + base) * g.Len
			y, q := unsafe.Pointer(&dst[off]), unsafe.Pointer(&src[off])
			if p.Minval != nil {
				asm.DequantizeMinval(impl, code, elem, y, q, &p.Scale[base], &p.Minval[base], int32(p.Min), n, g.Len)
			} else {
				asm.Dequantize(impl, code, elem, y, q, &p.Scale[base], zero, n, g.Len)
			}
		}
	}
}

// dequantizeFpAsm is the float formula on an implementation with assembly. E2M1
// in bytes are e4m3 codes.
func dequantizeFpAsm[T Float](impl isa, dst []T, src []byte, g Grid, p Fp) {
	code, elem := p.Format.asmCode(), elemOf[T]()
	switch p.Format {
	case E2M1:
		code = asm.E4M3
	case E2M1Packed:
		code = asm.E2M1
	}
	for r := range g.Rows {
		off := r * g.Groups * g.Len
		asm.DequantizeFp(impl, code, elem, unsafe.Pointer(&dst[off]), &src[off*p.Format.bits()/8], &p.Scale[0], g.Groups, g.Len)
	}
}
