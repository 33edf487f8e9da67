package kernels

import (
	"sync"
	"unsafe"

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

// candidates are the parameters of a call with fewer than a register holds.
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
func (c *errorCall) run(dst, src, weights []float32, groups int) {
	each, length := len(dst)/groups, len(src)/groups
	if each == 0 {
		return
	}
	step := groups
	if c.formula == fakePlain {
		step = max(1, fewZeroPoints/each)
	}
	if len(weights) == 0 && c.term == asm.WeightedPowers {
		step = min(step, sumChunk/length)
	}
	for first := 0; first < groups; first += step {
		k := min(step, groups-first)
		c.some(dst[first*each:][:k*each], src[first*length:][:k*length], part(weights, first*length, k*length), k, first*each)
	}
}

// part returns n numbers of x, or none of none.
func part(x []float32, at, n int) []float32 {
	if len(x) == 0 {
		return nil
	}
	return x[at:][:n]
}

// some is run for groups of which the first candidate has the parameters at first.
func (c *errorCall) some(dst, src, weights []float32, groups, first int) {
	lanes, each, n := errorLanes(c.impl), len(dst)/groups, len(src)/groups
	whole := each / lanes * lanes
	for l := 0; l < whole; l += lanes {
		i := first + l
		from := arguments{&c.scale[i], &c.scale[i], &noZeroPoints[0]}
		switch c.formula {
		case fakeZeroPoint:
			from.zeroPoint = &c.zeroPoint[i]
		case fakeMinval:
			from.minval = &c.minval[i]
		}
		c.call(&dst[l], from, src, weights, n, groups, 4*each)
	}
	if rest := each - whole; rest > 0 { // fewer than the register's
		var from candidates
		for g := range groups {
			i := first + g*each + whole
			copy(from.scale[:rest], c.scale[i:])
			switch c.formula {
			case fakeZeroPoint:
				copy(from.zeroPoint[:rest], c.zeroPoint[i:])
			case fakeMinval:
				copy(from.minval[:rest], c.minval[i:])
			}
			var few [mostLanes]float32
			c.call(&few[0], arguments{&from.scale[0], &from.minval[0], &from.zeroPoint[0]}, src[g*n:][:n], part(weights, g*n, n), n, 1, 0)
			copy(dst[g*each+whole:], few[:rest])
		}
	}
}

// noZeroPoints are those of groups with at most fewZeroPoints candidates all together, or of one group.
var noZeroPoints [fewZeroPoints + mostLanes]int32

const fewZeroPoints = 1024

// arguments are a call's parameters.
type arguments struct {
	scale, minval *float32
	zeroPoint     *int32
}

func (c *errorCall) call(sums *float32, from arguments, src, weights []float32, n, groups, stride int) {
	var w *float32
	switch {
	case len(weights) > 0:
		w = &weights[0]
	case c.term == asm.WeightedPowers:
		w = &ones()[0]
	}
	switch x := &src[0]; c.formula {
	case fakeMinval:
		asm.ErrorMinval(c.impl, c.term, sums, from.scale, from.minval, x, w, c.least, c.most, n, groups, stride)
	case fakeFloat:
		asm.ErrorFp(c.impl, c.term, sums, from.scale, x, w, c.field, c.step, c.largest, n, groups, stride)
	default:
		asm.ErrorInt(c.impl, c.term, sums, from.scale, from.zeroPoint, x, w, c.least, c.most, n, groups, stride)
	}
}

func newErrorCall(impl isa, weights []float32, n Norm) errorCall {
	return errorCall{impl: impl, term: termOf(weights, n)}
}

func termOf(weights []float32, n Norm) asm.Term {
	switch {
	case n == Norm2Half:
		return asm.WeightedPowers
	case len(weights) > 0:
		return asm.WeightedSquares
	}
	return asm.Squares
}

func errorIntAsm(impl isa, dst, src, weights []float32, groups int, p *IntParams, n Norm) {
	c := newErrorCall(impl, weights, n)
	c.scale, c.zeroPoint, c.minval, c.least, c.most = p.Scale, p.ZeroPoint, p.Minval, int32(p.Min), int32(p.Max)
	switch {
	case p.ZeroPoint != nil:
		c.formula = fakeZeroPoint
	case p.Minval != nil:
		c.formula, c.least, c.most = fakeMinval, 0, int32(p.Max-p.Min)
	}
	c.run(dst, src, weights, groups)
	c.divided(dst, src, weights, groups, fakeQuantizer{ints: p}, n)
}

func errorFloatAsm(impl isa, dst, src, weights []float32, groups int, p *FloatParams, n Norm) {
	c := newErrorCall(impl, weights, n)
	f := &formats[p.Format]
	c.formula, c.scale, c.field, c.step, c.largest = fakeFloat, p.Scale, f.field, f.step, f.largest
	c.run(dst, src, weights, groups)
	c.divided(dst, src, weights, groups, fakeQuantizer{floats: p}, n)
}

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

// divided replaces the errors that are NaN by those of the portable code.
func (c *errorCall) divided(dst, src, weights []float32, groups int, f fakeQuantizer, n Norm) {
	if len(dst) == 0 {
		return
	}
	var most float32
	if asm.AbsMax[float32](c.impl, asm.F32, unsafe.Pointer(&dst[0]), &most, 1, len(dst)); most == most {
		return
	}
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
