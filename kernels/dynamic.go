package kernels

import "unsafe"

// DynamicInt observes each group and quantizes it: ObserveInt and QuantizeInt
// in one. Groups of adjacent elements are read from memory once: they are
// observed and quantized some at a time, while they are in a cache.
// Min..Max must be a range that C can hold.
func DynamicInt[C Code, T Float](dst []C, src []T, g Grid, r IntRule) {
	const kernel = "DynamicInt"
	g.checkObserved(kernel, len(src))
	checkLen(kernel, "dst", len(dst), len(src))
	r.check(kernel, g.Groups)
	checkFits[C](kernel, r.Min, r.Max)
	out, in := memory("dst", dst), memory("src", src)
	checkApart(kernel, out, in)
	r.apart(kernel, out, in)
	dynamicInt(current(), dst, src, g, r)
}

func dynamicInt[C Code, T Float](impl isa, dst []C, src []T, g Grid, r IntRule) {
	g = g.merged()
	if impl == generic || !g.adjacent() {
		observeInt(impl, src, g, r)
		quantizeInt(impl, dst, src, g, r.params(0, g.Groups))
	} else {
		dynamicIntAsm(impl, storageOf[C](), unsafe.Pointer(&dst[0]), src, g, r)
	}
}

// DynamicIntPacked is DynamicInt with codes packed as f says: dst has
// f.Bytes(len(src)) bytes, and Min..Max must be a range that f can hold.
func DynamicIntPacked[T Float](dst []byte, src []T, g Grid, r IntRule, f Packing) {
	const kernel = "DynamicIntPacked"
	g.checkObserved(kernel, len(src))
	r.check(kernel, g.Groups)
	f.check(kernel, r.Min, r.Max)
	checkLen(kernel, "dst", len(dst), f.Bytes(len(src)))
	out, in := memory("dst", dst), memory("src", src)
	checkApart(kernel, out, in)
	r.apart(kernel, out, in)
	dynamicIntPacked(current(), dst, src, g, r, f)
}

func dynamicIntPacked[T Float](impl isa, dst []byte, src []T, g Grid, r IntRule, f Packing) {
	g = g.merged()
	if impl == generic || !g.adjacent() || !g.inBytes(f.bits()) {
		observeInt(impl, src, g, r)
		quantizeIntPacked(impl, dst, src, g, r.params(0, g.Groups), f)
	} else {
		dynamicIntAsm(impl, f.storage(), unsafe.Pointer(&dst[0]), src, g, r)
	}
}

// DynamicFloat observes each group and quantizes it: ObserveFloat and QuantizeFloat in
// one. Groups of adjacent elements are read from memory once, as by DynamicInt.
// dst has Format.Bytes(len(src)) bytes.
func DynamicFloat[T Float](dst []byte, src []T, g Grid, r FloatRule) {
	const kernel = "DynamicFloat"
	g.checkObserved(kernel, len(src))
	r.check(kernel, g.Groups)
	checkLen(kernel, "dst", len(dst), r.Format.Bytes(len(src)))
	out, in, scale := memory("dst", dst), memory("src", src), memory("Scale", r.Scale)
	checkApart(kernel, out, in)
	checkApart(kernel, out, scale)
	checkApart(kernel, scale, in)
	dynamicFloat(current(), dst, src, g, r)
}

func dynamicFloat[T Float](impl isa, dst []byte, src []T, g Grid, r FloatRule) {
	g = g.merged()
	if impl == generic || !g.adjacent() || !g.inBytes(r.Format.bits()) {
		observeFloat(impl, src, g, r)
		quantizeFloat(impl, dst, src, g, r.params(0, g.Groups))
	} else {
		dynamicFloatAsm(impl, dst, src, g, r)
	}
}

// adjacent reports whether the grid has groups of more than one element, each in one place.
func (g Grid) adjacent() bool { return g.Rows == 1 && g.Groups > 0 && g.Len > 1 }
