package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// The assembly wants each group's parameters prepared: reciprocals of scales,
// and the ends between which an x does not clip. They are made for so many
// groups at a time, in a buffer on the stack that stays in the L1 cache; a
// call with few groups gets a small one, which costs less to clear.
const (
	manyGroups = 512
	fewGroups  = 16
)

// mostElements is what one call of assembly works on: it cannot be preempted,
// and the collector waits for it.
const mostElements = 1 << 20

// spans visits the groups base to base+n of every row, in pieces of at most so
// many elements: some whole groups, or a part of one.
type spans struct {
	g       Grid
	base, n int
	most    int

	off            int // the piece's first element
	first          int // its first group, of the n
	groups, length int

	row, next, done int // where the one after it begins
}

func (s *spans) advance() bool {
	if s.row == s.g.Rows {
		return false
	}
	s.first = s.next
	s.off = (s.row*s.g.Groups+s.base+s.first)*s.g.Len + s.done
	if s.g.Len <= s.most {
		s.groups, s.length = min(s.most/s.g.Len, s.n-s.first), s.g.Len
		s.next += s.groups
	} else {
		s.groups, s.length = 1, min(s.most, s.g.Len-s.done)
		if s.done += s.length; s.done == s.g.Len {
			s.done = 0
			s.next++
		}
	}
	if s.next == s.n {
		s.next = 0
		s.row++
	}
	return true
}

// Division without dividing is exact for scales between these. Dividends are
// clamped to 2^16 scales, or above only: then what is far too low may overflow
// to NaN, which the conversion to integers takes for the least of them.
// Remainders are float32 numbers for every dividend of 2^-101 or more; of a
// smaller one the quotient is below 2^-21, and rounds to zero in every format
// however it comes out. TestDivision has the proof for what is left, the
// significands.
const (
	leastSafeScale = 0x1p-80
	mostSafeScale  = 0x1p+100
)

// safeScales reports whether all scales allow division without dividing.
func safeScales(impl isa, scale []float32) bool {
	least, most := scale[0], scale[0]
	if len(scale) > 1 {
		asm.MinMax(impl, asm.F32, unsafe.Pointer(&scale[0]), &least, &most, 1, len(scale))
	}
	return least >= leastSafeScale && most <= mostSafeScale
}

// noMinval are minvals for a caller that gave none.
var noMinval [manyGroups]float32
