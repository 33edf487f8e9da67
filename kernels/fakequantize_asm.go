package kernels

import (
	"encoding/binary"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// fakeCall is what one assembly call of a fake-quantization needs beside its
// place: the parameters point at the first of a run of groups.
type fakeCall struct {
	impl        isa
	elem        asm.Elem
	size        int // bytes per element
	y, x        unsafe.Pointer
	formula     fakeFormula
	scale       *float32
	minval      *float32
	recip       *float32
	lo, hi      *float32
	least, step int32   // a float format's grid
	most        float32 // its largest value
}

type fakeFormula uint8

const (
	fakeZeroPoint fakeFormula = iota
	fakeMinval
	fakeAny
	fakeFp
	fakeFpAny
)

func step(p *float32, i int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*i)) }

// run fake-quantizes groups of length elements from element off on, with the
// parameters from first on.
func (c *fakeCall) run(kind asm.Mask, mask *byte, off, first, groups, length int) {
	y, x := unsafe.Add(c.y, off*c.size), unsafe.Add(c.x, off*c.size)
	switch c.formula {
	case fakeZeroPoint:
		asm.FakeQuantize(c.impl, kind, c.elem, y, mask, x, step(c.scale, first), step(c.recip, first), step(c.lo, first), step(c.hi, first), groups, length)
	case fakeMinval:
		asm.FakeQuantizeMinval(c.impl, kind, c.elem, y, mask, x, step(c.scale, first), step(c.recip, first), step(c.lo, first), step(c.hi, first), step(c.minval, first), groups, length)
	case fakeAny:
		asm.FakeQuantizeAny(c.impl, kind, c.elem, y, mask, x, step(c.scale, first), step(c.lo, first), step(c.hi, first), step(c.minval, first), groups, length)
	case fakeFp:
		asm.FakeQuantizeFp(c.impl, kind, c.elem, y, mask, x, step(c.scale, first), step(c.recip, first), step(c.hi, first), c.least, c.step, groups, length)
	case fakeFpAny:
		asm.FakeQuantizeFpAny(c.impl, kind, c.elem, y, mask, x, step(c.scale, first), c.least, c.step, c.most, groups, length)
	}
}

// rows runs over groups of every row of the grid; base is the first of them.
func (c *fakeCall) rows(mask Mask, g Grid, base, groups int) {
	if mask.kind == bitMask && !g.bytesOfBits() {
		c.oddRows(mask.data, g, base, groups)
		return
	}
	kind := [...]asm.Mask{noMask: asm.NoMask, byteMask: asm.ByteMask, bitMask: asm.BitMask}[mask.kind]
	for s := (spans{g: g, base: base, n: groups, most: mostElements}); s.advance(); {
		var m *byte
		switch mask.kind {
		case byteMask:
			m = &mask.data[s.off]
		case bitMask:
			m = &mask.data[s.off/8]
		}
		c.run(kind, m, s.off, s.first, s.groups, s.length)
	}
}

// bytesOfBits reports whether every group, or every row, begins at a byte of a bit mask.
func (g Grid) bytesOfBits() bool {
	return g.Len%8 == 0 || g.Rows*g.Groups == 1 || g.Len == 1 && (g.Rows == 1 || g.Groups%8 == 0)
}

// oddRows is for groups that do not begin at a byte of the mask: bytes are
// made first, for pieces that stay in the L1 cache, and their bits put where
// they belong, in a mask that was cleared before.
func (c *fakeCall) oddRows(bits []byte, g Grid, base, groups int) {
	var bytes [4096]byte
	for s := (spans{g: g, base: base, n: groups, most: len(bytes)}); s.advance(); {
		c.run(asm.ByteMask, &bytes[0], s.off, s.first, s.groups, s.length)
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

func newFakeCall[T Float](impl isa, dst []T, mask Mask, src []T, g Grid) fakeCall {
	if mask.kind == bitMask && !g.bytesOfBits() {
		clear(mask.data)
	}
	return fakeCall{impl: impl, elem: elemOf[T](), size: int(unsafe.Sizeof(*new(T))), y: unsafe.Pointer(&dst[0]), x: unsafe.Pointer(&src[0])}
}

// fakeQuantizeIntAsm is the integer formula on an implementation with assembly.
func fakeQuantizeIntAsm[T Float](impl isa, dst []T, mask Mask, src []T, g Grid, p Int) {
	c := newFakeCall(impl, dst, mask, src, g)
	if g.Groups <= fewGroups {
		var recip, lo, hi [fewGroups]float32
		c.integer(mask, g, p, recip[:], lo[:], hi[:])
	} else {
		var recip, lo, hi [manyGroups]float32
		c.integer(mask, g, p, recip[:], lo[:], hi[:])
	}
}

func (c fakeCall) integer(mask Mask, g Grid, p Int, recip, lo, hi []float32) {
	c.recip, c.lo, c.hi = &recip[0], &lo[0], &hi[0]
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		c.scale, c.minval = &p.Scale[base], &noMinval[0]
		if p.Minval != nil {
			c.minval = &p.Minval[base]
		}
		switch {
		case !p.holdsZero() || !safeScales(c.impl, p.Scale[base:base+n]):
			c.formula = fakeAny
			p.clipCodes(base, lo[:n], hi[:n])
		case p.Minval != nil:
			c.formula = fakeMinval
			p.prepare(c.impl, base, recip[:n], lo, hi)
		default:
			c.formula = fakeZeroPoint
			p.prepare(c.impl, base, recip[:n], lo, hi)
		}
		c.rows(mask, g, base, n)
	}
}

// prepare makes reciprocals and clipping ends of len(recip) groups from base on.
func (p Int) prepare(impl isa, base int, recip, lo, hi []float32) {
	switch {
	case p.ZeroPoint != nil:
		asm.PrepareZeroPoint(impl, &recip[0], &hi[0], &lo[0], &p.Scale[base], &p.ZeroPoint[base], int32(p.Min), int32(p.Max), len(recip))
	case p.Minval != nil:
		asm.Prepare(impl, &recip[0], &hi[0], &lo[0], &p.Scale[base], int32(p.Max-p.Min), 0, len(recip))
	default:
		asm.Prepare(impl, &recip[0], &hi[0], &lo[0], &p.Scale[base], int32(p.Max), int32(-p.Min), len(recip))
	}
}

// holdsZero reports whether what stands for zero is within the range, so that
// clipping ends lie on both sides of zero; given zero points always are.
func (p Int) holdsZero() bool {
	return p.ZeroPoint != nil || p.Minval != nil || p.Min <= 0 && p.Max >= 0
}

// clipCodes gives the range of round((x-minval)/scale) that does not clip.
func (p Int) clipCodes(base int, lo, hi []float32) {
	for i := range lo {
		offset := p.Min
		if p.Minval == nil {
			offset = 0
			if p.ZeroPoint != nil {
				offset = int(p.ZeroPoint[base+i])
			}
		}
		lo[i], hi[i] = float32(p.Min-offset), float32(p.Max-offset)
	}
}

// steps describes a float format to FakeQuantizeFp: the exponent field of its
// least normal number in place, and (23 - mantissa bits)<<23 | 1<<22.
func (f Format) steps() (least, step int32) {
	switch f {
	case E4M3FN:
		return 121 << 23, 20<<23 | 1<<22
	case E5M2:
		return 113 << 23, 21<<23 | 1<<22
	}
	return 127 << 23, 22<<23 | 1<<22
}

// fakeQuantizeFpAsm is the float formula on an implementation with assembly.
func fakeQuantizeFpAsm[T Float](impl isa, dst []T, mask Mask, src []T, g Grid, p Fp) {
	c := newFakeCall(impl, dst, mask, src, g)
	c.least, c.step = p.Format.steps()
	c.most = p.Format.Max()
	if g.Groups <= fewGroups {
		var recip, hi [fewGroups]float32
		c.float(mask, g, p, recip[:], hi[:])
	} else {
		var recip, hi [manyGroups]float32
		c.float(mask, g, p, recip[:], hi[:])
	}
}

func (c fakeCall) float(mask Mask, g Grid, p Fp, recip, hi []float32) {
	c.recip, c.hi = &recip[0], &hi[0]
	for base := 0; base < g.Groups; base += len(recip) {
		n := min(len(recip), g.Groups-base)
		c.scale = &p.Scale[base]
		c.formula = fakeFpAny
		if safeScales(c.impl, p.Scale[base:base+n]) {
			c.formula = fakeFp
			asm.PrepareFp(c.impl, &recip[0], &hi[0], c.scale, c.most, n)
		}
		c.rows(mask, g, base, n)
	}
}

func elemOf[T Float]() asm.Elem {
	switch any(*new(T)).(type) {
	case float32:
		return asm.F32
	case float16.Float16:
		return asm.F16
	}
	return asm.BF16
}
