package kernels

import "unsafe"

// DequantizeInt writes the values of integer codes:
//
//	dst = (q - qo)*s + fo
//
// A code outside Min..Max is no error. Min..Max must be a range that C can hold.
func DequantizeInt[T Float, C Code](dst []T, src []C, g Grid, p IntParams) {
	const kernel = "DequantizeInt"
	g.check(kernel, "src", len(src))
	checkLen(kernel, "dst", len(dst), len(src))
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	p.check(kernel, g.Groups)
	checkFits[C](kernel, p.Min, p.Max)
	dequantizeInt(current(), dst, src, g, p)
}

func dequantizeInt[T Float, C Code](impl isa, dst []T, src []C, g Grid, p IntParams) {
	g = g.merged()
	if impl == generic || len(dst) == 0 {
		portableDequantizeInt(dst, src, g, p)
	} else {
		dequantizeIntAsm(impl, storageOf[C](), dst, unsafe.Pointer(&src[0]), g, p)
	}
}

// DequantizeIntPacked is DequantizeInt with codes packed as f says, in the same
// pass: src has f.Bytes(len(dst)) bytes, and Min..Max must be a range that f can
// hold. Groups need not begin at a byte, but those that do are faster.
func DequantizeIntPacked[T Float](dst []T, src []byte, g Grid, p IntParams, f Packing) {
	const kernel = "DequantizeIntPacked"
	g.check(kernel, "dst", len(dst))
	checkLen(kernel, "src", len(src), f.Bytes(len(dst)))
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	p.check(kernel, g.Groups)
	f.check(kernel, p.Min, p.Max)
	dequantizeIntPacked(current(), dst, src, g, p, f)
}

func dequantizeIntPacked[T Float](impl isa, dst []T, src []byte, g Grid, p IntParams, f Packing) {
	g = g.merged()
	switch {
	case impl == generic || len(dst) == 0:
		portableDequantizeIntPacked(dst, src, g, p, f)
	case g.inBytes(f.bits()):
		dequantizeIntAsm(impl, f.storage(), dst, unsafe.Pointer(&src[0]), g, p)
	default:
		dequantizeIntBetweenBytes(impl, dst, src, g, p, f)
	}
}

// DequantizeFloat writes the values of codes of a small float format:
//
//	dst = q*s
//
// src has Format.Bytes(len(dst)) bytes.
func DequantizeFloat[T Float](dst []T, src []byte, g Grid, p FloatParams) {
	const kernel = "DequantizeFloat"
	g.check(kernel, "dst", len(dst))
	p.check(kernel, g.Groups)
	checkLen(kernel, "src", len(src), p.Format.Bytes(len(dst)))
	out := memory("dst", dst)
	checkApart(kernel, out, memory("src", src))
	p.apart(kernel, out)
	dequantizeFloat(current(), dst, src, g, p)
}

func dequantizeFloat[T Float](impl isa, dst []T, src []byte, g Grid, p FloatParams) {
	g = g.merged()
	if impl == generic || len(dst) == 0 || !g.inBytes(p.Format.bits()) {
		portableDequantizeFloat(dst, src, g, p)
	} else {
		dequantizeFloatAsm(impl, dst, src, g, p)
	}
}
