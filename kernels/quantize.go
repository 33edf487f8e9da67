package kernels

import "unsafe"

// QuantizeInt writes integer codes:
//
//	dst = clamp(round((x - fo) / s) + qo, Min, Max), or 0 for NaN
//
// dst is []int8 or []uint8 with a code in each element, or has the Format's
// Bytes(len(src)) bytes. Groups of packed codes need not begin at a byte, but those
// that do are faster.
func QuantizeInt[C IntCode, T Float](dst []C, src []T, g Grid, p *IntParams) {
	const kernel = "QuantizeInt"
	impl := current()
	if isSmall(impl, g, len(src), dst) {
		if code, ok := p.smallCode(ownFormat[C]()); ok && p.isApart(memory("", dst), memory("", src)) {
			recip := [1]float32{1 / p.Scale[0]}
			quantizeIntGroup[T](impl, storage{code: code, bits: 8}, unsafe.Pointer(&dst[0]), unsafe.Pointer(&src[0]), p, 0, recip[:], 1, len(src), 0)
			return
		}
	}
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
	quantizeInt(impl, bytesOf(dst), src, g, p, f)
	inOrder(dst)
}

func quantizeInt[T Float](impl isa, dst []byte, src []T, g Grid, p *IntParams, f Format) {
	g = g.merged()
	switch {
	case impl == generic || len(src) == 0 || f.Bits() > 8 || !asReference[T](p):
		portableQuantizeInt(dst, src, g, p, f)
	case f.Bits() == 6:
		quantizeIntSixes(impl, dst, src, g, p, f)
	case g.inBytes(f.Bits()):
		quantizeIntAsm(impl, f.storage(), unsafe.Pointer(&dst[0]), src, g, p)
	default:
		quantizeIntBetweenBytes(impl, dst, src, g, p, f)
	}
}

// QuantizeFloat writes codes of a float format:
//
//	dst = cast(clamp(x / s, -max, max))
//
// dst has Format.Bytes(len(src)) elements. A NaN becomes a NaN, in E2M1Packed 0.
func QuantizeFloat[C FloatCode, T Float](dst []C, src []T, g Grid, p *FloatParams) {
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
