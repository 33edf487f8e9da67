package kernels

import "math"

// Norm is how the error of a group follows from its elements' errors.
type Norm uint8

// The norms.
const (
	// Norm2 is the sum of e*e.
	Norm2 Norm = iota

	// Norm2Half is the sum of (e*e)*sqrt(|e|), the power 2.5. Large errors count for
	// more, and every operation is one of IEEE.
	Norm2Half
)

// ErrorInt writes what fake-quantizing groups would cost with each of several
// candidates for their parameters:
//
//	e = FakeQuantizeInt(x) - x
//	dst = sum of w*(e*e), or of w*((e*e)*sqrt(|e|))
//
// in float32, each operation rounded by itself. src is that many adjacent groups of
// the same length. dst, and p likewise, has as many numbers for each group: first
// those of the first group's candidates.
//
// The sum has one order on every implementation: element i is added to lane i%16 of
// 16 float32, then lane j+8 to lane j, and so on down to one lane. A group has at
// most 4096 elements; the error of a longer one is the sum of those of its parts of
// 4096 elements, in order, as float64.
//
// Weights are one for each element of src; nil stands for ones.
func ErrorInt(dst, src, weights []float32, groups int, p *IntParams, n Norm) {
	const kernel = "ErrorInt"
	checkError(kernel, dst, src, weights, groups, n)
	p.check(kernel, len(dst))
	errorInt(current(), dst, src, weights, groups, p, n)
}

func errorInt(impl isa, dst, src, weights []float32, groups int, p *IntParams, n Norm) {
	if impl == generic || p.Dialect != Reference || len(src) == 0 {
		portableErrors(dst, src, weights, groups, fakeQuantizer{ints: p}, n)
	} else {
		errorIntAsm(impl, dst, src, weights, groups, p, n)
	}
}

// ErrorFloat is ErrorInt for a small float format: e = FakeQuantizeFloat(x) - x.
func ErrorFloat(dst, src, weights []float32, groups int, p *FloatParams, n Norm) {
	const kernel = "ErrorFloat"
	checkError(kernel, dst, src, weights, groups, n)
	p.check(kernel, len(dst))
	errorFloat(current(), dst, src, weights, groups, p, n)
}

func errorFloat(impl isa, dst, src, weights []float32, groups int, p *FloatParams, n Norm) {
	if impl == generic || len(src) == 0 || p.Dialect != Reference && !p.dividesByScales() {
		portableErrors(dst, src, weights, groups, fakeQuantizer{floats: p}, n)
	} else {
		errorFloatAsm(impl, dst, src, weights, groups, p, n)
	}
}

func checkError(kernel string, dst, src, weights []float32, groups int, n Norm) {
	switch {
	case groups < 0 || groups == 0 && len(dst)+len(src) > 0:
		fail(kernel, "groups=%d, want their number", groups)
	case groups > 0 && len(src)%groups != 0:
		fail(kernel, "len(src)=%d, want a multiple of groups=%d", len(src), groups)
	case groups > 0 && len(dst)%groups != 0:
		fail(kernel, "len(dst)=%d, want a multiple of groups=%d", len(dst), groups)
	case groups > 0 && len(src)/groups > sumChunk:
		fail(kernel, "groups of %d elements, want at most %d", len(src)/groups, sumChunk)
	case n > Norm2Half:
		fail(kernel, "there is no norm %d", n)
	}
	if len(weights) > 0 {
		checkLen(kernel, "weights", len(weights), len(src))
	}
}

// fakeQuantizer is one of the two.
type fakeQuantizer struct {
	ints   *IntParams
	floats *FloatParams
}

// run fake-quantizes elements of one group with the i-th parameters.
func (f fakeQuantizer) run(y, x []float32, i int) {
	g := Grid{Rows: 1, Groups: 1, Len: len(x)}
	if f.ints != nil {
		part := f.ints.part(i, 1)
		portableFakeQuantizeInt(y, NoMask, x, g, &part)
	} else {
		part := f.floats.part(i, 1)
		portableFakeQuantizeFloat(y, NoMask, x, g, &part)
	}
}

func portableErrors(dst, src, weights []float32, groups int, f fakeQuantizer, n Norm) {
	for i := range dst {
		group, length := i/(len(dst)/groups), len(src)/groups
		x, w := src[group*length:][:length], weights
		if len(w) > 0 {
			w = w[group*length:][:length]
		}
		dst[i] = f.error(x, w, i, n)
	}
}

// error is the error of a group with the i-th parameters.
func (f fakeQuantizer) error(x, weights []float32, i int, n Norm) float32 {
	var buf [pieceLen]float32
	var s orderedSum
	for len(x) > 0 {
		y := buf[:min(len(x), len(buf))]
		f.run(y, x[:len(y)], i)
		errorTerms(y, x, weights, n)
		if len(weights) > 0 {
			weights = weights[len(y):]
		}
		s.add(y)
		x = x[len(y):]
	}
	return float32(s.sum())
}

// errorTerms puts what the sum adds of each element in the place of what the element was fake-quantized to.
func errorTerms(y, x, weights []float32, n Norm) {
	for i, v := range y {
		e := v - x[i]
		y[i] = e * e
		if n == Norm2Half {
			y[i] *= float32(math.Sqrt(math.Abs(float64(e))))
		}
	}
	if len(weights) > 0 {
		for i := range y {
			y[i] *= weights[i]
		}
	}
}
