package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// The small way. A call for one group of some hundred elements takes longer for
// pieces, stores past the caches and buffers of reciprocals than for its elements, and
// each call of a function takes as long as some thirty of them. So the first question
// is whether a call is small and ordinary; if it is, one call of assembly does it. The
// question only says yes: what it does not like, a mistake too, goes the long way,
// which reports mistakes. TestSmall holds one way against the other. The long way is a
// function of its own: what it needs would be put by for it in every call.

// atOnce returns the implementation if one call of assembly can do n elements and
// writes nothing past the caches, and otherwise generic.
func atOnce(n int) isa {
	c := chosen.Load()
	if uint(n-1) >= uint(c>>smallShift) {
		return generic
	}
	return isa(c)
}

// smallMost is the number of elements up to which calls are small with an implementation.
func smallMost(impl isa) int {
	most := productLen - 1
	if from := streamFrom.Load(); from >= 0 {
		most = min(most, int((from-1)/16))
	}
	if impl == generic || most < 0 {
		return 0
	}
	return most
}

// isVector reports whether a grid is one group of n elements.
func (g Grid) isVector(n int) bool { return g.Rows == 1 && g.Groups == 1 && g.Len == n }

// apart reports whether slices share no memory; it may deny it of an empty one.
func apart[A, B any](a []A, b []B) bool {
	m, n := uintptr(len(a))*unsafe.Sizeof(*new(A)), uintptr(len(b))*unsafe.Sizeof(*new(B))
	p, q := uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return q-p+n-1 >= m+n-1 // modulo 1<<64: one comparison for both sides
}

// beside reports whether a number of four bytes is not among n bytes.
func beside(number, out unsafe.Pointer, n int) bool {
	return uintptr(number)-uintptr(out)+3 >= uintptr(n)+3
}

// small reports whether parameters are those of one ordinary group but for the zero
// point: codes from least to most, no dialect, no minval, a scale that need not be
// divided by.
func (p *IntParams) small(least, most int) bool {
	return p.Min >= least && p.Max <= most && p.Min < p.Max && p.Dialect == Reference && p.Minval == nil && len(p.Scale) == 1 &&
		p.Scale[0] >= 0x1p-80 && p.Scale[0] <= 0x1p100
}

// smallZero reports the same of a zero point.
func (p *IntParams) smallZero() bool {
	return len(p.ZeroPoint) == 1 && int(p.ZeroPoint[0]) >= p.Min && int(p.ZeroPoint[0]) <= p.Max
}

// clear reports whether neither a small scale nor a small zero point is among n bytes that are written.
func (p *IntParams) clear(out unsafe.Pointer, n int) bool {
	return beside(unsafe.Pointer(unsafe.SliceData(p.Scale)), out, n) &&
		(p.ZeroPoint == nil || beside(unsafe.Pointer(unsafe.SliceData(p.ZeroPoint)), out, n))
}

// smallRange returns what the assembly calls codes of a byte in a slice of C, and the
// least and the greatest: none if the codes of a format are others.
func smallRange[C IntCode](f Format) (code asm.Code, least, most int) {
	own := ownFormat[C]()
	switch {
	case own == Int8 && f == 0, f == Int8 && own <= Uint8:
		return asm.Int8, -128, 127
	case own == Uint8 && (f == 0 || f == Uint8):
		return asm.Uint8, 0, 255
	}
	return 0, 0, 0
}

// smallFake reports whether parameters are small for fake-quantizing, and the mask is
// one of as many elements, and apart from all.
func smallFake[T Float](dst []T, mask Mask, src []T, p *IntParams) bool {
	least, most := -128, 127
	switch {
	case p.Min >= 0 && (p.Format == 0 || p.Format == Uint8):
		least, most = 0, 255
	case p.Format > Int8:
		return false
	}
	if !p.small(least, most) || p.ZeroPoint != nil && !p.smallZero() || !p.clear(unsafe.Pointer(&dst[0]), len(dst)*int(unsafe.Sizeof(*new(T)))) {
		return false
	}
	switch mask.kind {
	case noMask:
		return true
	case byteMask:
		if len(mask.data) != len(src) {
			return false
		}
	case bitMask:
		if len(mask.data) != BitMaskLen(len(src)) {
			return false
		}
	}
	return apart(mask.data, src) && apart(mask.data, dst) && p.clear(unsafe.Pointer(&mask.data[0]), len(mask.data))
}
