package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// backwardAsm is the product with the mask on an implementation with assembly.
func backwardAsm[T Float](impl isa, dx, dy []T, mask Mask) {
	kind, shift := asm.ByteMask, 0
	if mask.kind == bitMask {
		kind, shift = asm.BitMask, 3
	}
	for off := 0; off < len(dx); off += mostElements {
		n := min(mostElements, len(dx)-off)
		asm.Backward(impl, kind, elemOf[T](), unsafe.Pointer(&dx[off]), unsafe.Pointer(&dy[off]), &mask.data[off>>shift], n)
	}
}
