package kernels

import "unsafe"

// ChooseInt writes the parameters of groups with the ranges low[i]..high[i],
// for tensors of T. A NaN in either end is a NaN in the group.
func ChooseInt[T Float](r *IntRule, low, high []float32) {
	if _, ok := atOnce(len(low)); ok && len(low) == 1 && len(high) == 1 && r.small(r.Format) &&
		r.clear(unsafe.Pointer(&low[0]), 4) && r.clear(unsafe.Pointer(&high[0]), 4) {
		portableChooseInt[T](r, low, high)
		return
	}
	const kernel = "ChooseInt"
	r.check(kernel, len(low))
	checkLen(kernel, "high", len(high), len(low))
	r.apart(kernel, memory("low", low), memory("high", high))
	chooseInt[T](current(), r, low, high)
}

func chooseInt[T Float](impl isa, r *IntRule, low, high []float32) {
	if impl == generic || len(low) <= 1 { // assembly takes longer for one group
		portableChooseInt[T](r, low, high)
	} else {
		chooseIntAsm[T](impl, r, low, high)
	}
}

// ChooseFloat writes the scales of groups with the ranges low[i]..high[i], for
// tensors of T. A NaN in either end is a NaN in the group.
func ChooseFloat[T Float](r *FloatRule, low, high []float32) {
	const kernel = "ChooseFloat"
	r.check(kernel, len(low))
	checkLen(kernel, "high", len(high), len(low))
	r.apart(kernel, memory("low", low), memory("high", high))
	chooseFloat[T](current(), r, low, high)
}

func chooseFloat[T Float](impl isa, r *FloatRule, low, high []float32) {
	if impl == generic || len(low) == 0 {
		portableChooseFloat[T](r, low, high)
	} else {
		chooseFloatAsm[T](impl, r, low, high)
	}
}

// ObserveInt writes the parameters of each group, over all rows: it is MinMax
// and ChooseInt in one. It panics if there are groups without elements.
func ObserveInt[T Float](src []T, g Grid, r *IntRule) {
	f := r.Format
	if f == 0 { // one that any rule may be for
		f = Int16
	}
	if impl, ok := atOnce(len(src)); ok && g.isVector(len(src)) && r.small(f) &&
		r.clear(unsafe.Pointer(unsafe.SliceData(src)), len(src)*int(unsafe.Sizeof(*new(T)))) {
		observeGroup(impl, src, r)
		return
	}
	observeIntLong(src, g, r)
}

// observeIntLong is ObserveInt the long way.
func observeIntLong[T Float](src []T, g Grid, r *IntRule) {
	const kernel = "ObserveInt"
	g.checkObserved(kernel, len(src))
	r.check(kernel, g.Groups)
	r.apart(kernel, memory("src", src))
	observeInt(current(), src, g, r)
}

func observeInt[T Float](impl isa, src []T, g Grid, r *IntRule) {
	g = g.merged()
	switch {
	case len(src) == 0:
	case impl == generic:
		portableObserveInt(src, g, r)
	default:
		observeIntAsm(impl, src, g, r)
	}
}

// ObserveFloat writes the scale of each group, over all rows: it is MinMax and
// ChooseFloat in one. It panics if there are groups without elements.
func ObserveFloat[T Float](src []T, g Grid, r *FloatRule) {
	const kernel = "ObserveFloat"
	g.checkObserved(kernel, len(src))
	r.check(kernel, g.Groups)
	r.apart(kernel, memory("src", src))
	observeFloat(current(), src, g, r)
}

func observeFloat[T Float](impl isa, src []T, g Grid, r *FloatRule) {
	g = g.merged()
	switch {
	case len(src) == 0:
	case impl == generic:
		portableObserveFloat(src, g, r)
	default:
		observeFloatAsm(impl, src, g, r)
	}
}

// checkObserved is check for a kernel that observes each group.
func (g Grid) checkObserved(kernel string, n int) {
	g.check(kernel, "src", n)
	if g.Groups > 0 && n == 0 {
		fail(kernel, "%+v has groups without elements", g)
	}
}
