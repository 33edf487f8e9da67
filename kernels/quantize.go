package kernels

// QuantizeInt writes integer codes:
//
//	dst = clamp(round((x - fo) / s) + qo, Min, Max), or 0 for NaN
//
// Min..Max must be a range that C can hold.
func QuantizeInt[C Code, T Float](dst []C, src []T, g Grid, p Int) {
	const kernel = "QuantizeInt"
	g.check(kernel, "src", len(src))
	checkLen(kernel, "dst", len(dst), len(src))
	checkCodes[C](kernel, p, g.Groups)
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	quantizeInt(current(), dst, src, g, p)
}

func quantizeInt[C Code, T Float](impl isa, dst []C, src []T, g Grid, p Int) {
	g = g.merged()
	if impl == generic || len(src) == 0 {
		portableQuantizeInt(dst, src, g, p)
	} else {
		quantizeIntAsm(impl, dst, src, g, p)
	}
}

// QuantizeFp writes codes of a small float format:
//
//	dst = cast(clamp(x / s, -max, max))
//
// dst has Format.Bytes(len(src)) bytes. A NaN becomes a NaN, in E2M1Packed 0.
func QuantizeFp[T Float](dst []byte, src []T, g Grid, p Fp) {
	const kernel = "QuantizeFp"
	g.check(kernel, "src", len(src))
	p.check(kernel, g.Groups)
	checkLen(kernel, "dst", len(dst), p.Format.Bytes(len(src)))
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	quantizeFp(current(), dst, src, g, p)
}

func quantizeFp[T Float](impl isa, dst []byte, src []T, g Grid, p Fp) {
	g = g.merged()
	if impl == generic || len(src) == 0 || !p.Format.aligned(g) {
		portableQuantizeFp(dst, src, g, p)
	} else {
		quantizeFpAsm(impl, dst, src, g, p)
	}
}
