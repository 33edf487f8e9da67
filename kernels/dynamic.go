package kernels

import "unsafe"

// DynamicInt observes each group and quantizes it: ObserveInt and QuantizeInt
// in one. Groups of adjacent elements are read from memory once: they are
// observed and quantized some at a time, while they are in a cache. dst is as
// QuantizeInt's.
func DynamicInt[C IntCode, T Float](dst []C, src []T, g Grid, r *IntRule) {
	f, own := r.Format, ownFormat[C]()
	if f == 0 {
		f = own
	}
	if impl, ok := atOnce(len(src)); ok && g.isVector(len(src)) && (f == own || own == Uint8) && r.small(f) {
		out, n := unsafe.Pointer(unsafe.SliceData(dst)), len(dst)*int(unsafe.Sizeof(*new(C)))
		in, m := unsafe.Pointer(unsafe.SliceData(src)), len(src)*int(unsafe.Sizeof(*new(T)))
		if n == (len(src)*formats[f].bits+7)/8 && apart(dst, src) && r.clear(out, n) && r.clear(in, m) {
			observeGroup(impl, src, r)
			var p IntParams // not r's params, which are made elsewhere and then copied, before their words are there to be read two at a time
			p.Format, p.Min, p.Max, p.Scale = f, r.Min, r.Max, r.Scale
			if r.ByMinval {
				p.Minval = r.Minval
			} else if r.Asymmetric || r.middle() != 0 {
				p.ZeroPoint = r.ZeroPoint
			}
			QuantizeInt(dst, src, g, &p)
			return
		}
	}
	dynamicIntLong(dst, src, g, r)
}

// dynamicIntLong is DynamicInt the long way.
func dynamicIntLong[C IntCode, T Float](dst []C, src []T, g Grid, r *IntRule) {
	const kernel = "DynamicInt"
	g.checkObserved(kernel, len(src))
	r.check(kernel, g.Groups)
	f := intFormat[C](kernel, r.Format, r.Min, r.Max)
	checkLen(kernel, "dst", len(dst), codesIn[C](f, len(src)))
	out, in := memory("dst", dst), memory("src", src)
	checkApart(kernel, out, in)
	r.apart(kernel, out, in)
	dynamicInt(current(), bytesOf(dst), src, g, r, f)
	inOrder(dst)
}

func dynamicInt[T Float](impl isa, dst []byte, src []T, g Grid, r *IntRule, f Format) {
	g = g.merged()
	bits := f.Bits()
	if impl == generic || !g.adjacent() || !g.inBytes(bits) || bits == 6 || bits > 8 || r.Dialect != Reference {
		observeInt(impl, src, g, r)
		p := r.params(0, g.Groups)
		if bits > 8 {
			quantizeWide(impl, dst, src, g, &p, f)
		} else {
			quantizeInt(impl, dst, src, g, &p, f)
		}
	} else {
		dynamicIntAsm(impl, f.storage(), unsafe.Pointer(&dst[0]), src, g, r)
	}
}

// DynamicFloat observes each group and quantizes it: ObserveFloat and
// QuantizeFloat in one. Groups of adjacent elements are read from memory once, as
// by DynamicInt. dst has Format.Bytes(len(src)) elements.
func DynamicFloat[C FloatCode, T Float](dst []C, src []T, g Grid, r *FloatRule) {
	const kernel = "DynamicFloat"
	g.checkObserved(kernel, len(src))
	r.check(kernel, g.Groups)
	checkFloatCodes[C](kernel, r.Format)
	checkLen(kernel, "dst", len(dst), r.Format.Bytes(len(src)))
	out, in := memory("dst", dst), memory("src", src)
	checkApart(kernel, out, in)
	r.apart(kernel, out, in)
	dynamicFloat(current(), bytesOf(dst), src, g, r)
}

func dynamicFloat[T Float](impl isa, dst []byte, src []T, g Grid, r *FloatRule) {
	g = g.merged()
	switch {
	case impl == generic || !g.adjacent() || !g.inBytes(r.Format.Bits()):
		observeFloat(impl, src, g, r)
		p := r.params(0, g.Groups)
		quantizeFloat(impl, dst, src, g, &p)
	case r.Format.isSix() || r.Dialect != Reference && !r.multipliesAlone():
		dynamicFloatBy(impl, dst, src, g, r)
	default:
		dynamicFloatAsm(impl, dst, src, g, r)
	}
}

// adjacent reports whether the grid has groups of more than one element, each in one place.
func (g Grid) adjacent() bool { return g.Rows == 1 && g.Groups > 0 && g.Len > 1 }
