package kernels

import (
	"math"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// dequantizeIntAsm is the integer formula on an implementation with assembly.
func dequantizeIntAsm[T Float](impl isa, st storage, dst []T, src unsafe.Pointer, g Grid, p *IntParams) {
	if tabled[T](impl, st.bits, g.Len) {
		lookUpAsm[T](impl, st, unsafe.Pointer(&dst[0]), src, len(dst), g, 0, p)
		return
	}
	to := streamingTo(impl, len(dst), st.bits, unsafe.Pointer(&dst[0]), 8*int(unsafe.Sizeof(dst[0])), NoMask).every(perByte(st.bits))
	var s spans
	s.visit(g, 0, g.Groups, mostElements, to)
	for s.advance() {
		dequantizeInts[T](impl, st, unsafe.Pointer(&dst[s.off]), (*uint8)(unsafe.Add(src, s.off*st.bits/8)), p, s.first, s.groups, s.length, s.ahead)
	}
}

// dequantizeInts is one call of assembly, for groups from the first on.
func dequantizeInts[T Float](impl isa, st storage, y unsafe.Pointer, q *uint8, p *IntParams, first, groups, length, ahead int) {
	elem, scale := elemOf[T](), &p.Scale[first]
	switch nibbles := nibblesListed[T](impl, st.layout); {
	case p.Minval != nil:
		dequantizeMinvals[T](impl, st, y, q, scale, &p.Minval[first], int32(p.Min), groups, length, ahead)
	case nibbles && p.ZeroPoint != nil:
		asm.DequantizeZeroPointNibbles(impl, elem, (*float32)(y), q, scale, &p.ZeroPoint[first], st.sign, groups, length, ahead)
	case nibbles:
		asm.DequantizeNibbles(impl, elem, (*float32)(y), q, scale, st.sign, groups, length, ahead)
	case p.ZeroPoint != nil:
		asm.DequantizeZeroPoint[T](impl, elem, y, q, scale, &p.ZeroPoint[first], int32(st.layout), st.sign, groups, length, ahead)
	default:
		asm.Dequantize[T](impl, elem, y, q, scale, int32(st.layout), st.sign, groups, length, ahead)
	}
}

// nibblesListed reports whether an implementation has kernels for codes of four bits alone, which look values up.
func nibblesListed[T Float](impl isa, layout asm.Layout) bool {
	return unsafe.Sizeof(*new(T)) == 4 && impl == avx512vbmi && layout == asm.Nibbles
}

// dequantizeMinvals is dequantizeInts with minvals: elements of 16 bits are made of
// float32s, in pieces that stay in the L1 cache.
func dequantizeMinvals[T Float](impl isa, st storage, y unsafe.Pointer, q *uint8, scale, minval *float32, least int32, groups, length, ahead int) {
	if nibblesListed[T](impl, st.layout) {
		asm.DequantizeMinvalNibbles(impl, asm.F32, (*float32)(y), q, scale, minval, st.sign, least, groups, length, ahead)
		return
	}
	if unsafe.Sizeof(*new(T)) == 4 {
		asm.DequantizeMinval(impl, asm.F32, (*float32)(y), q, scale, minval, int32(st.layout), st.sign, least, groups, length, ahead)
		return
	}
	var buf [widenedLen]float32
	var s spans
	s.visit(Grid{1, groups, length}, 0, groups, len(buf), streaming{})
	for s.advance() {
		asm.DequantizeMinval(impl, asm.F32, &buf[0], (*uint8)(unsafe.Add(unsafe.Pointer(q), s.off*st.bits/8)), step(scale, s.first), step(minval, s.first),
			int32(st.layout), st.sign, least, s.groups, s.length, 0)
		asm.Encode(impl, elemOf[T](), (*uint16)(unsafe.Add(y, 2*s.off)), &buf[0], s.groups*s.length, ahead)
	}
}

// dequantizeIntByBytes gives each code a byte, in pieces that stay in the L1 cache: for groups that do not begin at a byte of packed codes, for codes of six bits,
// and for scales that are not all plain, which are multiplied with differences from zero points, as those have no -0.
func dequantizeIntByBytes[T Float](impl isa, dst []T, src []byte, g Grid, p *IntParams, f Format, plain bool) {
	var codes [betweenBytes + 4]byte // Int8, which has room for unsigned codes of fewer bits too
	st := f.storage()
	to := st
	if st.bits < 8 {
		to = formats[f].bytes.storage()
	}
	var s spans
	s.visit(g, 0, g.Groups, betweenBytes, streaming{})
	for s.advance() {
		n, before := s.groups*s.length, 0
		switch st.bits {
		case 8:
			copy(codes[:n], src[s.off:])
		case 6:
			before = s.off % 4
			unpackSixesAsm(impl, codes[:before+n], src[s.off/4*3:], f.isSigned(), false)
		default:
			before = s.off % (8 / st.bits)
			asm.Unpack(impl, st.code, &codes[0], &src[s.off*st.bits/8], st.sign, before+n, 0)
		}
		part := p.part(s.first, s.groups)
		if !plain && part.ZeroPoint == nil && part.Minval == nil {
			part.ZeroPoint = noOffsets[:s.groups]
		}
		dequantizeIntAsm(impl, to, dst[s.off:][:n], unsafe.Pointer(&codes[before]), Grid{1, s.groups, s.length}, &part)
	}
}

// noOffsets are zero points of 0.
var noOffsets [betweenBytes]int32

// dequantizeFloatAsm is the float formula on an implementation with assembly, which
// multiplies scales by a number.
func dequantizeFloatAsm[T Float](impl isa, dst []T, src []byte, g Grid, p *FloatParams, times float32) {
	code, elem := formats[p.Format].read, elemOf[T]()
	if tabled[T](impl, p.Format.Bits(), g.Len) {
		lookUpAsm[T](impl, storage{code: code}, unsafe.Pointer(&dst[0]), unsafe.Pointer(&src[0]), len(dst), g, times, &IntParams{Scale: p.Scale})
		return
	}
	to := streamingTo(impl, len(dst), p.Format.Bits(), unsafe.Pointer(&dst[0]), 8*int(unsafe.Sizeof(dst[0])), NoMask).every(perByte(p.Format.Bits()))
	var s spans
	s.visit(g, 0, g.Groups, mostElements, to)
	powers := byPowers[T](impl, p, g.Len, times)
	for s.advance() {
		if powers && s.ahead == 0 && s.length == g.Len {
			dequantizePowers(impl, dst[s.off:], src[s.off:], p.Format, p.Scale[s.first:][:s.groups], times, s.length)
			continue
		}
		asm.DequantizeFp[T](impl, code, elem, unsafe.Pointer(&dst[s.off]), &src[s.off*p.Format.Bits()/8], &p.Scale[s.first], times, s.groups, s.length, s.ahead)
	}
}

// byPowers reports whether an implementation multiplies codes of a byte by scales that are powers of two, so that all products are numbers of bfloat16 or zeros.
func byPowers[T Float](impl isa, p *FloatParams, length int, times float32) bool {
	f := &formats[p.Format]
	if unsafe.Sizeof(*new(T)) == 4 || elemOf[T]() != asm.BF16 || impl != avx2 || length%32 != 0 || f.read != asm.E4M3 && f.read != asm.E5M2 {
		return false
	}
	return exactPowers(p.Scale, times)
}

// exactPowers reports whether scales are powers of two, as a number times them is, and products with numbers of a small format normal numbers of bfloat16.
func exactPowers(scale []float32, times float32) bool {
	all, least := math.Float32bits(times), uint32(math.MaxUint32)
	for ; len(scale) >= 4; scale = scale[4:] {
		a, b, c, d := math.Float32bits(scale[0]), math.Float32bits(scale[1]), math.Float32bits(scale[2]), math.Float32bits(scale[3])
		all, least = all|(a|b)|(c|d), min(least, min(a, b), min(c, d))
	}
	for _, s := range scale {
		b := math.Float32bits(s)
		all, least = all|b, min(least, b)
	}
	return all&(1<<31|1<<23-1) == 0 && times*math.Float32frombits(least) >= 0x1p-126*0x1p17 // what codes are read as is at least 2^-17
}

// dequantizePowers does so. A group with a code that is no number goes the ordinary way.
func dequantizePowers[T Float](impl isa, dst []T, src []byte, f Format, scale []float32, times float32, length int) {
	down, keep, top := int32(1), int32(-0x407f4080), int32(0x7e7e7e7e)
	if formats[f].read == asm.E5M2 {
		down, keep, top = 0, -0x00ff0100, 0x7b7b7b7b
	}
	for len(scale) > 0 {
		left := len(scale)
		asm.DequantizePowers(impl, (*uint16)(unsafe.Pointer(&dst[0])), &src[0], &scale[0], times, down, keep, top, &left, length)
		if left > 0 {
			at := (len(scale) - left) * length
			asm.DequantizeFp[T](impl, formats[f].read, elemOf[T](), unsafe.Pointer(&dst[at]), &src[at], &scale[len(scale)-left], times, 1, length, 0)
			left--
		}
		done := len(scale) - left
		dst, src, scale = dst[done*length:], src[done*length:], scale[done:]
	}
}

// tabledLen is the length from which on 16 bits for each code of a byte are
// looked up in a table of all 256, made for the group: that takes what 600 to
// 1000 elements gain by it. A variable for the tests, 64 or more, so that no piece
// of the ordinary way to a cache line has several groups.
var tabledLen = 1024

// tabled reports whether groups of so many codes are looked up.
func tabled[T Float](impl isa, bits, length int) bool {
	return unsafe.Sizeof(*new(T)) == 2 && impl == avx512vbmi && bits == 8 && length >= tabledLen
}

// lookUpAsm dequantizes n codes of a byte by tables. What is in these is made as
// it is elsewhere, so that the results are the same. Of floats, p has the scales, and
// times is what these are multiplied by; else it is 0.
func lookUpAsm[T Float](impl isa, st storage, dst, src unsafe.Pointer, n int, g Grid, times float32, p *IntParams) {
	var table [256]uint16
	y, q := unsafe.Pointer(&table[0]), &everyCode[0]
	var s spans
	s.visit(g, 0, g.Groups, min(g.Len, mostElements), streamingTo(impl, n, 8, dst, 16, NoMask))
	for s.advance() { // to a part of a group
		if times != 0 {
			asm.DequantizeFp[T](impl, st.code, elemOf[T](), y, q, &p.Scale[s.first], times, 1, len(table), 0)
		} else {
			dequantizeInts[T](impl, st, y, q, p, s.first, 1, len(table), 0)
		}
		asm.LookUp16(impl, (*uint16)(unsafe.Add(dst, 2*s.off)), (*byte)(unsafe.Add(src, s.off)), &table, s.length, s.ahead)
	}
}

// everyCode has all codes of a byte.
var everyCode = func() (codes [256]byte) {
	for i := range codes {
		codes[i] = byte(i)
	}
	return codes
}()
