package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// dequantizeIntAsm is the integer formula on an implementation with assembly.
func dequantizeIntAsm[T Float, C Code](impl isa, dst []T, src []C, g Grid, p Int) {
	code, elem := codeOf[C](), elemOf[T]()
	to := streamingTo(impl, len(dst), 8, unsafe.Pointer(&dst[0]), 8*int(unsafe.Sizeof(dst[0])), NoMask)
	s := spans{g: g, n: g.Groups, most: mostElements, to: to}
	for s.advance() {
		y, q, scale := unsafe.Pointer(&dst[s.off]), unsafe.Pointer(&src[s.off]), &p.Scale[s.first]
		switch {
		case p.Minval != nil:
			asm.DequantizeMinval(impl, code, elem, y, q, scale, &p.Minval[s.first], int32(p.Min), s.groups, s.length, s.ahead)
		case p.ZeroPoint != nil:
			asm.DequantizeZeroPoint(impl, code, elem, y, q, scale, &p.ZeroPoint[s.first], s.groups, s.length, s.ahead)
		default:
			asm.Dequantize(impl, code, elem, y, q, scale, s.groups, s.length, s.ahead)
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
	to := streamingTo(impl, len(dst), p.Format.bits(), unsafe.Pointer(&dst[0]), 8*int(unsafe.Sizeof(dst[0])), NoMask).every(8 / p.Format.bits())
	s := spans{g: g, n: g.Groups, most: mostElements, to: to}
	for s.advance() {
		asm.DequantizeFp(impl, code, elem, unsafe.Pointer(&dst[s.off]), &src[s.off*p.Format.bits()/8], &p.Scale[s.first], s.groups, s.length, s.ahead)
	}
}
