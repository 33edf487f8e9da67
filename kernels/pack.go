package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// Pack4 packs codes of four bits, int4 or uint4, two to a byte: the first in
// the low bits, the last byte padded with zeros. len(dst) is ceil(len(src)/2).
// Of a code outside its format the low bits are taken.
func Pack4[C Code](dst []byte, src []C) {
	checkPacked("Pack4", "dst", dst, src, 4)
	pack(current(), dst, src, 4)
}

// Unpack4 is the inverse of Pack4: int4 if C is int8, with its sign, else
// uint4. len(src) is ceil(len(dst)/2).
func Unpack4[C Code](dst []C, src []byte) {
	checkPacked("Unpack4", "src", src, dst, 4)
	unpack(current(), dst, src, 4)
}

// Pack2 packs codes of two bits, int2 or uint2, four to a byte: the first in
// the lowest bits, the last byte padded with zeros. len(dst) is
// ceil(len(src)/4). Of a code outside its format the low bits are taken.
func Pack2[C Code](dst []byte, src []C) {
	checkPacked("Pack2", "dst", dst, src, 2)
	pack(current(), dst, src, 2)
}

// Unpack2 is the inverse of Pack2: int2 if C is int8, with its sign, else
// uint2. len(src) is ceil(len(dst)/4).
func Unpack2[C Code](dst []C, src []byte) {
	checkPacked("Unpack2", "src", src, dst, 2)
	unpack(current(), dst, src, 2)
}

// pack packs codes of 4 or 2 bits.
func pack[C Code](impl isa, dst []byte, src []C, bits int) {
	if impl == generic || len(src) == 0 {
		portablePack(dst, src, bits)
		return
	}
	code := packed(bits, false).code
	s := flat(len(src), streamingTo(impl, len(src), 8, unsafe.Pointer(&dst[0]), bits, NoMask))
	for s.advance() {
		asm.Pack(impl, code, &dst[s.off*bits/8], (*byte)(unsafe.Pointer(&src[s.off])), s.length, s.ahead)
	}
}

// unpack is the inverse of pack.
func unpack[C Code](impl isa, dst []C, src []byte, bits int) {
	if impl == generic || len(dst) == 0 {
		portableUnpack(dst, src, bits)
		return
	}
	st := packed(bits, isSigned[C]())
	s := flat(len(dst), streamingTo(impl, len(dst), bits, unsafe.Pointer(&dst[0]), 8, NoMask).every(8/bits))
	for s.advance() {
		asm.Unpack(impl, st.code, (*byte)(unsafe.Pointer(&dst[s.off])), &src[s.off*bits/8], st.sign, s.length, s.ahead)
	}
}

// checkPacked panics unless packed has room for the codes and lies apart from them.
func checkPacked[C Code](kernel, packedName string, packed []byte, codes []C, bits int) {
	checkLen(kernel, packedName, len(packed), packedBytes(len(codes), bits))
	checkApart(kernel, memory("dst", packed), memory("src", codes))
}
