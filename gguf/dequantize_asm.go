package gguf

import (
	"github.com/lowbit-go/lowbit/internal/asm"
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

// mostAtOnce is the number of elements of float32 that are dequantized by a call of generated code, and again if there is a NaN.
const mostAtOnce = 16 * pieceLen

// dequantizeAssembled writes the values of blocks by generated code. Where a scale is a NaN or an infinity, the portable code writes them again.
func (u *unpacked) dequantizeAssembled(impl asm.ISA, dst []float32, src []byte, t Type) {
	table, check := &powersOfTwo, float32(0)
	if t == NVFP4 {
		table = &ue4m3Halves
	}
	asm.DequantizeBlocks(impl, blockKernels[t], &dst[0], &src[0], table, &check, len(dst)/t.BlockLen())
	if check == check {
		return
	}
	for len(dst) > 0 {
		n := min(len(dst), pieceLen)
		dequantizePortable(u, dst[:n], src[:t.Bytes(n)], t)
		dst, src = dst[n:], src[t.Bytes(n):]
	}
}
