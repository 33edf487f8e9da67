package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// FakeQuantizeInt rounds src to the values that the integer format has, and
// says in mask which elements were within its range:
//
//	r = round((x - fo) / s) + qo
//	mask = Min <= r <= Max
//	dst = (clamp(r, Min, Max) - qo)*s + fo
//
// dst may be src.
func FakeQuantizeInt[T Float](dst []T, mask Mask, src []T, g Grid, p *IntParams) {
	if impl, ok := atOnce(len(src)); ok && g.isVector(len(src)) && len(dst) == len(src) &&
		(unsafe.SliceData(dst) == unsafe.SliceData(src) || apart(dst, src)) {
		y, x, scale, bytes := unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(src)), unsafe.SliceData(p.Scale), len(dst)*int(unsafe.Sizeof(*new(T)))
		unsigned, ok := p.fakeUnsigned()
		if ok && p.small(unsigned) && p.Minval == nil && beside(scale, y, bytes) && (mask.kind == noMask || smallMask(dst, mask, src, p)) {
			recip, flags, kind := 1 / *scale, unsafe.SliceData(mask.data), int32(asmMasks[mask.kind])
			switch zero := unsafe.SliceData(p.ZeroPoint); {
			case zero != nil && !p.hasZeroPoint(y, bytes):
			case zero == nil || *zero == 0:
				if unsafe.Sizeof(*new(T)) == 4 {
					asm.FakeQuantizeF32(y, flags, x, scale, &recip, int32(p.Min), int32(p.Max), kind, 1, len(src), 0, impl)
				} else {
					asm.FakeQuantize[T](impl, elemOf[T](), y, flags, x, scale, &recip, int32(p.Min), int32(p.Max), kind, 1, len(src), 0)
				}
				return
			default:
				if unsafe.Sizeof(*new(T)) == 4 {
					asm.FakeQuantizeZeroPointF32(y, flags, x, scale, &recip, zero, int32(p.Min), int32(p.Max), kind, 1, len(src), 0, impl)
				} else {
					asm.FakeQuantizeZeroPoint[T](impl, elemOf[T](), y, flags, x, scale, &recip, zero, int32(p.Min), int32(p.Max), kind, 1, len(src), 0)
				}
				return
			}
		}
	}
	fakeQuantizeIntLong(dst, mask, src, g, p)
}

// fakeQuantizeIntLong is FakeQuantizeInt the long way.
func fakeQuantizeIntLong[T Float](dst []T, mask Mask, src []T, g Grid, p *IntParams) {
	const kernel = "FakeQuantizeInt"
	checkFakeQuantize(kernel, dst, mask, src, g)
	p.apart(kernel, memory("dst", dst))
	p.apart(kernel, memory("mask", mask.data))
	if p.check(kernel, g.Groups) {
		plain := *p
		plain.ZeroPoint = nil
		p = &plain
	}
	fakeQuantizeInt(current(), dst, mask, src, g, p)
}

func fakeQuantizeInt[T Float](impl isa, dst []T, mask Mask, src []T, g Grid, p *IntParams) {
	g = g.merged()
	switch {
	case impl == generic || len(src) == 0:
		portableFakeQuantizeInt(dst, mask, src, g, p)
	case p.Dialect != Reference:
		fakeQuantizeIntBefore(impl, dst, mask, src, g, p)
	default:
		fakeQuantizeIntAsm(impl, dst, mask, src, g, p)
	}
}

// FakeQuantizeFloat rounds src to the values that the float format has, and
// says in mask which elements were within its range:
//
//	r = x / s
//	mask = -max <= r <= max
//	dst = cast(clamp(r, -max, max)) * s
//
// E2M1 and E2M1Packed are the same here. dst may be src.
func FakeQuantizeFloat[T Float](dst []T, mask Mask, src []T, g Grid, p *FloatParams) {
	const kernel = "FakeQuantizeFloat"
	checkFakeQuantize(kernel, dst, mask, src, g)
	p.check(kernel, g.Groups)
	p.apart(kernel, memory("dst", dst))
	p.apart(kernel, memory("mask", mask.data))
	fakeQuantizeFloat(current(), dst, mask, src, g, p)
}

func fakeQuantizeFloat[T Float](impl isa, dst []T, mask Mask, src []T, g Grid, p *FloatParams) {
	g = g.merged()
	switch {
	case impl == generic || len(src) == 0:
		portableFakeQuantizeFloat(dst, mask, src, g, p)
	case p.Dialect == Reference || p.dividesByScales():
		fakeQuantizeFloatAsm(impl, dst, mask, src, g, p)
	default:
		fakeQuantizeFloatBy(impl, dst, mask, src, g, p)
	}
}

func checkFakeQuantize[T Float](kernel string, dst []T, mask Mask, src []T, g Grid) {
	g.check(kernel, "src", len(src))
	checkLen(kernel, "dst", len(dst), len(src))
	mask.check(kernel, len(src))
	out, flags, in := memory("dst", dst), memory("mask", mask.data), memory("src", src)
	checkInPlace(kernel, out, in)
	checkApart(kernel, flags, in)
	checkApart(kernel, flags, out)
}
