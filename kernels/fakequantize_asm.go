package kernels

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// fakeCall is what one assembly call of a fake-quantization needs beside its
// place and the reciprocals of some groups' scales.
type fakeCall[T Float] struct {
	impl        isa
	elem        asm.Elem
	size        int // bytes per element
	y, x        unsafe.Pointer
	to          streaming
	formula     fakeFormula
	scale       *float32
	zeroPoint   *int32
	minval      *float32
	least, most int32 // of the range
	field, step int32 // a float format's grid
	largest     float32
	middles     int // between its values
}

type fakeFormula uint8

const (
	fakePlain fakeFormula = iota
	fakeZeroPoint
	fakeMinval
	fakeFloat
)

func step[E float32 | int32](p *E, i int) *E { return (*E)(unsafe.Add(unsafe.Pointer(p), 4*i)) }

// run fake-quantizes groups of length elements from element off on; first is
// the first of them, and recip has their reciprocals.
func (c *fakeCall[T]) run(kind int32, mask *byte, recip *float32, off, first, groups, length, ahead int) {
	if c.formula != fakeMinval && hasProducts[T](c.impl, length) && int(c.most)-int(c.least) < mostMiddles {
		for i := range groups {
			m := maskAt(kind, mask, i*length)
			if !c.runProduct(kind, m, off+i*length, first+i, length, ahead) {
				c.runGroups(kind, m, step(recip, i), off+i*length, first+i, 1, length, ahead)
			}
		}
		return
	}
	c.runGroups(kind, mask, recip, off, first, groups, length, ahead)
}

// runProduct fake-quantizes one group by products, if they will do.
func (c *fakeCall[T]) runProduct(kind int32, mask *byte, off, group, length, ahead int) bool {
	y, x := unsafe.Add(c.y, off*c.size), (*uint16)(unsafe.Add(c.x, off*c.size))
	scale := *step(c.scale, group)
	if c.formula == fakeFloat {
		recip, ok := product(c.impl, c.elem, scale, c.middles, c.largest)
		if ok {
			unit := 1.5 * math.Float32frombits(uint32(c.step+127<<23))
			asm.FakeQuantizeFpProduct(c.impl, c.elem, (*uint16)(y), mask, x, c.field, c.step, c.largest, scale, recip, unit, kind, length, ahead)
		}
		return ok
	}
	least, most := c.least, c.most
	if c.formula == fakeZeroPoint {
		zero := *step(c.zeroPoint, group)
		least, most = least-zero, most-zero
	}
	if least > 0 || most < 0 { // zero is clipped too
		return false
	}
	low, ok := lastInside(c.elem, scale, float32(-least))
	if !ok {
		return false
	}
	high, ok := lastInside(c.elem, scale, float32(most))
	if !ok {
		return false
	}
	recip, ok := product(c.impl, c.elem, scale, intMiddles(least, most, 0), 0)
	if ok {
		low |= -0x7fff8000 // negative, in both halves
		asm.FakeQuantizeProduct(c.impl, c.elem, (*uint16)(y), mask, x, high, low, scale, recip, kind, least, most, length, ahead)
	}
	return ok
}

func (c *fakeCall[T]) runGroups(kind int32, mask *byte, recip *float32, off, group, groups, length, ahead int) {
	y, x, scale := unsafe.Add(c.y, off*c.size), unsafe.Add(c.x, off*c.size), step(c.scale, group)
	switch c.formula {
	case fakePlain:
		asm.FakeQuantize[T](c.impl, c.elem, y, mask, x, scale, recip, c.least, c.most, kind, groups, length, ahead)
	case fakeZeroPoint:
		asm.FakeQuantizeZeroPoint[T](c.impl, c.elem, y, mask, x, scale, recip, step(c.zeroPoint, group), c.least, c.most, kind, groups, length, ahead)
	case fakeMinval:
		c.runMinvals(kind, y, mask, x, scale, recip, step(c.minval, group), groups, length, ahead)
	case fakeFloat:
		asm.FakeQuantizeFp[T](c.impl, c.elem, y, mask, x, scale, recip, c.field, c.step, c.largest, kind, groups, length, ahead)
	}
}

// runMinvals is runGroups with minvals: elements of 16 bits become float32s and are
// made of them again, in pieces that stay in the L1 cache.
func (c *fakeCall[T]) runMinvals(kind int32, y unsafe.Pointer, mask *byte, x unsafe.Pointer, scale, recip, minval *float32, groups, length, ahead int) {
	if unsafe.Sizeof(*new(T)) == 4 {
		asm.FakeQuantizeMinval(c.impl, asm.F32, (*float32)(y), mask, (*float32)(x), scale, recip, minval, c.least, c.most, kind, groups, length, ahead)
		return
	}
	var buf [widenedLen]float32
	var s spans
	s.visit(Grid{1, groups, length}, 0, groups, len(buf), streaming{})
	for s.advance() {
		m := maskAt(kind, mask, s.off)
		asm.Decode(c.impl, c.elem, &buf[0], (*uint16)(unsafe.Add(x, 2*s.off)), s.groups*s.length, 0)
		asm.FakeQuantizeMinval(c.impl, asm.F32, &buf[0], m, &buf[0], step(scale, s.first), step(recip, s.first), step(minval, s.first),
			c.least, c.most, kind, s.groups, s.length, 0)
		asm.Encode(c.impl, c.elem, (*uint16)(unsafe.Add(y, 2*s.off)), &buf[0], s.groups*s.length, ahead)
	}
}

// maskAt is where a mask has what it says of element off on.
func maskAt(kind int32, mask *byte, off int) *byte {
	switch kind {
	case int32(asm.ByteMask):
		return (*byte)(unsafe.Add(unsafe.Pointer(mask), off))
	case int32(asm.BitMask):
		return (*byte)(unsafe.Add(unsafe.Pointer(mask), off/8))
	}
	return nil
}

// asmMasks is what the assembly calls the kinds of mask.
var asmMasks = [...]asm.Mask{noMask: asm.NoMask, byteMask: asm.ByteMask, bitMask: asm.BitMask}

// rows runs over the groups of every row of the grid, from base on, that there are reciprocals of.
func (c *fakeCall[T]) rows(mask Mask, g Grid, base int, recip []float32) {
	if mask.kind == bitMask && !g.inBytes(1) {
		c.oddRows(mask.data, g, base, recip)
		return
	}
	kind := int32(asmMasks[mask.kind])
	var s spans
	s.visit(g, base, len(recip), mostElements, c.to)
	for s.advance() {
		var m *byte
		switch mask.kind {
		case byteMask:
			m = &mask.data[s.off]
		case bitMask:
			m = &mask.data[s.off/8]
		}
		c.run(kind, m, &recip[s.first], s.off, base+s.first, s.groups, s.length, s.ahead)
	}
}

// oddRows is for groups that do not begin at a byte of the mask: bytes are
// made first, for pieces that stay in the L1 cache, and their bits put where
// they belong, in a mask that was cleared before.
func (c *fakeCall[T]) oddRows(bits []byte, g Grid, base int, recip []float32) {
	var bytes [4096]byte
	var s spans
	s.visit(g, base, len(recip), len(bytes), streaming{})
	for s.advance() {
		c.run(int32(asm.ByteMask), &bytes[0], &recip[s.first], s.off, base+s.first, s.groups, s.length, 0)
		putBits(bits, s.off, bytes[:s.groups*s.length])
	}
}

// putBits sets bits off, off+1, ... where bytes, 0 or 1, are 1; they are 0 before.
func putBits(bits []byte, off int, bytes []byte) {
	bits = bits[off/8:]
	shift := off % 8
	pending := uint16(bits[0]) & (1<<shift - 1)
	i := 0
	for ; len(bytes) >= 8; i++ {
		// each byte's bit lands in the top byte, the first one lowest
		eight := binary.LittleEndian.Uint64(bytes) * 0x0102040810204080 >> 56
		pending |= uint16(eight) << shift
		bits[i] = byte(pending)
		pending >>= 8
		bytes = bytes[8:]
	}
	for _, b := range bytes {
		pending |= uint16(b) << shift
		shift++
	}
	for ; shift > 0; shift -= 8 {
		bits[i] |= byte(pending)
		pending >>= 8
		i++
	}
}

func newFakeCall[T Float](impl isa, dst []T, mask Mask, src []T, g Grid) fakeCall[T] {
	if mask.kind == bitMask && !g.inBytes(1) {
		clear(mask.data)
	}
	c := fakeCall[T]{impl: impl, elem: elemOf[T](), size: int(unsafe.Sizeof(*new(T))), y: unsafe.Pointer(&dst[0]), x: unsafe.Pointer(&src[0])}
	c.to = streamingTo(impl, len(dst), 8*c.size, c.y, 8*c.size, mask)
	return c
}

// fakeQuantizeIntAsm is the integer formula on an implementation with assembly.
func fakeQuantizeIntAsm[T Float](impl isa, dst []T, mask Mask, src []T, g Grid, p *IntParams) {
	c := newFakeCall(impl, dst, mask, src, g)
	c.scale, c.least, c.most = &p.Scale[0], int32(p.Min), int32(p.Max)
	switch {
	case p.ZeroPoint != nil:
		c.formula, c.zeroPoint = fakeZeroPoint, &p.ZeroPoint[0]
	case p.Minval != nil:
		c.formula, c.minval = fakeMinval, &p.Minval[0]
		c.least, c.most = 0, int32(p.Max-p.Min)
	}
	c.prepared(mask, g, p.Scale)
}

// fakeQuantizeFloatAsm is the float formula on an implementation with assembly.
func fakeQuantizeFloatAsm[T Float](impl isa, dst []T, mask Mask, src []T, g Grid, p *FloatParams) {
	c := newFakeCall(impl, dst, mask, src, g)
	c.formula, c.scale = fakeFloat, &p.Scale[0]
	c.field, c.step = formats[p.Format].field, formats[p.Format].step
	c.largest, c.middles = p.Format.Max(), p.Format.middles()
	c.prepared(mask, g, p.Scale)
}

// prepared runs over groups of every row, for which it has prepared the scales.
// It sets nothing: what is stored by way of a pointer would escape.
func (c *fakeCall[T]) prepared(mask Mask, g Grid, scale []float32) {
	switch {
	case g.Groups <= fewGroups:
		var recip [fewGroups]float32
		c.columns(mask, g, scale, recip[:])
	case g.Groups <= someGroups:
		var recip [someGroups]float32
		c.columns(mask, g, scale, recip[:])
	default:
		var recip [manyGroups]float32
		c.columns(mask, g, scale, recip[:])
	}
}

func (c *fakeCall[T]) columns(mask Mask, g Grid, scale, recip []float32) {
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		asm.Prepare(c.impl, &recip[0], &scale[base], n)
		c.rows(mask, g, base, recip[:n])
	}
}

func elemOf[T Float]() asm.Elem {
	if unsafe.Sizeof(*new(T)) == 4 {
		return asm.F32
	}
	if _, ok := any(*new(T)).(float16.Float16); ok {
		return asm.F16
	}
	return asm.BF16
}
