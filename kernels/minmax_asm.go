package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// minMaxAsm reduces pieces of groups, and merges them, for so many groups at a
// time that their ends stay in the L1 cache.
func minMaxAsm[T Float](impl isa, least, most []T, src []T, g Grid) {
	switch {
	case g.Groups <= fewGroups:
		var buf [4][fewGroups]float32
		minMaxRuns(impl, least, most, src, g, buf[0][:], buf[1][:], buf[2][:], buf[3][:])
	case g.Groups <= someGroups || g.Rows == 1: // nothing is gained by more
		var buf [4][someGroups]float32
		minMaxRuns(impl, least, most, src, g, buf[0][:], buf[1][:], buf[2][:], buf[3][:])
	default:
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
	if g.Len == 1 {
		columnEnds(impl, src, g, base, lo, hi)
		return
	}
	elem := elemOf[T]()
	s := spans{g: g, base: base, n: len(lo), most: mostElements}
	for s.advance() {
		x := unsafe.Pointer(&src[s.off])
		if s.off == (base+s.first)*g.Len { // the groups' first elements
			asm.MinMax(impl, elem, x, &lo[s.first], &hi[s.first], s.groups, s.length)
		} else {
			asm.MinMax(impl, elem, x, &pieceLo[0], &pieceHi[0], s.groups, s.length)
			asm.MergeMinMax(impl, &lo[s.first], &hi[s.first], &pieceLo[0], &pieceHi[0], s.groups)
		}
	}
}

// columnEnds are the ends of columns from base on, six rows at a time: the last
// row takes the place of those that are not there.
func columnEnds[T Float](impl isa, src []T, g Grid, base int, lo, hi []float32) {
	elem := elemOf[T]()
	if first := unsafe.Pointer(&src[base]); elem == asm.F32 {
		copy(lo, unsafe.Slice((*float32)(first), len(lo)))
	} else {
		asm.Decode(impl, elem, &lo[0], (*uint16)(first), len(lo), 0)
	}
	copy(hi, lo)
	for row := 0; row < g.Rows; row += 6 {
		var x [6]unsafe.Pointer
		for i := range x {
			x[i] = unsafe.Pointer(&src[min(row+i, g.Rows-1)*g.Groups+base])
		}
		asm.MinMaxColumns(impl, elem, &lo[0], &hi[0], x[0], x[1], x[2], x[3], x[4], x[5], len(lo))
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
