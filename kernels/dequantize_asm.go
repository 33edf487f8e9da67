package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// dequantizeIntAsm is the integer formula on an implementation with assembly.
func dequantizeIntAsm[T Float](impl isa, st storage, dst []T, src unsafe.Pointer, g Grid, p Int) {
	code, elem := st.code, elemOf[T]()
	to := streamingTo(impl, len(dst), st.bits, unsafe.Pointer(&dst[0]), 8*int(unsafe.Sizeof(dst[0])), NoMask).every(8 / st.bits)
	s := spans{g: g, n: g.Groups, most: mostElements, to: to}
	for s.advance() {
		y, q, scale := unsafe.Pointer(&dst[s.off]), unsafe.Add(src, s.off*st.bits/8), &p.Scale[s.first]
		switch {
		case p.Minval != nil:
			asm.DequantizeMinval(impl, code, elem, y, q, scale, &p.Minval[s.first], st.sign, int32(p.Min), s.groups, s.length, s.ahead)
		case p.ZeroPoint != nil:
			asm.DequantizeZeroPoint(impl, code, elem, y, q, scale, &p.ZeroPoint[s.first], st.sign, s.groups, s.length, s.ahead)
		default:
			asm.Dequantize(impl, code, elem, y, q, scale, st.sign, s.groups, s.length, s.ahead)
		}
	}
}

// dequantizeIntBetweenBytes is for groups that do not begin at a byte of packed
// codes: they get a byte each, in pieces that stay in the L1 cache.
func dequantizeIntBetweenBytes[T Float](impl isa, dst []T, src []byte, g Grid, p Int, f Packing) {
	var codes [betweenBytes + 4]int8 // which have room for unsigned ones too
	st := f.storage()
	s := spans{g: g, n: g.Groups, most: betweenBytes}
	for s.advance() {
		n, before := s.groups*s.length, s.off%(8/st.bits)
		asm.Unpack(impl, st.code, (*byte)(unsafe.Pointer(&codes[0])), &src[s.off*st.bits/8], st.sign, before+n, 0)
		dequantizeIntAsm(impl, storageOf[int8](), dst[s.off:][:n], unsafe.Pointer(&codes[before]), Grid{1, s.groups, s.length}, p.part(s.first, s.groups))
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
