package kernels

import (
	"math"
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
// point: codes that a byte can be, no dialect, no minval, a scale that need not be
// divided by.
func (p *IntParams) small(code asm.Code) bool {
	least := int(code)<<7 - 128
	return p.Min >= least && p.Max <= least+255 && p.Min < p.Max && p.Dialect == Reference && p.Minval == nil && len(p.Scale) == 1 &&
		math.Float32bits(p.Scale[0])-leastOrdinary <= mostOrdinary-leastOrdinary
}

// The bits of 0x1p-80 and 0x1p100, the least and the greatest scale that need not be divided by.
const leastOrdinary, mostOrdinary = (127 - 80) << 23, (127 + 100) << 23

// smallZero reports the same of a zero point.
func (p *IntParams) smallZero() bool {
	return len(p.ZeroPoint) == 1 && int(p.ZeroPoint[0]) >= p.Min && int(p.ZeroPoint[0]) <= p.Max
}

// clear reports whether neither a small scale nor a small zero point is among n bytes that are written.
func (p *IntParams) clear(out unsafe.Pointer, n int) bool {
	return beside(unsafe.Pointer(unsafe.SliceData(p.Scale)), out, n) &&
		(p.ZeroPoint == nil || beside(unsafe.Pointer(unsafe.SliceData(p.ZeroPoint)), out, n))
}

// byteCode returns what the assembly calls codes of a byte in a slice of C, and
// reports whether those of a format are such.
func byteCode[C IntCode](f Format) (code asm.Code, ok bool) {
	own := ownFormat[C]()
	if f == 0 {
		f = own
	}
	return asm.Int8 + asm.Code(f-Int8), own <= Uint8 && f-Int8 <= own-Int8
}

// fakeCode returns the code of the bytes that numbers of fake-quantizing could be, and
// reports whether they could.
func (p *IntParams) fakeCode() (code asm.Code, ok bool) {
	if p.Min >= 0 && p.Format != Int8 {
		return asm.Uint8, p.Format <= Uint8
	}
	return asm.Int8, p.Format <= Int8
}

// smallMask reports whether a mask is one of as many elements, and apart from all.
func smallMask[T Float](dst []T, mask Mask, src []T, p *IntParams) bool {
	n := len(src)
	if mask.kind == bitMask {
		n = BitMaskLen(n)
	}
	return len(mask.data) == n && apart(mask.data, src) && apart(mask.data, dst) && p.clear(unsafe.Pointer(unsafe.SliceData(mask.data)), n)
}
