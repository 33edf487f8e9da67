package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// MinMax writes the least and the greatest element of each group, over all
// rows: len(min) == len(max) == Groups. Both are NaN if a NaN is among the
// elements. A result that is zero is +0, so that the order of the elements
// makes no difference.
//
// A group without elements has neither: MinMax panics if Rows or Len is 0 and
// Groups is not.
func MinMax[T Float](min, max []T, src []T, g Grid) {
	if impl, ok := atOnce(len(src)); ok && g.isVector(len(src)) && len(min) == 1 && len(max) == 1 {
		x, least, most, elem, size := unsafe.Pointer(unsafe.SliceData(src)), unsafe.Pointer(&min[0]), unsafe.Pointer(&max[0]), elemOf[T](), int(unsafe.Sizeof(min[0]))
		if n := len(src) * size; beside(&min[0], most, size) && beside(&min[0], x, n) && beside(&max[0], x, n) {
			if elem == asm.F32 {
				asm.MinMaxF32(x, least, most, 1, len(src), impl)
			} else {
				asm.MinMax[T](impl, elem, x, least, most, 1, len(src))
			}
			return
		}
	}
	minMaxLong(min, max, src, g)
}

// minMaxLong is MinMax the long way.
func minMaxLong[T Float](min, max []T, src []T, g Grid) {
	const kernel = "MinMax"
	g.checkObserved(kernel, len(src))
	checkLen(kernel, "min", len(min), g.Groups)
	checkLen(kernel, "max", len(max), g.Groups)
	lows, highs, in := memory("min", min), memory("max", max), memory("src", src)
	checkApart(kernel, lows, highs)
	checkApart(kernel, lows, in)
	checkApart(kernel, highs, in)
	minMax(current(), min, max, src, g)
}

func minMax[T Float](impl isa, min, max []T, src []T, g Grid) {
	g = g.merged()
	if impl == generic || len(src) == 0 {
		portableMinMax(min, max, src, g)
	} else {
		minMaxAsm(impl, min, max, src, g)
	}
}
