package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// backwardAsm is the product with the mask on an implementation with assembly.
func backwardAsm[T Float](impl isa, dx, dy []T, mask Mask) {
	kind, bits := asm.ByteMask, 8
	if mask.kind == bitMask {
		kind, bits = asm.BitMask, 1
	}
	if _, ok := atOnce(len(dx)); ok {
		asm.Backward[T](impl, kind, elemOf[T](), unsafe.Pointer(&dx[0]), unsafe.Pointer(&dy[0]), &mask.data[0], len(dx), 0)
		return
	}
	size := 8 * int(unsafe.Sizeof(dx[0]))
	to := streamingTo(impl, len(dx), size+bits, unsafe.Pointer(&dx[0]), size, NoMask)
	var s spans
	s.flat(len(dx), to.every(perByte(bits)))
	for s.advance() {
		asm.Backward[T](impl, kind, elemOf[T](), unsafe.Pointer(&dx[s.off]), unsafe.Pointer(&dy[s.off]), &mask.data[s.off*bits/8], s.length, s.ahead)
	}
}
