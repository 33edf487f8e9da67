package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// minMaxAsm reduces pieces of groups, and merges them, for so many groups at a
// time that their ends stay in the L1 cache.
func minMaxAsm[T Float](impl isa, least, most []T, src []T, g Grid) {
	if g.Groups <= fewGroups {
		var buf [4][fewGroups]float32
		minMaxRuns(impl, least, most, src, g, buf[0][:], buf[1][:], buf[2][:], buf[3][:])
	} else {
		var buf [4][manyGroups]float32
		minMaxRuns(impl, least, most, src, g, buf[0][:], buf[1][:], buf[2][:], buf[3][:])
	}
}

func minMaxRuns[T Float](impl isa, least, most []T, src []T, g Grid, lo, hi, pieceLo, pieceHi []float32) {
	elem := elemOf[T]()
	for base := 0; base < g.Groups; base += len(lo) {
		n := min(len(lo), g.Groups-base)
		rangeRuns(impl, src, g, base, lo[:n], hi[:n], pieceLo, pieceHi)
		narrowEnds(impl, elem, unsafe.Pointer(&least[base]), lo[:n])
		narrowEnds(impl, elem, unsafe.Pointer(&most[base]), hi[:n])
	}
}

// rangeRuns finds the ends of the groups from base on, over all rows.
func rangeRuns[T Float](impl isa, src []T, g Grid, base int, lo, hi, pieceLo, pieceHi []float32) {
	elem := elemOf[T]()
	s := spans{g: g, base: base, n: len(lo), most: mostElements}
	for s.advance() {
		x, groups := unsafe.Pointer(&src[s.off]), s.first+s.groups
		if s.off == (base+s.first)*g.Len { // the groups' first elements
			pieceEnds(impl, elem, x, lo[s.first:groups], hi[s.first:groups], s.length)
		} else {
			pieceEnds(impl, elem, x, pieceLo[:s.groups], pieceHi[:s.groups], s.length)
			asm.MergeMinMax(impl, &lo[s.first], &hi[s.first], &pieceLo[0], &pieceHi[0], s.groups)
		}
	}
}

// narrowEnds brings ends back to the elements' type, whose values they are.
func narrowEnds(impl isa, elem asm.Elem, dst unsafe.Pointer, ends []float32) {
	if elem == asm.F32 {
		copy(unsafe.Slice((*float32)(dst), len(ends)), ends)
	} else {
		asm.Encode(impl, elem, (*uint16)(dst), &ends[0], len(ends), 0)
	}
}

// pieceEnds are the ends of adjacent groups; a group of one is its own.
func pieceEnds(impl isa, elem asm.Elem, x unsafe.Pointer, lo, hi []float32, length int) {
	switch {
	case length > 1:
		asm.MinMax(impl, elem, x, &lo[0], &hi[0], len(lo), length)
		return
	case elem == asm.F32:
		copy(lo, unsafe.Slice((*float32)(x), len(lo)))
	default:
		asm.Decode(impl, elem, &lo[0], (*uint16)(x), len(lo), 0)
	}
	for i := range lo {
		lo[i] += 0 // no -0
	}
	copy(hi, lo)
}
