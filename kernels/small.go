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

// beside reports whether a number, if there is one, is not among n bytes.
func beside[N any](number *N, out unsafe.Pointer, n int) bool {
	last := unsafe.Sizeof(*number) - 1
	return uintptr(unsafe.Pointer(number))-uintptr(out)+last >= uintptr(n)+last
}

// small reports whether parameters are those of one ordinary group but for the zero
// point and the minval: codes that a byte can be, no dialect, a scale that need not be
// divided by.
func (p *IntParams) small(bytes asm.Layout) bool {
	least := int(bytes-asm.SignedBytes)<<7 - 128
	return p.Min >= least && p.Max <= least+255 && p.Min < p.Max && p.Dialect == Reference && len(p.Scale) == 1 && ordinary(&p.Scale[0])
}

// small reports whether parameters are those of one ordinary group: codes of four or eight bits that the assembly reads, a scale by
// whose products with times nothing is infinite, and no second level.
func (p *FloatParams) small() bool {
	if p.Format == 0 || p.Format >= formatsEnd || p.Format.isInt() || p.Dialect != Reference || p.Scales != ScaleAny || p.Rule != ScaleFloor || p.Factor != nil ||
		len(p.Scale) != 1 || !ordinary(&p.Scale[0]) {
		return false
	}
	d := &formats[p.Format]
	return !d.unread && !p.Format.isSix() && d.times <= 1<<20
}

// ordinary reports whether a scale need not be divided by: it is one from 0x1p-80 to 0x1p100.
func ordinary(scale *float32) bool {
	const least, most = (127 - 80) << 23, (127 + 100) << 23
	return *(*uint32)(unsafe.Pointer(scale))-least <= most-least // an integer from the first, as the bits of a float come by another register
}

// What a small group has beside its scale.
const (
	oddOffset  = iota // nothing for the small way
	noOffset          // nothing, or a zero point of 0
	zeroOffset        // a zero point
	realOffset        // a minval
)

// smallOffset tells what parameters of a small group have beside the scale.
func (p *IntParams) smallOffset() int {
	switch {
	case p.ZeroPoint == nil:
		if p.Minval == nil {
			return noOffset
		}
		return realOffset
	case len(p.ZeroPoint) != 1 || p.Minval != nil:
		return oddOffset
	}
	switch z := int(p.ZeroPoint[0]); {
	case z < p.Min || z > p.Max:
		return oddOffset
	case z == 0:
		return noOffset
	}
	return zeroOffset
}

// smallMinval reports whether a minval is one finite number that is not among n bytes that are written, for elements with such assembly.
func smallMinval[T Float](p *IntParams, out unsafe.Pointer, n int) bool {
	return unsafe.Sizeof(*new(T)) == 4 && len(p.Minval) == 1 && p.Minval[0]-p.Minval[0] == 0 && beside(&p.Minval[0], out, n)
}

// clear reports whether neither a small scale nor a small zero point is among n bytes that are written.
func (p *IntParams) clear(out unsafe.Pointer, n int) bool {
	return beside(unsafe.SliceData(p.Scale), out, n) &&
		(p.ZeroPoint == nil || beside(unsafe.SliceData(p.ZeroPoint), out, n))
}

// small reports whether a rule is the reference's for one group, has codes of a format, and memory for what it writes.
func (r *IntRule) small(f Format) bool {
	if f >= formatsEnd || r.Min > 0 || r.Max < 0 || r.Min == r.Max || r.Dialect != Reference || r.Scales != ScaleAny || len(r.Scale) != 1 {
		return false
	}
	zeroPoint, minval, d := len(r.ZeroPoint) == 1, len(r.Minval) == 1, &formats[f]
	if r.Min < d.least || r.Max > d.most || !zeroPoint && (r.ZeroPoint != nil || !r.ByMinval && (r.Asymmetric || r.middle() != 0)) ||
		!minval && (r.Minval != nil || r.ByMinval) {
		return false
	}
	const size = 4
	scale, zeros, minvals := unsafe.Pointer(&r.Scale[0]), unsafe.SliceData(r.ZeroPoint), unsafe.SliceData(r.Minval)
	return beside(zeros, scale, size) && beside(minvals, scale, size) && (!zeroPoint || beside(minvals, unsafe.Pointer(zeros), size))
}

// clear reports whether no parameter that a small rule writes is among n bytes.
func (r *IntRule) clear(other unsafe.Pointer, n int) bool {
	return beside(unsafe.SliceData(r.Scale), other, n) &&
		beside(unsafe.SliceData(r.ZeroPoint), other, n) && beside(unsafe.SliceData(r.Minval), other, n)
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
