package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// Pack writes integer codes, one to an element, as the packed codes of f: Int6,
// Uint6, Int4, Uint4, Int2 or Uint2. len(dst) is f.Bytes(len(src)). Of a code outside the
// format the low bits are taken.
func Pack[C int8 | uint8](dst []byte, src []C, f Format) {
	const kernel = "Pack"
	f.checkPacked(kernel)
	checkLen(kernel, "dst", len(dst), f.Bytes(len(src)))
	checkApart(kernel, memory("dst", dst), memory("src", src))
	pack(current(), dst, bytesOf(src), f)
}

// Unpack is the inverse of Pack: it writes the packed codes of f one to an element.
// A negative code in a uint8 is in two's complement, as Int8 has it. len(src) is
// f.Bytes(len(dst)).
func Unpack[C int8 | uint8](dst []C, src []byte, f Format) {
	const kernel = "Unpack"
	f.checkPacked(kernel)
	checkLen(kernel, "src", len(src), f.Bytes(len(dst)))
	checkApart(kernel, memory("dst", dst), memory("src", src))
	unpack(current(), bytesOf(dst), src, f)
}

func pack(impl isa, dst, src []byte, f Format) {
	if impl == generic || len(src) == 0 || f.Bits() == 6 {
		portablePack(dst, src, f)
		return
	}
	st := f.storage()
	if _, ok := atOnce(len(src)); ok {
		asm.Pack(impl, st.code, &dst[0], &src[0], len(src), 0)
		return
	}
	var s spans
	s.flat(len(src), streamingTo(impl, len(src), 8, unsafe.Pointer(&dst[0]), st.bits, NoMask))
	for s.advance() {
		asm.Pack(impl, st.code, &dst[s.off*st.bits/8], &src[s.off], s.length, s.ahead)
	}
}

func unpack(impl isa, dst, src []byte, f Format) {
	if impl == generic || len(dst) == 0 || f.Bits() == 6 {
		portableUnpack(dst, src, f)
		return
	}
	st := f.storage()
	if _, ok := atOnce(len(dst)); ok {
		asm.Unpack(impl, st.code, &dst[0], &src[0], st.sign, len(dst), 0)
		return
	}
	var s spans
	s.flat(len(dst), streamingTo(impl, len(dst), st.bits, unsafe.Pointer(&dst[0]), 8, NoMask).every(perByte(st.bits)))
	for s.advance() {
		asm.Unpack(impl, st.code, &dst[s.off], &src[s.off*st.bits/8], st.sign, s.length, s.ahead)
	}
}

// checkPacked panics unless the format is one of integers that are packed.
func (f Format) checkPacked(kernel string) {
	if f.checkInt(kernel); !f.isPacked() {
		fail(kernel, "codes of %v are not packed", f)
	}
}
