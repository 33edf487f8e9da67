package kernels

import (
	"sync"

	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/asm"
)

// errorLanes is how many candidates one call of assembly takes: a register's.
func errorLanes(impl isa) int {
	switch impl {
	case avx2:
		return 8
	case neon:
		return 4
	}
	return mostLanes
}

const mostLanes = 16

// errorCall is what all calls of assembly of one kernel have in common.
type errorCall struct {
	impl      isa
	term      asm.Term
	formula   fakeFormula
	scale     []float32
	zeroPoint []int32
	minval    []float32

	least, most int32
	field, step int32
	largest     float32
}

// candidates are the parameters of a call with fewer than a register holds, and the zero points where there are none.
type candidates struct {
	scale, minval [mostLanes]float32
	zeroPoint     [mostLanes]int32
}

// ones are the weights of a chunk that has none.
var ones = sync.OnceValue(func() *[sumChunk]float32 {
	var w [sumChunk]float32
	for i := range w {
		w[i] = 1
	}
	return &w
})

// run writes the errors of groups, and NaN for those that must be computed by division.
func (c *errorCall) run(dst []float64, src, weights []float32, groups int) {
	lanes, each, length := errorLanes(c.impl), len(dst)/groups, len(src)/groups
	var from candidates
	var w *float32
	if c.term == asm.WeightedPowers {
		w = &ones()[0]
	}
	for i := 0; i < len(dst); {
		group := i / each
		n := min(lanes, (group+1)*each-i)
		scale, zeroPoint, minval := &c.scale[i], &from.zeroPoint[0], &from.minval[0]
		if n < lanes { // fewer than the register's
			copy(from.scale[:n], c.scale[i:])
			scale = &from.scale[0]
		}
		switch {
		case c.formula == fakeZeroPoint && n < lanes:
			copy(from.zeroPoint[:n], c.zeroPoint[i:])
		case c.formula == fakeZeroPoint:
			zeroPoint = &c.zeroPoint[i]
		case c.formula == fakeMinval && n < lanes:
			copy(from.minval[:n], c.minval[i:])
		case c.formula == fakeMinval:
			minval = &c.minval[i]
		}
		out := dst[i:][:n]
		clear(out)
		for at := group * length; at < (group+1)*length; at += sumChunk {
			var sums [mostLanes]float32
			if len(weights) > 0 {
				w = &weights[at]
			}
			c.call(&sums[0], scale, zeroPoint, minval, &src[at], w, min(sumChunk, (group+1)*length-at))
			for j := range out {
				out[j] += float64(sums[j])
			}
		}
		i += n
	}
}

func (c *errorCall) call(sums, scale *float32, zeroPoint *int32, minval, x, w *float32, n int) {
	switch c.formula {
	case fakeMinval:
		asm.ErrorMinval(c.impl, c.term, sums, scale, minval, x, w, c.least, c.most, n)
	case fakeFloat:
		asm.ErrorFp(c.impl, c.term, sums, scale, x, w, c.field, c.step, c.largest, n)
	default:
		asm.ErrorInt(c.impl, c.term, sums, scale, zeroPoint, x, w, c.least, c.most, n)
	}
}

func newErrorCall(impl isa, weights []float32, n Norm) errorCall {
	c := errorCall{impl: impl}
	switch {
	case n == Norm2Half:
		c.term = asm.WeightedPowers
	case len(weights) > 0:
		c.term = asm.WeightedSquares
	}
	return c
}

func errorIntAsm(impl isa, dst []float64, src, weights []float32, groups int, p *IntParams, n Norm) {
	c := newErrorCall(impl, weights, n)
	c.scale, c.zeroPoint, c.minval, c.least, c.most = p.Scale, p.ZeroPoint, p.Minval, int32(p.Min), int32(p.Max)
	switch {
	case p.ZeroPoint != nil:
		c.formula = fakeZeroPoint
	case p.Minval != nil:
		c.formula, c.least, c.most = fakeMinval, 0, int32(p.Max-p.Min)
	}
	c.run(dst, src, weights, groups)
	divided(dst, src, weights, groups, fakeQuantizer{ints: p}, n)
}

func errorFloatAsm(impl isa, dst []float64, src, weights []float32, groups int, p *FloatParams, n Norm) {
	c := newErrorCall(impl, weights, n)
	f := &formats[p.Format]
	c.formula, c.scale, c.field, c.step, c.largest = fakeFloat, p.Scale, f.field, f.step, f.largest
	c.run(dst, src, weights, groups)
	divided(dst, src, weights, groups, fakeQuantizer{floats: p}, n)
}

// codedPiece is how many elements become codes and values again at a time.
const codedPiece = 1024

// scalesOfE4M3FN reports whether these are NVFP4's scales, and none is so small or large that its factor is not a normal number.
func (p *FloatParams) scalesOfE4M3FN() bool {
	if p.Scales != ScaleE4M3FN && p.Scales != ScaleE4M3FNGlobal || p.Factor != nil {
		return false
	}
	if p.Scales == ScaleE4M3FNGlobal && !(p.Global >= 0x1p-100 && p.Global <= 0x1p100) {
		return false
	}
	for _, s := range p.Scale {
		if !(s >= fp8.E4M3FNSmallestSubnormal && s <= fp8.E4M3FNMax) {
			return false
		}
	}
	return true
}

// errorFloatBy is for such scales. Where elements are divided by what the values of codes are multiplied with, all is as the reference does it with
// that number for the scale. Where they are multiplied with another number, elements become codes, and codes values.
func errorFloatBy(impl isa, dst []float64, src, weights []float32, groups int, p *FloatParams, n Norm) {
	m := p.method()
	each, length := len(dst)/groups, len(src)/groups
	step := codedPiece / length
	if !m.multiplies() {
		step = someGroups / each
	}
	for first := 0; first < groups; first += step {
		k := min(step, groups-first)
		errs, x, w := dst[first*each:][:k*each], src[first*length:][:k*length], weights
		if len(w) > 0 {
			w = w[first*length:][:k*length]
		}
		part := p.part(first*each, k*each)
		if m.multiplies() {
			errorsByCodes(impl, errs, x, w, k, &part, n)
			continue
		}
		var scale [someGroups]float32
		for i, s := range part.Scale {
			scale[i] = m.valueScale(s)
		}
		errorFloatAsm(impl, errs, x, w, k, &FloatParams{Format: E2M1, Scale: scale[:k*each]}, n)
	}
}

// errorsByCodes is errorFloatBy for groups of codedPiece elements at most, all together.
func errorsByCodes(impl isa, dst []float64, src, weights []float32, groups int, p *FloatParams, n Norm) {
	var buf, scale [codedPiece]float32
	var codes [codedPiece]byte
	each, length := len(dst)/groups, len(src)/groups
	g, one := Grid{Rows: 1, Groups: groups, Len: length}, *p
	one.Format, one.Scale = E2M1, scale[:groups]
	y := buf[:len(src)]
	for c := range each {
		for i := range one.Scale {
			one.Scale[i] = p.Scale[i*each+c]
		}
		quantizeFloat(impl, codes[:len(src)], src, g, &one)
		dequantizeFloat(impl, y, codes[:len(src)], g, &one)
		errorTerms(y, src, weights, n)
		for i := range groups {
			var s orderedSum
			s.add(y[i*length:][:length])
			dst[i*each+c] = s.sum()
		}
	}
}

// divided replaces the errors that are NaN by those of the portable code.
func divided(dst []float64, src, weights []float32, groups int, f fakeQuantizer, n Norm) {
	for i, e := range dst {
		if e != e {
			group, length := i/(len(dst)/groups), len(src)/groups
			x, w := src[group*length:][:length], weights
			if len(w) > 0 {
				w = w[group*length:][:length]
			}
			dst[i] = f.error(x, w, i, n)
		}
	}
}
