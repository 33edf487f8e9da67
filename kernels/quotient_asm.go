package kernels

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// What another library makes of an element before it is rounded is computed in pieces
// that stay in the L1 cache, as float32: the kernels of the formats take it from there.

// belowTwo is the largest scale by which no quotient but that of zero becomes zero, so
// that the sign of a code is known without the quotient.
const belowTwo = 0x1.fffffep+0

// minusZeros are offsets that change nothing.
var minusZeros = func() (zero [someGroups]float32) {
	for i := range zero {
		zero[i] = float32(math.Copysign(0, -1))
	}
	return zero
}()

// before is what is done to the elements of some groups.
type before struct {
	product bool     // by factors, which are the scales here; else quotients
	half    asm.Elem // the type of 16 bits that each result is rounded to, or F32
	zero    float32  // what is added to products
	keep    int32    // the bits of a quotient that are its own
	nan     float32  // what becomes of NaN
	offsets bool     // offset counts behind the rounding, else before

	scale, recip, offset [someGroups]float32
}

// ofFloats prepares n groups, someGroups at most, of a float format from base on. A NaN becomes nan.
func ofFloats[T Float](b *before, impl isa, p *FloatParams, base, n int, nan float32) {
	m := p.method()
	b.nan, b.half, b.zero, b.keep = nan, asm.F32, minusZeros[0], math.MaxInt32
	if m.plusZero() {
		b.zero = 0
	}
	if m.rounds() && m.scales != ScaleE4M3FNGlobal {
		b.half = elemOf[T]()
	}
	for i := range n {
		b.offset[i] = b.zero
	}
	most := float32(0x1p100)
	if m.plusZero() {
		most = belowTwo
	}
	switch b.product = m.multiplies(); {
	case b.product:
		copy(b.scale[:], factors[T](p, &m, base, n, b.scale[:]))
	case p.Factor != nil:
		asm.ParamsValue(impl, &b.scale[0], &b.recip[0], &p.Factor[base], 1, 1, most, n)
	case m.scales == ScaleE4M3FNGlobal:
		times, over := m.twoLevels()
		asm.ParamsValue(impl, &b.scale[0], &b.recip[0], &p.Scale[base], times, over, most, n)
	default:
		copy(b.scale[:], p.Scale[base:][:n])
		asm.Prepare(impl, &b.recip[0], &b.scale[0], n)
	}
}

// ofInts is ofFloats for an integer format.
func ofInts[T Float](b *before, impl isa, p *IntParams, base, n int) {
	b.nan, b.half, b.zero, b.keep = nan32, asm.F32, minusZeros[0], -1
	for i := range n {
		b.offset[i] = minusZeros[0]
		if p.ZeroPoint != nil {
			b.offset[i] = float32(p.ZeroPoint[base+i])
		}
	}
	if p.Dialect == Torch { // which rounds before it adds
		b.product = true
		for i, s := range p.Scale[base:][:n] {
			b.scale[i] = 1 / s
		}
		return
	}
	if narrows[T](p.Dialect) {
		b.half, b.offsets = elemOf[T](), p.ZeroPoint != nil
	}
	copy(b.scale[:], p.Scale[base:][:n])
	asm.Prepare(impl, &b.recip[0], &b.scale[0], n)
}

// runBefore is for some groups from first on; they have no more elements than buf.
func runBefore[T Float](b *before, impl isa, buf *[widenedLen]float32, x unsafe.Pointer, first, groups, length int) {
	n := groups * length
	in := &buf[0]
	if unsafe.Sizeof(*new(T)) == 4 { // a constant: programs without tensors of 16 bits link no conversions
		in = (*float32)(x)
	} else {
		asm.Decode(impl, elemOf[T](), in, (*uint16)(x), n, 0)
	}
	offset := &b.offset[first]
	if b.offsets {
		offset = &minusZeros[0]
	}
	if b.product {
		asm.Product(impl, &buf[0], in, &b.scale[first], b.zero, b.nan, groups, length, 0)
	} else {
		asm.Quotient(impl, &buf[0], in, &b.scale[first], &b.recip[first], offset, b.keep, b.nan, groups, length, 0)
	}
	if unsafe.Sizeof(*new(T)) == 4 || b.half == asm.F32 {
		return
	}
	var half [widenedLen]uint16
	round := func() {
		asm.Encode(impl, b.half, &half[0], &buf[0], n, 0)
		asm.Decode(impl, b.half, &buf[0], &half[0], n, 0)
	}
	round()
	switch {
	case b.offsets:
		asm.Quotient(impl, &buf[0], &buf[0], &ones()[0], &ones()[0], &b.offset[first], -1, b.nan, groups, length, 0)
		round()
	case b.product && b.zero == 0: // what was rounded to zero is +0 too
		asm.Product(impl, &buf[0], &buf[0], &ones()[0], b.zero, b.nan, 1, n, 0)
	}
}

// towardZero brings magnitudes that are in the middle of two values of E2M1 below it, and
// makes zeros negative. No value of E2M1, and no middle, has more than two mantissa bits.
func towardZero(v []float32) {
	for i, x := range v {
		b := math.Float32bits(x)
		if b&(1<<21-1) != 0 { // most
			continue
		}
		switch {
		case b<<1 == 0:
			b = 1 << 31
		case x-x == 0:
			b--
		}
		v[i] = math.Float32frombits(b)
	}
}

// quantizeFloatBefore writes codes of n groups from base on, of a byte or E2M1Packed.
func quantizeFloatBefore[T Float](impl isa, dst []byte, src []T, g Grid, p *FloatParams, base, n int) {
	var b before
	var buf [widenedLen]float32
	m := p.method()
	words, one, nan := m.fours(), float32(1), nan32
	if m.format.layout == asm.Nibbles {
		if nan = words.instead; words.flip != 0 {
			nan, one = -nan, -1
		}
	}
	for end := base + n; base < end; base += someGroups {
		n := min(someGroups, end-base)
		ofFloats[T](&b, impl, p, base, n, nan)
		var s spans
		s.visit(g, base, n, widenedLen, streaming{})
		for s.advance() {
			runBefore[T](&b, impl, &buf, unsafe.Pointer(&src[s.off]), s.first, s.groups, s.length)
			v, f := buf[:s.groups*s.length], p.Format
			all, to := Grid{1, 1, len(v)}, dst[f.Bytes(s.off):]
			switch {
			case m.format.layout == asm.Nibbles:
				quantizeFoursOf(impl, to, v, all, 0, nil, []float32{one}, &words, streaming{})
			case m.fp4:
				if m.towardZero() {
					towardZero(v)
				}
				quantizeFloatGroups(impl, to, v, all, f, 0, ones()[:1], ones()[:1], streaming{})
			default:
				quantizeFloatGroups(impl, to, v, all, f, 0, nil, ones()[:1], streaming{})
			}
		}
	}
}

// fakeQuantizeFloatBy is FakeQuantizeFloat by dialects.
func fakeQuantizeFloatBy[T Float](impl isa, dst []T, mask Mask, src []T, g Grid, p *FloatParams) {
	m := p.method()
	if m.wild(impl, p, false) {
		portableFakeQuantizeFloat(dst, mask, src, g, p)
		return
	}
	var b before
	var buf [widenedLen]float32
	var flags [widenedLen]byte
	var value [someGroups]float32
	if mask.kind == bitMask {
		clear(mask.data)
	}
	for base := 0; base < g.Groups; base += someGroups {
		n := min(someGroups, g.Groups-base)
		ofFloats[T](&b, impl, p, base, n, nan32)
		m.values(impl, value[:n], p.Scale[base:][:n])
		var s spans
		s.visit(g, base, n, widenedLen, streaming{})
		for s.advance() {
			runBefore[T](&b, impl, &buf, unsafe.Pointer(&src[s.off]), s.first, s.groups, s.length)
			v := buf[:s.groups*s.length]
			if m.towardZero() {
				towardZero(v)
			}
			asm.FakeQuantizeFp[float32](impl, asm.F32, unsafe.Pointer(&v[0]), &flags[0], unsafe.Pointer(&v[0]), &ones()[0], &ones()[0],
				m.format.field, m.format.step, m.format.largest, int32(asm.ByteMask), 1, len(v), 0)
			asm.Product(impl, &v[0], &v[0], &value[s.first], minusZeros[0], nan32, s.groups, s.length, 0)
			roundAsm(impl, dst[s.off:][:len(v)], v)
			mask.putBytes(s.off, flags[:len(v)])
		}
	}
}

// parts returns a power of two of which every float32 beyond the range, and not beyond twice its nearer end, is a multiple, so that it is beyond
// it as a number of such parts too, if that is rounded to an integer; and whether the ends are that many parts, and none is 0.
func parts(least, most int) (part float32, ok bool) {
	nearer := min(-least, most)
	if nearer <= 0 {
		return 0, false
	}
	shift := 24 - bits.Len(uint(nearer))
	return math.Float32frombits(uint32(127-shift) << 23), int64(max(-least, most))<<shift <= math.MaxInt32
}

// signs does again the flags of what is close to the end of a range that is 0, for groups from first on: a quotient that is subnormal may have become 0.
func signs[T Float](in []byte, quotients []float32, src []T, length int, p *IntParams, first int) {
	for k, r := range quotients {
		if -0x1p-126 < r && r < 0x1p-126 {
			x := [1]float32{value(src[k])}
			integers[T](x[:], x[:], p, first+k/length)
			in[k] = bit(float32(p.Min) <= x[0]) & bit(x[0] <= float32(p.Max))
		}
	}
}

// putBytes writes the flags of the elements from off on; bits are 0 before.
func (m Mask) putBytes(off int, flags []byte) {
	switch m.kind {
	case byteMask:
		copy(m.data[off:], flags)
	case bitMask:
		putBits(m.data, off, flags)
	}
}

// roundAsm rounds results to y's type.
func roundAsm[T Float](impl isa, y []T, results []float32) {
	first := unsafe.Pointer(&y[0])
	if unsafe.Sizeof(y[0]) == 4 {
		copy(unsafe.Slice((*float32)(first), len(y)), results)
		return
	}
	asm.Encode(impl, elemOf[T](), (*uint16)(first), &results[0], len(y), 0)
}

// quantizeIntBefore writes codes of integers.
func quantizeIntBefore[T Float](impl isa, st storage, dst unsafe.Pointer, src []T, g Grid, p *IntParams) {
	var b before
	var buf [widenedLen]float32
	for base := 0; base < g.Groups; base += someGroups {
		n := min(someGroups, g.Groups-base)
		ofInts[T](&b, impl, p, base, n)
		var s spans
		s.visit(g, base, n, widenedLen, streaming{})
		for s.advance() {
			runBefore[T](&b, impl, &buf, unsafe.Pointer(&src[s.off]), s.first, s.groups, s.length)
			q, x, count := unsafe.Add(dst, s.off*st.bits/8), unsafe.Pointer(&buf[0]), s.groups*s.length
			if p.Dialect == Torch && p.ZeroPoint != nil { // added to what is rounded
				asm.QuantizeZeroPoint[float32](impl, asm.F32, (*uint8)(q), x, &ones()[0], &ones()[0], &p.ZeroPoint[base+s.first], int32(p.Min), int32(p.Max), int32(st.layout), s.groups, s.length, 0)
			} else {
				asm.Quantize[float32](impl, asm.F32, (*uint8)(q), x, &ones()[0], &ones()[0], int32(p.Min), int32(p.Max), int32(st.layout), 1, count, 0)
			}
		}
	}
}

// quantizeShortsBefore writes codes of two bytes.
func quantizeShortsBefore[T Float](impl isa, dst unsafe.Pointer, src []T, g Grid, p *IntParams) {
	var b before
	var buf [widenedLen]float32
	for base := 0; base < g.Groups; base += someGroups {
		n := min(someGroups, g.Groups-base)
		ofInts[T](&b, impl, p, base, n)
		var s spans
		s.visit(g, base, n, widenedLen, streaming{})
		for s.advance() {
			runBefore[T](&b, impl, &buf, unsafe.Pointer(&src[s.off]), s.first, s.groups, s.length)
			zero := &minusZeros[0]
			if p.Dialect == Torch && p.ZeroPoint != nil { // added to what is rounded
				zero = &b.offset[s.first]
			}
			asm.QuantizeShort(impl, (*uint16)(unsafe.Add(dst, 2*s.off)), &buf[0], &ones()[0], &ones()[0], zero, &minusZeros[0], float32(p.Min), float32(p.Max), s.groups, s.length)
		}
	}
}

// fakeQuantizeIntBefore is FakeQuantizeInt by dialects.
func fakeQuantizeIntBefore[T Float](impl isa, dst []T, mask Mask, src []T, g Grid, p *IntParams) {
	var b before
	var buf, q [widenedLen]float32
	var flags [widenedLen]byte
	var zeros [someGroups]float32 // zero points, to take away
	lo, hi := float32(p.Min), float32(p.Max)
	if mask.kind == bitMask {
		clear(mask.data)
	}
	part, fine := parts(p.Min, p.Max)
	for base := 0; base < g.Groups; base += someGroups {
		n := min(someGroups, g.Groups-base)
		ofInts[T](&b, impl, p, base, n)
		for i := 0; i < n && p.ZeroPoint != nil; i++ {
			zeros[i] = -float32(p.ZeroPoint[base+i])
		}
		var s spans
		s.visit(g, base, n, widenedLen, streaming{})
		for s.advance() {
			runBefore[T](&b, impl, &buf, unsafe.Pointer(&src[s.off]), s.first, s.groups, s.length)
			count := s.groups * s.length
			v, y := unsafe.Pointer(&buf[0]), unsafe.Pointer(&q[0])
			if p.Dialect == Torch {
				if p.ZeroPoint != nil {
					asm.FakeQuantizeZeroPoint[float32](impl, asm.F32, y, &flags[0], v, &ones()[0], &ones()[0], &p.ZeroPoint[base+s.first], int32(p.Min), int32(p.Max), int32(asm.ByteMask), s.groups, s.length, 0)
				} else {
					asm.FakeQuantize[float32](impl, asm.F32, y, &flags[0], v, &ones()[0], &ones()[0], int32(p.Min), int32(p.Max), int32(asm.ByteMask), 1, count, 0)
				}
			} else {
				asm.FakeQuantize[float32](impl, asm.F32, y, nil, v, &ones()[0], &ones()[0], int32(p.Min), int32(p.Max), int32(asm.NoMask), 1, count, 0)
				if p.ZeroPoint != nil {
					asm.Quotient(impl, &q[0], &q[0], &ones()[0], &ones()[0], &zeros[s.first], -1, nan32, s.groups, s.length, 0)
				}
				switch in := flags[:count]; { // clamped before it is rounded
				case mask.kind == noMask:
				case fine:
					recip := 1 / part
					asm.FakeQuantize[float32](impl, asm.F32, v, &flags[0], v, &part, &recip, int32(lo/part), int32(hi/part), int32(asm.ByteMask), 1, count, 0)
				default:
					for k, r := range buf[:count] {
						in[k] = bit(lo <= r) & bit(r <= hi)
					}
					signs[T](in, buf[:count], src[s.off:], s.length, p, base+s.first)
				}
			}
			asm.Product(impl, &q[0], &q[0], &p.Scale[base+s.first], 0, nan32, s.groups, s.length, 0)
			roundAsm(impl, dst[s.off:][:count], q[:count])
			mask.putBytes(s.off, flags[:count])
		}
	}
}
