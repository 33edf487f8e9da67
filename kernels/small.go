package kernels

import (
	"math"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/scan"
)

// The small way. A call for one group of some hundred elements takes longer for
// pieces, stores past the caches and buffers of reciprocals than for its elements, and
// each call of a function takes as long as some thirty of them. So the first question
// is whether a call is small and ordinary; if it is, one call of assembly does it. The
// same is asked about rows of groups next where codes are read or written. The
// question only says yes: what it does not like, a mistake too, goes the long way,
// which reports mistakes. TestSmall holds one way against the other. The long way is a
// function of its own: what it needs would be put by for it in every call.

// atOnce returns the implementation, and whether one call of assembly of it can do n
// elements and writes nothing past the caches.
func atOnce(n int) (impl isa, ok bool) {
	c := chosen.Load()
	return isa(c), uint(n-1) < uint(c>>smallShift)
}

// smallMost is the number of elements up to which calls are small with an implementation: all that have nothing to gain by the long way.
func smallMost(impl isa) int {
	most := productLen - 1
	if most > 0 && (impl == avx2 || impl == neon) { // which have no kernels for products
		most = 1<<smallShift - 1
	}
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

// hasFew reports whether a grid has n elements in all, few, in groups that begin at a byte if codes have so many bits.
func (g Grid) hasFew(n, bits int) bool {
	return uint(g.Rows|g.Groups|g.Len) < 1<<smallShift && g.Rows*g.Groups*g.Len == n && g.inBytes(bits)
}

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
// point and the minval: codes that a signed or an unsigned byte can be, no dialect, a scale that
// need not be divided by.
func (p *IntParams) small(unsigned bool) bool {
	least := -128
	if unsigned {
		least = 0
	}
	return p.Min >= least && p.Max <= least+255 && p.Min < p.Max && p.Dialect == Reference && len(p.Scale) == 1 && ordinary(&p.Scale[0])
}

// small reports whether parameters are plain, and those of one group with a scale by whose products with times nothing is infinite.
func (p *FloatParams) small() bool { return len(p.Scale) == 1 && ordinary(&p.Scale[0]) && p.plain() }

// plain reports whether parameters are codes of four or eight bits that the assembly reads, without a second level.
func (p *FloatParams) plain() bool {
	if p.Format == 0 || p.Format >= formatsEnd || p.Format.isInt() || p.Dialect != Reference || p.Scales != ScaleAny || p.Rule != ScaleFloor || p.Factor != nil {
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

// hasZeroPoint reports whether there is one zero point, from Min to Max, and it is not among n bytes that are written.
func (p *IntParams) hasZeroPoint(out unsafe.Pointer, n int) bool {
	z := p.ZeroPoint
	return len(z) == 1 && int(z[0]) >= p.Min && int(z[0]) <= p.Max && beside(&z[0], out, n)
}

// smallMinval reports whether there is no zero point but one minval, which is finite and not among n bytes that are written, and elements
// with such assembly.
func smallMinval[T Float](p *IntParams, out unsafe.Pointer, n int) bool {
	return p.ZeroPoint == nil && unsafe.Sizeof(*new(T)) == 4 && len(p.Minval) == 1 && p.Minval[0]-p.Minval[0] == 0 && beside(&p.Minval[0], out, n)
}

// quantizeIntRows is QuantizeInt of few groups by one call of assembly for each row, if it reports true; else it did nothing.
func quantizeIntRows[C IntCode, T Float](dst []C, src []T, g Grid, p *IntParams) bool {
	impl, ok := atOnce(len(src))
	if !ok || g.Groups > someGroups || !apart(dst, src) {
		return false
	}
	d, z := p.few(g, len(src), ownFormat[C](), len(dst), unsafe.Pointer(unsafe.SliceData(dst)), len(dst)*int(unsafe.Sizeof(*new(C))))
	if d == nil {
		return false
	}
	if g.Groups <= fewGroups {
		var recip [fewGroups]float32
		quantizeIntEach(impl, d, unsafe.Pointer(&dst[0]), src, g, p, z, recip[:])
	} else {
		var recip [someGroups]float32
		quantizeIntEach(impl, d, unsafe.Pointer(&dst[0]), src, g, p, z, recip[:])
	}
	return true
}

// quantizeIntEach quantizes each row.
func quantizeIntEach[T Float](impl isa, d *description, dst unsafe.Pointer, src []T, g Grid, p *IntParams, z []int32, recip []float32) {
	asm.Prepare(impl, &recip[0], &p.Scale[0], g.Groups)
	for off, row := 0, g.Groups*g.Len; off < len(src); off += row {
		q, x := unsafe.Add(dst, off*d.bits/8), unsafe.Pointer(&src[off])
		switch {
		case z != nil:
			asm.QuantizeZeroPoint[T](impl, elemOf[T](), (*uint8)(q), x, &p.Scale[0], &recip[0], &z[0], int32(p.Min), int32(p.Max), int32(d.layout), g.Groups, g.Len, 0)
		case d.layout == asm.SignedBytes && p.Min == -128 && p.Max == 127:
			asm.QuantizeWhole[T](impl, elemOf[T](), (*int8)(q), x, &p.Scale[0], &recip[0], g.Groups, g.Len, 0)
		default:
			asm.Quantize[T](impl, elemOf[T](), (*uint8)(q), x, &p.Scale[0], &recip[0], int32(p.Min), int32(p.Max), int32(d.layout), g.Groups, g.Len, 0)
		}
	}
}

// few returns the format of n codes, and the zero points unless all are 0, if parameters and grid are such as one call of assembly for each
// row is for: else nil. There are so many elements of codes, whose own format is said. What is written has so many bytes.
func (p *IntParams) few(g Grid, n int, own Format, codes int, out unsafe.Pointer, bytes int) (*description, []int32) {
	f := p.Format
	if f == 0 {
		f = own
	}
	if f > Uint2 || f != own && own != Uint8 || p.Dialect != Reference || p.Minval != nil {
		return nil, nil
	}
	d, z := &formats[f], p.ZeroPoint
	if p.Min < d.least || p.Max > d.most || p.Min >= p.Max || !g.hasFew(n, d.bits) || codes != (n*d.bits+7)/8 ||
		len(p.Scale) != g.Groups || !apart(unsafe.Slice((*byte)(out), bytes), p.Scale) {
		return nil, nil
	}
	switch {
	case z == nil:
	case len(z) != g.Groups, !apart(unsafe.Slice((*byte)(out), bytes), z), scan.Outside(z, int32(p.Min), int32(p.Max)) >= 0:
		return nil, nil
	case scan.Zeros(z):
		z = nil
	}
	return d, z
}

// quantizeFloatRows is the same of QuantizeFloat.
func quantizeFloatRows[C FloatCode, T Float](dst []C, src []T, g Grid, p *FloatParams) bool {
	impl, ok := atOnce(len(src))
	if !ok || g.Groups > someGroups || !p.plain() || !liesIn[C](p.Format) {
		return false
	}
	d := &formats[p.Format]
	if !g.hasFew(len(src), d.bits) || len(dst) != (len(src)*d.bits+7)/8 || !apart(dst, src) ||
		len(p.Scale) != g.Groups || !apart(dst, p.Scale) {
		return false
	}
	if g.Groups <= fewGroups {
		var recip [fewGroups]float32
		quantizeFloatEach(impl, d, unsafe.Pointer(&dst[0]), src, g, p.Scale, recip[:])
	} else {
		var recip [someGroups]float32
		quantizeFloatEach(impl, d, unsafe.Pointer(&dst[0]), src, g, p.Scale, recip[:])
	}
	return true
}

// quantizeFloatEach quantizes each row.
func quantizeFloatEach[T Float](impl isa, d *description, dst unsafe.Pointer, src []T, g Grid, scale, recip []float32) {
	asm.Prepare(impl, &recip[0], &scale[0], g.Groups)
	for off, row, f := 0, g.Groups*g.Len, &d.float8; off < len(src); off += row {
		asm.QuantizeFp[T](impl, elemOf[T](), (*uint8)(unsafe.Add(dst, off*d.bits/8)), unsafe.Pointer(&src[off]), &scale[0], &recip[0],
			f.least, f.ruler, f.weights, f.top, f.nan, int32(d.layout), g.Groups, g.Len, 0)
	}
}

// dequantizeIntRows is DequantizeInt in the same way.
func dequantizeIntRows[T Float, C IntCode](dst []T, src []C, g Grid, p *IntParams) bool {
	impl, ok := atOnce(len(dst))
	if !ok || !apart(dst, src) {
		return false
	}
	q := unsafe.Pointer(unsafe.SliceData(src))
	d, z := p.few(g, len(dst), ownFormat[C](), len(src), unsafe.Pointer(unsafe.SliceData(dst)), len(dst)*int(unsafe.Sizeof(*new(T))))
	if d == nil || tabled[T](impl, d.bits, g.Len) || !allOrdinary(impl, p.Scale) {
		return false
	}
	for off, row := 0, g.Groups*g.Len; off < len(dst); off += row {
		y, q := unsafe.Pointer(&dst[off]), (*uint8)(unsafe.Add(q, off*d.bits/8))
		switch nibbles := nibblesListed[T](impl, d.layout); {
		case nibbles && z == nil:
			asm.DequantizeNibbles(impl, asm.F32, (*float32)(y), q, &p.Scale[0], int32(-d.least), g.Groups, g.Len, 0)
		case nibbles:
			asm.DequantizeZeroPointNibbles(impl, asm.F32, (*float32)(y), q, &p.Scale[0], &z[0], int32(-d.least), g.Groups, g.Len, 0)
		case z == nil:
			asm.Dequantize[T](impl, elemOf[T](), y, q, &p.Scale[0], int32(d.layout), int32(-d.least), g.Groups, g.Len, 0)
		default:
			asm.DequantizeZeroPoint[T](impl, elemOf[T](), y, q, &p.Scale[0], &z[0], int32(d.layout), int32(-d.least), g.Groups, g.Len, 0)
		}
	}
	return true
}

// dequantizeFloatRows is the same of DequantizeFloat.
func dequantizeFloatRows[T Float, C FloatCode](dst []T, src []C, g Grid, p *FloatParams) bool {
	impl, ok := atOnce(len(dst))
	if !ok || !p.plain() || !liesIn[C](p.Format) {
		return false
	}
	d := &formats[p.Format]
	if !g.hasFew(len(dst), d.bits) || len(src) != (len(dst)*d.bits+7)/8 || tabled[T](impl, d.bits, g.Len) || !apart(dst, src) ||
		!bounded(impl, dst, p.Scale, g.Groups, d.times) {
		return false
	}
	for off, row := 0, g.Groups*g.Len; off < len(dst); off += row {
		q := (*uint8)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(src)), off*d.bits/8))
		asm.DequantizeFp[T](impl, d.read, elemOf[T](), unsafe.Pointer(&dst[off]), q, &p.Scale[0], d.times, g.Groups, g.Len, 0)
	}
	return true
}

// bounded reports whether there is a scale for each of so many groups, none is among what is written, and none is infinite or
// becomes so when it is multiplied by times, 1<<20 at most.
func bounded[T Float](impl isa, dst []T, scale []float32, groups int, times float32) bool {
	return len(scale) == groups && apart(dst, scale) && times*largest(impl, scale) <= math.MaxFloat32
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

// smallBytes returns how n codes of a format, or if that is 0 of the slice's own, lie in a slice of integers, what the assembly is
// told of their sign, and how many elements of the slice they take: -1 if they are not a byte each.
func smallBytes(own, f Format, n int) (layout asm.Layout, sign int32, size int) {
	if f > own || own > Uint8 {
		return asm.SignedBytes, 1 << 7, -1
	}
	unsigned := asm.Layout(own-Int8) &^ asm.Layout(f) // Int8 is odd
	return asm.SignedBytes + unsigned, int32(1-unsigned) << 7, n
}

// smallPacked is smallBytes for packed codes of a format.
func (p *IntParams) smallPacked(n int) (layout asm.Layout, sign int32, size int) {
	f := p.Format
	if f-Int4 > Uint2-Int4 || p.Min < formats[f].least || p.Max > formats[f].most {
		return 0, 0, -1
	}
	d := &formats[f]
	return d.layout, int32(-d.least), (n*d.bits + 7) / 8
}

// fakeUnsigned tells whether numbers of fake-quantizing could be unsigned
// bytes rather than signed ones, and reports whether they could be bytes.
func (p *IntParams) fakeUnsigned() (unsigned, ok bool) {
	if p.Min >= 0 && p.Format != Int8 {
		return true, p.Format <= Uint8
	}
	return false, p.Format <= Int8
}

// smallMask reports whether a mask is one of as many elements, and apart from all.
func smallMask[T Float](dst []T, mask Mask, src []T, p *IntParams) bool {
	n := len(src)
	if mask.kind == bitMask {
		n = BitMaskLen(n)
	}
	return len(mask.data) == n && apart(mask.data, src) && apart(mask.data, dst) && p.clear(unsafe.Pointer(unsafe.SliceData(mask.data)), n)
}
