package kernels

import "unsafe"

// QuantizeInt writes integer codes:
//
//	dst = clamp(round((x - fo) / s) + qo, Min, Max), or 0 for NaN
//
// Min..Max must be a range that C can hold.
func QuantizeInt[C Code, T Float](dst []C, src []T, g Grid, p IntParams) {
	const kernel = "QuantizeInt"
	g.check(kernel, "src", len(src))
	checkLen(kernel, "dst", len(dst), len(src))
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	p.check(kernel, g.Groups)
	checkFits[C](kernel, p.Min, p.Max)
	quantizeInt(current(), dst, src, g, p)
}

func quantizeInt[C Code, T Float](impl isa, dst []C, src []T, g Grid, p IntParams) {
	g = g.merged()
	if impl == generic || len(src) == 0 {
		portableQuantizeInt(dst, src, g, p)
	} else {
		quantizeIntAsm(impl, storageOf[C](), unsafe.Pointer(&dst[0]), src, g, &p)
	}
}

// QuantizeIntPacked is QuantizeInt with codes packed as f says, in the same pass:
// dst has f.Bytes(len(src)) bytes, and Min..Max must be a range that f can hold.
// Groups need not begin at a byte, but those that do are faster.
func QuantizeIntPacked[T Float](dst []byte, src []T, g Grid, p IntParams, f Packing) {
	const kernel = "QuantizeIntPacked"
	g.check(kernel, "src", len(src))
	checkLen(kernel, "dst", len(dst), f.Bytes(len(src)))
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	p.check(kernel, g.Groups)
	f.check(kernel, p.Min, p.Max)
	quantizeIntPacked(current(), dst, src, g, p, f)
}

func quantizeIntPacked[T Float](impl isa, dst []byte, src []T, g Grid, p IntParams, f Packing) {
	g = g.merged()
	switch {
	case impl == generic || len(src) == 0:
		portableQuantizeIntPacked(dst, src, g, p, f)
	case g.inBytes(f.bits()):
		quantizeIntAsm(impl, f.storage(), unsafe.Pointer(&dst[0]), src, g, &p)
	default:
		quantizeIntBetweenBytes(impl, dst, src, g, p, f)
	}
}

// QuantizeFloat writes codes of a small float format:
//
//	dst = cast(clamp(x / s, -max, max))
//
// dst has Format.Bytes(len(src)) bytes. A NaN becomes a NaN, in E2M1Packed 0.
func QuantizeFloat[T Float](dst []byte, src []T, g Grid, p FloatParams) {
	const kernel = "QuantizeFloat"
	g.check(kernel, "src", len(src))
	p.check(kernel, g.Groups)
	checkLen(kernel, "dst", len(dst), p.Format.Bytes(len(src)))
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	quantizeFloat(current(), dst, src, g, p)
}

func quantizeFloat[T Float](impl isa, dst []byte, src []T, g Grid, p FloatParams) {
	g = g.merged()
	if impl == generic || len(src) == 0 || !g.inBytes(p.Format.bits()) {
		portableQuantizeFloat(dst, src, g, p)
	} else {
		quantizeFloatAsm(impl, dst, src, g, p)
	}
}
