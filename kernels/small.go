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

// atOnce returns the implementation, and whether one call of assembly of it can do n
// elements and writes nothing past the caches.
func atOnce(n int) (impl isa, ok bool) {
	c := chosen.Load()
	return isa(c), uint(n-1) < uint(c>>smallShift)
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
func (p *IntParams) small(bytes asm.Layout) bool {
	least := int(bytes-asm.SignedBytes)<<7 - 128
	return p.Min >= least && p.Max <= least+255 && p.Min < p.Max && p.Dialect == Reference && p.Minval == nil && len(p.Scale) == 1 &&
		ordinary(p.Scale[0])
}

// small reports whether parameters are those of one ordinary group: codes of four or eight bits that the assembly reads, a scale by
// whose products with times nothing is infinite, and no second level.
func (p *FloatParams) small() bool {
	if p.Format == 0 || p.Format >= formatsEnd || p.Format.isInt() || p.Dialect != Reference || p.Scales != ScaleAny || p.Rule != ScaleFloor || p.Factor != nil ||
		len(p.Scale) != 1 || !ordinary(p.Scale[0]) {
		return false
	}
	d := &formats[p.Format]
	return !d.unread && !p.Format.isSix() && d.times <= 1<<20
}

// ordinary reports whether a scale need not be divided by: it is one from 0x1p-80 to 0x1p100.
func ordinary(scale float32) bool {
	const least, most = (127 - 80) << 23, (127 + 100) << 23
	return math.Float32bits(scale)-least <= most-least
}

// reciprocal is what asm.Prepare makes of a scale.
func reciprocal(scale float32) float32 {
	if !ordinary(scale) {
		return float32(math.NaN())
	}
	return 1 / scale
}

// smallZero reports the same of a zero point, and whether that is none or 0.
func (p *IntParams) smallZero() (ok, zero bool) {
	if p.ZeroPoint == nil {
		return true, true
	}
	if len(p.ZeroPoint) != 1 {
		return false, false
	}
	z := int(p.ZeroPoint[0])
	ok = z >= p.Min && z <= p.Max
	return ok, ok && z == 0
}

// clear reports whether neither a small scale nor a small zero point is among n bytes that are written.
func (p *IntParams) clear(out unsafe.Pointer, n int) bool {
	return beside(unsafe.Pointer(unsafe.SliceData(p.Scale)), out, n) &&
		(p.ZeroPoint == nil || beside(unsafe.Pointer(unsafe.SliceData(p.ZeroPoint)), out, n))
}

// byteLayout returns how codes of a byte lie in a slice of C, and reports whether
// those of a format are such.
func byteLayout[C IntCode](f Format) (layout asm.Layout, ok bool) {
	own := ownFormat[C]()
	return asm.SignedBytes + asm.Layout(own-Int8)&^asm.Layout(f), f <= own && own <= Uint8 // Int8 is odd
}

// smallPacked returns how n packed codes lie, and how many bytes they
// take, and reports whether the codes are such and those of the format.
func (p *IntParams) smallPacked(n int) (layout asm.Layout, size int, ok bool) {
	f := p.Format
	if f-Int4 > Uint2-Int4 {
		return 0, 0, false
	}
	d := &formats[f]
	return d.layout, (n*d.bits + 7) / 8, p.Min >= d.least && p.Max <= d.most
}

// fakeLayout returns what bytes numbers of fake-quantizing could be, and
// reports whether they could.
func (p *IntParams) fakeLayout() (layout asm.Layout, ok bool) {
	if p.Min >= 0 && p.Format != Int8 {
		return asm.UnsignedBytes, p.Format <= Uint8
	}
	return asm.SignedBytes, p.Format <= Int8
}

// smallMask reports whether a mask is one of as many elements, and apart from all.
func smallMask[T Float](dst []T, mask Mask, src []T, p *IntParams) bool {
	n := len(src)
	if mask.kind == bitMask {
		n = BitMaskLen(n)
	}
	return len(mask.data) == n && apart(mask.data, src) && apart(mask.data, dst) && p.clear(unsafe.Pointer(unsafe.SliceData(mask.data)), n)
}
