package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// minMaxAsm reduces groups at once, or else pieces of them, and merges these, for
// so many groups at a time that their ends stay in the L1 cache.
func minMaxAsm[T Float](impl isa, least, most []T, src []T, g Grid) {
	switch {
	case g.adjacent() && len(src) <= mostElements:
		asm.MinMax[T](impl, elemOf[T](), unsafe.Pointer(&src[0]), unsafe.Pointer(&least[0]), unsafe.Pointer(&most[0]), g.Groups, g.Len)
	case g.adjacent() && g.Len <= mostElements:
		rangeRuns(impl, src, g, 0, least, most, partial[T]{})
	case g.Groups <= someGroups:
		var r [3*someGroups + spare]T
		minMaxRuns(impl, least, most, src, g, newPartial(r[:], someGroups))
	default:
		var r [3*manyGroups + spare]T
		minMaxRuns(impl, least, most, src, g, newPartial(r[:], manyGroups))
	}
}

// partial is room for what is known of some groups before all of their elements
// were seen.
type partial[T Float] [3][]T

// newPartial makes room for so many groups in a buffer that has some elements to
// spare. It begins with a cache line: loads and stores across two of them are slow.
func newPartial[T Float](buf []T, groups int) (p partial[T]) {
	buf = buf[-uintptr(unsafe.Pointer(&buf[0]))%64/unsafe.Sizeof(buf[0]):]
	for i := range p {
		p[i] = buf[i*groups:][:groups]
	}
	return p
}

const spare = 31

func minMaxRuns[T Float](impl isa, least, most []T, src []T, g Grid, r partial[T]) {
	for base := 0; base < g.Groups; base += len(r[0]) {
		n := min(len(r[0]), g.Groups-base)
		rangeRuns(impl, src, g, base, least[base:][:n], most[base:][:n], r)
	}
}

// rangeRuns finds the ends of the groups from base on, over all rows. If each
// group is reduced at once it needs no room.
func rangeRuns[T Float](impl isa, src []T, g Grid, base int, lo, hi []T, r partial[T]) {
	if g.Len == 1 {
		columnEnds(impl, src, g, base, lo, hi, r)
		return
	}
	elem := elemOf[T]()
	pieceLo, pieceHi := unsafe.Pointer(unsafe.SliceData(r[0])), unsafe.Pointer(unsafe.SliceData(r[1]))
	var s spans
	s.visit(g, base, len(lo), mostElements, streaming{})
	for s.advance() {
		x, l, h := unsafe.Pointer(&src[s.off]), unsafe.Pointer(&lo[s.first]), unsafe.Pointer(&hi[s.first])
		if s.off == (base+s.first)*g.Len { // the groups' first elements
			asm.MinMax[T](impl, elem, x, l, h, s.groups, s.length)
		} else {
			asm.MinMax[T](impl, elem, x, pieceLo, pieceHi, s.groups, s.length)
			asm.MergeMinMax[T](impl, elem, l, h, pieceLo, pieceHi, s.groups)
		}
	}
}

// columnEnds are the ends of columns from base on, six rows at a time: the last
// row takes the place of those that are not there.
func columnEnds[T Float](impl isa, src []T, g Grid, base int, lo, hi []T, r partial[T]) {
	elem, n := elemOf[T](), len(lo)
	least, most, smallest := unsafe.Pointer(&r[0][0]), unsafe.Pointer(&r[1][0]), unsafe.Pointer(&r[2][0])
	for _, known := range r {
		copy(known, src[base:][:n])
	}
	for row := 0; row < g.Rows; row += 6 {
		var x [6]unsafe.Pointer
		for i := range x {
			x[i] = unsafe.Pointer(&src[min(row+i, g.Rows-1)*g.Groups+base])
		}
		asm.MinMaxColumns[T](impl, elem, least, most, (*uint16)(smallest), x[0], x[1], x[2], x[3], x[4], x[5], n)
	}
	if unsafe.Sizeof(*new(T)) == 2 {
		asm.MergeMinMax[T](impl, elem, least, most, smallest, smallest, n)
	}
	copy(lo, r[0])
	copy(hi, r[1])
}
