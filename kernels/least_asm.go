package kernels

import (
	"math"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// leastIntAsm takes the candidates of someGroups columns at a time, and of these a register's.
func leastIntAsm(impl isa, b *Best, src, weights []float32, p *IntParams, n Norm) {
	term, w := termsOf(weights, n)
	before := b.begin()
	for first := 0; first < len(p.Scale); first += someGroups {
		candidates := min(someGroups, len(p.Scale)-first) / Columns
		for l := 0; l < Columns; l += errorLanes(impl) {
			zeroPoint := &noZeroPoints[0]
			if p.ZeroPoint != nil {
				zeroPoint = &p.ZeroPoint[first+l]
			}
			asm.LeastInt(impl, term, &b.Error[l], &p.Scale[first+l], zeroPoint, &src[l], firstOf(w, l), int32(p.Min), int32(p.Max), 4*len(src), candidates)
		}
	}
	b.divided(&before, src, weights, len(p.Scale), fakeQuantizer{ints: p}, n)
}

// leastFloatAsm is leastIntAsm for floats. Where elements are divided by what the values of codes are multiplied with, all is as the reference does it
// with that number for the scale; else they are multiplied with another one.
func leastFloatAsm(impl isa, b *Best, src, weights []float32, p *FloatParams, n Norm, e4m3, product bool) {
	m, d := p.method(), &formats[p.Format]
	term, w := termsOf(weights, n)
	inverse := float32(1)
	if p.Scales == ScaleE4M3FNGlobal {
		inverse = 1 / p.Global
	}
	before := b.begin()
	var values, factor [someGroups]float32
	for first := 0; first < len(p.Scale); first += someGroups {
		scale := p.Scale[first:min(len(p.Scale), first+someGroups)]
		candidates := len(scale) / Columns
		if e4m3 {
			for i, s := range scale {
				values[i], factor[i] = m.valueScale(s), inverse/s
			}
			scale = values[:len(scale)]
		}
		for l := 0; l < Columns; l += errorLanes(impl) {
			if product {
				asm.LeastFpProduct(impl, term, &b.Error[l], &scale[l], &factor[l], &src[l], firstOf(w, l), d.field, d.step, d.largest, 4*len(src), candidates)
			} else {
				asm.LeastFp(impl, term, &b.Error[l], &scale[l], &src[l], firstOf(w, l), d.field, d.step, d.largest, 4*len(src), candidates)
			}
		}
	}
	b.divided(&before, src, weights, len(p.Scale), fakeQuantizer{floats: p}, n)
}

// termsOf returns what is summed, and the weights: ones, if it needs some, of at most a chunk.
func termsOf(weights []float32, n Norm) (asm.Term, []float32) {
	if n == Norm2Half && len(weights) == 0 {
		weights = ones()[:]
	}
	return termOf(weights, n), weights
}

// firstOf returns where numbers from one on are, nil for none.
func firstOf(x []float32, at int) *float32 {
	if len(x) == 0 {
		return nil
	}
	return &x[at]
}

// begin makes ready for generated code, in which a least error is a number, and returns what was before.
func (b *Best) begin() (before Best) {
	before = *b
	for g, e := range b.Error {
		if b.next[g] == 0 {
			b.Error[g], e = float32(math.Inf(1)), 0
		}
		if b.check[g] = 0; e != e {
			b.check[g] = e
		}
	}
	return before
}

// divided does again what had an error that is NaN, by the portable code.
func (b *Best) divided(before *Best, src, weights []float32, candidates int, f fakeQuantizer, n Norm) {
	for g, check := range b.check {
		if check != check {
			b.Error[g], b.Candidate[g], b.next[g] = before.Error[g], before.Candidate[g], before.next[g]
			b.column(g, src, weights, candidates, f, n)
		}
	}
}

// fourColumns puts four times as many elements of four groups as there are side by side.
func fourColumns(impl isa, dst []float32, x *[4][]float32) {
	asm.FourColumns(impl, &dst[0], &x[0][0], &x[1][0], &x[2][0], &x[3][0], len(x[0])/4)
}
