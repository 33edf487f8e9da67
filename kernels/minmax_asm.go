package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// minMaxAsm reduces each row's groups, and merges the rows, for so many groups
// at a time that their ends stay in the L1 cache.
func minMaxAsm[T Float](impl isa, least, most []T, src []T, g Grid) {
	if g.Groups <= fewGroups {
		var buf [4][fewGroups]float32
		minMaxRuns(impl, least, most, src, g, buf[0][:], buf[1][:], buf[2][:], buf[3][:])
	} else {
		var buf [4][manyGroups]float32
		minMaxRuns(impl, least, most, src, g, buf[0][:], buf[1][:], buf[2][:], buf[3][:])
	}
}

func minMaxRuns[T Float](impl isa, least, most []T, src []T, g Grid, lo, hi, rowLo, rowHi []float32) {
	elem := elemOf[T]()
	for base := 0; base < g.Groups; base += len(lo) {
		n := min(len(lo), g.Groups-base)
		for r := range g.Rows {
			x := unsafe.Pointer(&src[(r*g.Groups+base)*g.Len])
			if r == 0 {
				rowEnds(impl, elem, x, lo[:n], hi[:n], g.Len)
			} else {
				rowEnds(impl, elem, x, rowLo[:n], rowHi[:n], g.Len)
				asm.MergeMinMax(impl, &lo[0], &hi[0], &rowLo[0], &rowHi[0], n)
			}
		}
		narrowEnds(impl, elem, unsafe.Pointer(&least[base]), lo[:n])
		narrowEnds(impl, elem, unsafe.Pointer(&most[base]), hi[:n])
	}
}

// narrowEnds brings ends back to the elements' type, whose values they are.
func narrowEnds(impl isa, elem asm.Elem, dst unsafe.Pointer, ends []float32) {
	if elem == asm.F32 {
		copy(unsafe.Slice((*float32)(dst), len(ends)), ends)
	} else {
		asm.Encode(impl, elem, (*uint16)(dst), &ends[0], len(ends))
	}
}

// rowEnds are the ends of groups of the given length; a group of one is its own.
func rowEnds(impl isa, elem asm.Elem, x unsafe.Pointer, lo, hi []float32, length int) {
	switch {
	case length > 1:
		asm.MinMax(impl, elem, x, &lo[0], &hi[0], len(lo), length)
		return
	case elem == asm.F32:
		copy(lo, unsafe.Slice((*float32)(x), len(lo)))
	default:
		asm.Decode(impl, elem, &lo[0], (*uint16)(x), len(lo))
	}
	for i := range lo {
		lo[i] += 0 // no -0
	}
	copy(hi, lo)
}

// backwardAsm is the product with the mask.
func backwardAsm[T Float](impl isa, dx, dy []T, mask Mask) {
	kind := asm.ByteMask
	if mask.kind == bitMask {
		kind = asm.BitMask
	}
	asm.Backward(impl, kind, elemOf[T](), unsafe.Pointer(&dx[0]), unsafe.Pointer(&dy[0]), &mask.data[0], len(dx))
}
