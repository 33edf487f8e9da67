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

// ErrorInt writes what fake-quantizing would cost each group, over all rows:
//
//	e = FakeQuantizeInt(x) - x
//	dst = sum of w*(e*e), or of w*((e*e)*sqrt(|e|))
//
// in float32, each operation rounded by itself. The sum has one order on every
// implementation: within a group the elements come in the order of src, in chunks
// of 4096; element i of a chunk is added to lane i%16 of 16 float32, then lane j+8
// to lane j, and so on down to one lane; the chunks are added in float64.
//
// Weights repeat: element i of src has weights[i%len(weights)], so that one weight
// per column serves a matrix of any number of rows. Nil stands for ones. len(src)
// must be a multiple of len(weights).
func ErrorInt(dst []float64, src, weights []float32, g Grid, p *IntParams, n Norm) {
	checkError("ErrorInt", dst, src, weights, g, n)
	errorOf(dst, src, weights, g, fakeQuantizer{ints: p}, n)
}

// ErrorFloat is ErrorInt for a small float format: e = FakeQuantizeFloat(x) - x.
func ErrorFloat(dst []float64, src, weights []float32, g Grid, p *FloatParams, n Norm) {
	checkError("ErrorFloat", dst, src, weights, g, n)
	errorOf(dst, src, weights, g, fakeQuantizer{floats: p}, n)
}

func checkError(kernel string, dst []float64, src, weights []float32, g Grid, n Norm) {
	g.check(kernel, "src", len(src))
	checkLen(kernel, "dst", len(dst), g.Groups)
	if len(weights) > 0 && len(src)%len(weights) != 0 {
		fail(kernel, "len(src)=%d, want a multiple of len(weights)=%d", len(src), len(weights))
	}
	if n > Norm2Half {
		fail(kernel, "there is no norm %d", n)
	}
}

// fakeQuantizer is one of the two.
type fakeQuantizer struct {
	ints   *IntParams
	floats *FloatParams
}

// run fake-quantizes groups of adjacent elements, from the first on.
func (f fakeQuantizer) run(y, x []float32, first int, g Grid) {
	if f.ints != nil {
		part := f.ints.part(first, g.Groups)
		FakeQuantizeInt(y, NoMask, x, g, &part)
	} else {
		part := f.floats.part(first, g.Groups)
		FakeQuantizeFloat(y, NoMask, x, g, &part)
	}
}

func errorOf(dst []float64, src, weights []float32, g Grid, f fakeQuantizer, n Norm) {
	var y [sumChunk]float32
	if g.Rows == 1 && g.Len <= len(y) && g.Len > 0 { // several groups at a time
		most := len(y) / g.Len
		for first := 0; first < g.Groups; first += most {
			groups := min(most, g.Groups-first)
			x := src[first*g.Len:][:groups*g.Len]
			f.run(y[:len(x)], x, first, Grid{Rows: 1, Groups: groups, Len: g.Len})
			elementErrors(y[:len(x)], x, weights, first*g.Len, n)
			for i := range groups {
				var s orderedSum
				s.add(y[i*g.Len:][:g.Len])
				dst[first+i] = s.sum()
			}
		}
		return
	}
	for group := range g.Groups {
		var s orderedSum
		for row := range g.Rows {
			at := (row*g.Groups + group) * g.Len
			for end := at + g.Len; at < end; at += len(y) {
				x := src[at:min(at+len(y), end)]
				f.run(y[:len(x)], x, group, Grid{Rows: 1, Groups: 1, Len: len(x)})
				elementErrors(y[:len(x)], x, weights, at, n)
				s.add(y[:len(x)])
			}
		}
		dst[group] = s.sum()
	}
}

// elementErrors makes of the fake-quantized elements from element at on their errors.
func elementErrors(y, x, weights []float32, at int, n Norm) {
	x = x[:len(y)]
	if n == Norm2 {
		for i, v := range y {
			e := v - x[i]
			y[i] = e * e
		}
	} else {
		for i, v := range y {
			e := v - x[i]
			y[i] = float32(e*e) * float32(math.Sqrt(math.Abs(float64(e))))
		}
	}
	if len(weights) == 0 {
		return
	}
	at %= len(weights)
	for i := range y {
		y[i] *= weights[at]
		if at++; at == len(weights) {
			at = 0
		}
	}
}
