package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// QuantizeInt writes integer codes:
//
//	dst = clamp(round((x - fo) / s) + qo, Min, Max), or 0 for NaN
//
// dst has a code in each element, or it is a []byte of the Format's Bytes(len(src)).
// Groups of packed codes need not begin at a byte, but those that do are faster.
func QuantizeInt[C IntCode, T Float](dst []C, src []T, g Grid, p *IntParams) {
	if impl, ok := atOnce(len(src)); ok && g.isVector(len(src)) && apart(dst, src) {
		own := ownFormat[C]()
		layout, _, size := smallBytes(own, p.Format, len(src))
		if own == Uint8 && size < 0 {
			layout, _, size = p.smallPacked(len(src))
		}
		q, x, scale := unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(src)), unsafe.SliceData(p.Scale)
		if len(dst) == size && p.small(layout == asm.UnsignedBytes) && beside(scale, q, size) {
			recip := 1 / *scale
			switch zero := unsafe.SliceData(p.ZeroPoint); {
			case p.Minval != nil:
				if smallMinval[T](p, q, size) {
					asm.QuantizeMinval(impl, asm.F32, (*uint8)(q), (*float32)(x), scale, &recip, &p.Minval[0], int32(p.Min), int32(p.Max), int32(layout), 1, len(src), 0)
					return
				}
			case zero != nil && !p.hasZeroPoint(q, size):
			case zero == nil || *zero == 0:
				if layout == asm.SignedBytes && p.Min == -128 && p.Max == 127 {
					if unsafe.Sizeof(*new(T)) == 4 {
						asm.QuantizeWholeF32((*int8)(q), x, scale, &recip, 1, len(src), 0, impl)
					} else {
						asm.QuantizeWhole[T](impl, elemOf[T](), (*int8)(q), x, scale, &recip, 1, len(src), 0)
					}
				} else if unsafe.Sizeof(*new(T)) == 4 {
					asm.QuantizeF32((*uint8)(q), x, scale, &recip, int32(p.Min), int32(p.Max), int32(layout), 1, len(src), 0, impl)
				} else {
					asm.Quantize[T](impl, elemOf[T](), (*uint8)(q), x, scale, &recip, int32(p.Min), int32(p.Max), int32(layout), 1, len(src), 0)
				}
				return
			default:
				if unsafe.Sizeof(*new(T)) == 4 {
					asm.QuantizeZeroPointF32((*uint8)(q), x, scale, &recip, zero, int32(p.Min), int32(p.Max), int32(layout), 1, len(src), 0, impl)
				} else {
					asm.QuantizeZeroPoint[T](impl, elemOf[T](), (*uint8)(q), x, scale, &recip, zero, int32(p.Min), int32(p.Max), int32(layout), 1, len(src), 0)
				}
				return
			}
		}
	}
	quantizeIntLong(dst, src, g, p)
}

// quantizeIntLong is QuantizeInt the long way.
func quantizeIntLong[C IntCode, T Float](dst []C, src []T, g Grid, p *IntParams) {
	if quantizeIntRows(dst, src, g, p) {
		return
	}
	const kernel = "QuantizeInt"
	g.check(kernel, "src", len(src))
	if p.check(kernel, g.Groups) {
		plain := *p
		plain.ZeroPoint = nil
		p = &plain
	}
	f := intFormat[C](kernel, p.Format, p.Min, p.Max)
	checkLen(kernel, "dst", len(dst), codesIn[C](f, len(src)))
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	// A slice of int8 has no codes of two bytes: the compiler knows, and programs with such codes alone link no kernel for others.
	if wide := unsafe.Sizeof(*new(C)) == 2 || *new(C)-1 > 0; wide && f.Bits() > 8 {
		quantizeWide(current(), bytesOf(dst), src, g, p, f)
	} else {
		quantizeInt(current(), bytesOf(dst), src, g, p, f)
	}
	inOrder(dst)
}

// quantizeWide is quantizeInt for codes of two bytes.
func quantizeWide[T Float](impl isa, dst []byte, src []T, g Grid, p *IntParams, f Format) {
	switch g = g.merged(); {
	case impl == generic || len(src) == 0:
		portableQuantizeInt(dst, src, g, p, f)
	case !asReference[T](p):
		quantizeShortsBefore(impl, unsafe.Pointer(&dst[0]), src, g, p)
	default:
		quantizeShorts(impl, unsafe.Pointer(&dst[0]), src, g, p)
	}
}

// quantizeInt is for codes of a byte and less.
func quantizeInt[T Float](impl isa, dst []byte, src []T, g Grid, p *IntParams, f Format) {
	g = g.merged()
	bits := f.Bits()
	switch reference, inBytes := asReference[T](p), g.inBytes(bits); {
	case impl == generic || len(src) == 0 || !reference && !inBytes && bits != 6:
		portableQuantizeInt(dst, src, g, p, f)
	case bits == 6:
		quantizeIntSixes(impl, dst, src, g, p, f)
	case !reference:
		quantizeIntBefore(impl, f.storage(), unsafe.Pointer(&dst[0]), src, g, p)
	case inBytes:
		quantizeIntAsm(impl, f.storage(), unsafe.Pointer(&dst[0]), src, g, p)
	default:
		quantizeIntBetweenBytes(impl, dst, src, g, p, f)
	}
}

// QuantizeFloat writes codes of a float format:
//
//	dst = cast(clamp(x / s, -max, max))
//
// dst has Format.Bytes(len(src)) elements. A NaN becomes a NaN, in E2M1Packed, E2M3
// and E3M2, which have none, 0.
func QuantizeFloat[C FloatCode, T Float](dst []C, src []T, g Grid, p *FloatParams) {
	if quantizeFloatRows(dst, src, g, p) {
		return
	}
	const kernel = "QuantizeFloat"
	g.check(kernel, "src", len(src))
	p.check(kernel, g.Groups)
	checkFloatCodes[C](kernel, p.Format)
	checkLen(kernel, "dst", len(dst), p.Format.Bytes(len(src)))
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	quantizeFloat(current(), bytesOf(dst), src, g, p)
}

func quantizeFloat[T Float](impl isa, dst []byte, src []T, g Grid, p *FloatParams) {
	g = g.merged()
	switch {
	case impl == generic || len(src) == 0:
		portableQuantizeFloat(dst, src, g, p)
	case p.Dialect != Reference:
		quantizeFloatBy(impl, dst, src, g, p)
	case p.Format.isSix():
		quantizeFloatSixes(impl, dst, src, g, p)
	case g.inBytes(p.Format.Bits()):
		quantizeFloatAsm(impl, dst, src, g, p)
	default:
		portableQuantizeFloat(dst, src, g, p)
	}
}
