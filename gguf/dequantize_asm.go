package gguf

import (
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/kernels"
)

// blockKernels are the kernels of the types that have blocks.
var blockKernels = [...]asm.Block{
	Q8_0: asm.BlockQ8_0, Q4_0: asm.BlockQ4_0, Q4_1: asm.BlockQ4_1, Q5_0: asm.BlockQ5_0, Q5_1: asm.BlockQ5_1,
	Q2_K: asm.BlockQ2_K, Q3_K: asm.BlockQ3_K, Q4_K: asm.BlockQ4_K, Q5_K: asm.BlockQ5_K, Q6_K: asm.BlockQ6_K,
	IQ4_NL: asm.BlockIQ4_NL, IQ4_XS: asm.BlockIQ4_XS, MXFP4: asm.BlockMXFP4, NVFP4: asm.BlockNVFP4,
}

// powersOfTwo are the scales of MXFP4.
var powersOfTwo = func() (t [256]float32) {
	for e := range t {
		t[e] = powerOfTwo(byte(e))
	}
	return t
}()

// mostAtOnce is the number of elements that are dequantized by a call of generated code, and again if there is a NaN.
const mostAtOnce = 16 * pieceLen

// dequantizeAssembled writes the values of blocks by generated code. Where a scale is a NaN or an infinity, the portable code writes them again.
func (u *unpacked) dequantizeAssembled(impl asm.ISA, dst []float32, src []byte, t Type) {
	table, check := &powersOfTwo, float32(0)
	if t == NVFP4 {
		table = &ue4m3Halves
	}
	asm.DequantizeBlocks(impl, blockKernels[t], &dst[0], &src[0], table, &check, len(dst)/t.BlockLen())
	if check != check {
		dequantizeAgain(u, dst, src, t)
	}
}

// halved tells whether there is generated code that makes elements of 16 bits of a type.
func halved(impl asm.ISA, t Type) bool {
	if impl != asm.AVX2 {
		return false
	}
	switch t {
	case Q8_0, Q4_0, Q4_1, IQ4_NL, MXFP4, Q4_K, IQ4_XS:
		return true
	}
	return false
}

// dequantizeHalves does the same for elements of 16 bits, and tells whether it has: others are rounded when they all are there.
func dequantizeHalves[T kernels.Float](s *scratch, impl asm.ISA, dst []T, src []byte, t Type) bool {
	upper := 1
	switch any(*new(T)).(type) {
	case float32:
		return false
	case float16.Float16:
		upper = 0
	}
	if !halved(impl, t) {
		return false
	}
	check := float32(0)
	asm.DequantizeHalves(impl, blockKernels[t], (*uint16)(unsafe.Pointer(&dst[0])), &src[0], upper, &powersOfTwo, &check, len(dst)/t.BlockLen())
	if check != check {
		dequantizeAgain(&s.unpacked, dst, src, t)
	}
	return true
}

// dequantizeAgain writes the values of blocks, one of which is out of the ordinary.
func dequantizeAgain[T kernels.Float](u *unpacked, dst []T, src []byte, t Type) {
	for len(dst) > 0 {
		n := min(len(dst), pieceLen)
		dequantizePortable(u, dst[:n], src[:t.Bytes(n)], t)
		dst, src = dst[n:], src[t.Bytes(n):]
	}
}
