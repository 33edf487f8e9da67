package kernels

// Pack4 packs codes of four bits, int4 or uint4, two to a byte: the first in
// the low bits, the last byte padded with zeros. len(dst) is ceil(len(src)/2).
// Of a code outside its format the low bits are taken.
func Pack4[C Code](dst []byte, src []C) {
	checkPacked("Pack4", "dst", dst, "src", src, 2)
	pack(dst, src, 4)
}

// Unpack4 is the inverse of Pack4: int4 if C is int8, with its sign, else
// uint4. len(src) is ceil(len(dst)/2).
func Unpack4[C Code](dst []C, src []byte) {
	checkPacked("Unpack4", "src", src, "dst", dst, 2)
	unpack(dst, src, 4)
}

// Pack2 packs codes of two bits, int2 or uint2, four to a byte: the first in
// the lowest bits, the last byte padded with zeros. len(dst) is
// ceil(len(src)/4). Of a code outside its format the low bits are taken.
func Pack2[C Code](dst []byte, src []C) {
	checkPacked("Pack2", "dst", dst, "src", src, 4)
	pack(dst, src, 2)
}

// Unpack2 is the inverse of Pack2: int2 if C is int8, with its sign, else
// uint2. len(src) is ceil(len(dst)/4).
func Unpack2[C Code](dst []C, src []byte) {
	checkPacked("Unpack2", "src", src, "dst", dst, 4)
	unpack(dst, src, 2)
}

// pack packs codes of 4 or 2 bits.
func pack[C Code](dst []byte, src []C, bits int) {
	n := packWords(dst, bytesOf(src), bits)
	portablePack(dst[n*bits/8:], src[n:], bits)
}

// unpack is the inverse of pack.
func unpack[C Code](dst []C, src []byte, bits int) {
	n := unpackWords(bytesOf(dst), src, bits, C(0)-1 < 0)
	portableUnpack(dst[n:], src[n*bits/8:], bits)
}

// checkPacked panics unless packed has room for the codes, that many to a byte, and lies apart from them.
func checkPacked[C Code](kernel, packedName string, packed []byte, codesName string, codes []C, toByte int) {
	n := len(codes) / toByte
	if len(codes)%toByte > 0 {
		n++
	}
	checkLen(kernel, packedName, len(packed), n)
	checkApart(kernel, memory("dst", packed), memory("src", codes))
}
