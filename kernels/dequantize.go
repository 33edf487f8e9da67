package kernels

import (
	"math"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// DequantizeInt writes the values of integer codes:
//
//	dst = (q - qo)*s + fo
//
// src has a code in each element, or it is a []byte of the Format's Bytes(len(dst)).
// A code outside Min..Max is no error. Groups of packed codes need not begin at a
// byte, but those that do are faster.
func DequantizeInt[T Float, C IntCode](dst []T, src []C, g Grid, p *IntParams) {
	if impl, ok := atOnce(len(dst)); ok && g.isVector(len(dst)) && apart(dst, src) {
		own := ownFormat[C]()
		layout, sign, size := smallBytes(own, p.Format, len(dst))
		if own == Uint8 && size < 0 {
			layout, sign, size = p.smallPacked(len(dst))
		}
		y, q, scale, bytes := unsafe.Pointer(unsafe.SliceData(dst)), (*uint8)(unsafe.Pointer(unsafe.SliceData(src))), unsafe.SliceData(p.Scale), len(dst)*int(unsafe.Sizeof(*new(T)))
		if len(src) == size && p.small(layout == asm.UnsignedBytes) && beside(scale, y, bytes) {
			switch zero := unsafe.SliceData(p.ZeroPoint); {
			case p.Minval != nil:
				if !nibblesListed[T](impl, layout) && smallMinval[T](p, y, bytes) {
					asm.DequantizeMinval(impl, asm.F32, (*float32)(y), q, scale, &p.Minval[0], int32(layout), sign, int32(p.Min), 1, len(dst), 0)
					return
				}
			case zero != nil && !p.hasZeroPoint(y, bytes):
			case size == len(dst) && tabled[T](impl, 8, size):
				lookUpAsm[T](impl, storage{layout: layout, sign: sign}, y, unsafe.Pointer(q), len(dst), g, 0, p)
				return
			case nibblesListed[T](impl, layout):
				dequantizeInts[T](impl, storage{layout: layout, sign: sign}, y, q, p, 0, 1, len(dst), 0)
				return
			case zero == nil || *zero == 0:
				if unsafe.Sizeof(*new(T)) == 4 {
					asm.DequantizeF32(y, q, scale, int32(layout), sign, 1, len(dst), 0, impl)
				} else {
					asm.Dequantize[T](impl, elemOf[T](), y, q, scale, int32(layout), sign, 1, len(dst), 0)
				}
				return
			default:
				if unsafe.Sizeof(*new(T)) == 4 {
					asm.DequantizeZeroPointF32(y, q, scale, zero, int32(layout), sign, 1, len(dst), 0, impl)
				} else {
					asm.DequantizeZeroPoint[T](impl, elemOf[T](), y, q, scale, zero, int32(layout), sign, 1, len(dst), 0)
				}
				return
			}
		}
	}
	dequantizeIntLong(dst, src, g, p)
}

// dequantizeIntLong is DequantizeInt the long way.
func dequantizeIntLong[T Float, C IntCode](dst []T, src []C, g Grid, p *IntParams) {
	if dequantizeIntRows(dst, src, g, p) {
		return
	}
	const kernel = "DequantizeInt"
	g.check(kernel, "dst", len(dst))
	if p.check(kernel, g.Groups) {
		plain := *p
		plain.ZeroPoint = nil
		p = &plain
	}
	f := intFormat[C](kernel, p.Format, p.Min, p.Max)
	checkLen(kernel, "src", len(src), codesIn[C](f, len(dst)))
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	if f.Bits() > 8 {
		dequantizeWide(current(), dst, src, g.merged(), p, f)
		return
	}
	dequantizeInt(current(), dst, bytesOf(src), g, p, f)
}

// dequantizeWide is for codes of two bytes, in elements of two or in bytes.
func dequantizeWide[T Float, C IntCode](impl isa, dst []T, src []C, g Grid, p *IntParams, f Format) {
	switch {
	case impl == generic || len(dst) == 0 || !p.finite(impl):
		portableDequantizeInt(dst, src, g, p, f)
	case f.isSigned():
		dequantizeShorts(impl, dst, unsafe.Pointer(&src[0]), g, p, 1<<15)
	default:
		dequantizeShorts(impl, dst, unsafe.Pointer(&src[0]), g, p, 0)
	}
}

func dequantizeInt[T Float](impl isa, dst []T, src []byte, g Grid, p *IntParams, f Format) {
	g = g.merged()
	if impl == generic || len(dst) == 0 {
		portableDequantizeInt(dst, src, g, p, f)
		return
	}
	switch plain := allOrdinary(impl, p.Scale); {
	case !plain && !finite(impl, p.Scale) || !finite(impl, p.Minval):
		portableDequantizeInt(dst, src, g, p, f)
	case plain && f.Bits() != 6 && g.inBytes(f.Bits()):
		dequantizeIntAsm(impl, f.storage(), dst, unsafe.Pointer(&src[0]), g, p)
	default:
		dequantizeIntByBytes(impl, dst, src, g, p, f, plain)
	}
}

// DequantizeFloat writes the values of codes of a float format:
//
//	dst = q*s
//
// src has Format.Bytes(len(dst)) elements.
func DequantizeFloat[T Float, C FloatCode](dst []T, src []C, g Grid, p *FloatParams) {
	if impl, ok := atOnce(len(dst)); ok && g.isVector(len(dst)) && p.small() && liesIn[C](p.Format) {
		d, y := &formats[p.Format], unsafe.Pointer(unsafe.SliceData(dst))
		if len(src) == (len(dst)*d.bits+7)/8 && apart(dst, src) && beside(unsafe.SliceData(p.Scale), y, len(dst)*int(unsafe.Sizeof(*new(T)))) {
			if tabled[T](impl, d.bits, len(dst)) {
				dequantizeFloatAsm(impl, dst, bytesOf(src), g, p, d.times)
				return
			}
			asm.DequantizeFp[T](impl, d.read, elemOf[T](), y, (*uint8)(unsafe.Pointer(unsafe.SliceData(src))), unsafe.SliceData(p.Scale), d.times, 1, len(dst), 0)
			return
		}
	}
	dequantizeFloatLong(dst, src, g, p)
}

// dequantizeFloatLong is DequantizeFloat the long way.
func dequantizeFloatLong[T Float, C FloatCode](dst []T, src []C, g Grid, p *FloatParams) {
	if dequantizeFloatRows(dst, src, g, p) {
		return
	}
	const kernel = "DequantizeFloat"
	g.check(kernel, "dst", len(dst))
	p.check(kernel, g.Groups)
	checkFloatCodes[C](kernel, p.Format)
	checkLen(kernel, "src", len(src), p.Format.Bytes(len(dst)))
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	dequantizeFloat(current(), dst, bytesOf(src), g, p)
}

func dequantizeFloat[T Float](impl isa, dst []T, src []byte, g Grid, p *FloatParams) {
	g = g.merged()
	if impl == generic || len(dst) == 0 || formats[p.Format].unread {
		portableDequantizeFloat(dst, src, g, p)
		return
	}
	m := p.method()
	level, over := m.twoLevels()
	times := level * m.format.times
	switch {
	case over != 1, level != 1 && m.format.times != 1: // a subnormal product of the levels is rounded before it is made larger
		dequantizeFloatLevels(impl, dst, src, g, p, &m)
	default:
		dequantizeFloatTimes(impl, dst, src, g, p, times)
	}
}

// dequantizeFloatTimes is dequantizeFloat where scales are multiplied by a number.
func dequantizeFloatTimes[T Float](impl isa, dst []T, src []byte, g Grid, p *FloatParams, times float32) {
	switch {
	case !(math.Abs(float64(times*largest(impl, p.Scale))) <= math.MaxFloat32):
		portableDequantizeFloat(dst, src, g, p)
	case p.Format.isSix():
		dequantizeFloatSixes(impl, dst, src, g, p, times)
	case g.inBytes(p.Format.Bits()):
		dequantizeFloatAsm(impl, dst, src, g, p, times)
	default:
		portableDequantizeFloat(dst, src, g, p)
	}
}
