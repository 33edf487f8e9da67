package kernels

// Backward is the straight-through gradient of FakeQuantize: a gradient passes
// where the mask is 1.
//
//	dx = dy * mask
//
// It is a product: where the mask is 0, NaN and infinity give NaN, and a
// negative number gives -0. A byte of a mask that is neither 0 nor 1 is a
// factor like any other. dx may be dy.
func Backward[T Float](dx, dy []T, mask Mask) {
	const kernel = "Backward"
	checkLen(kernel, "dx", len(dx), len(dy))
	mask.check(kernel, len(dy))
	out := memory("dx", dx)
	checkInPlace(kernel, out, memory("dy", dy))
	checkApart(kernel, out, memory("mask", mask.data))
	backward(current(), dx, dy, mask)
}

func backward[T Float](impl isa, dx, dy []T, mask Mask) {
	if impl == generic || len(dx) == 0 || mask.kind == noMask {
		portableBackward(dx, dy, mask)
	} else {
		backwardAsm(impl, dx, dy, mask)
	}
}
