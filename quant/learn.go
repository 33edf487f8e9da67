package quant

import (
	"math"
	"slices"

	"github.com/lowbit-go/lowbit/kernels"
)

// ParamGradients are the gradients of a quantizer's parameters, one for each group. Their memory is used again if there is enough.
type ParamGradients struct {
	Scale     []float32
	ZeroPoint []float32 // integers only; of a zero point that is learned as a real number, and rounded
}

// BackwardParams is Backward that also gives the gradients of the scales and the zero points, for training them (LSQ): x is what went
// into FakeQuantize, with the parameters that the quantizer has now.
//
//	v = x / s        r = round(v) + z        inside = quant_min <= r <= quant_max
//	dx = dy * inside
//	Scale     = factor * sum of dy * ((r - z) - v  if inside, quant_min - z below, quant_max - z above)
//	ZeroPoint = factor * -s * sum of dy where r is not inside
//
// For a float format r is v rounded to it, and there are no zero points. The sums have one order (kernels.LearnInt), so that results
// are the same on every machine. factor is LearnFactor's, or 1.
//
// The MinVal formulation is an ErrSpec. Before any parameters it is an ErrNotObserved.
func (q *FakeQuantizer[T]) BackwardParams(dx *Tensor[T], grads *ParamGradients, dy, x Tensor[T], factor float32) error {
	switch {
	case q == nil:
		return missing("FakeQuantizer")
	case dx == nil:
		return missing("dx")
	case grads == nil:
		return missing("grads")
	}
	if q.format.minval {
		return specError("qformulation", q.spec.Formulation, "zp, as scales are to be learned")
	}
	if q.spec.Dialect != Reference {
		return specError("dialect", q.spec.Dialect, "null, as scales are to be learned")
	}
	if err := dy.check("dy"); err != nil {
		return err
	}
	if len(dy.Data) != len(x.Data) {
		return shapeError("len(dy)", len(dy.Data), "%d, as x has", len(x.Data))
	}
	p, err := q.begin(x)
	if err != nil {
		return err
	}
	defer q.end(p)
	switch {
	case !q.observer.observed:
		return q.notObserved()
	case q.undivided != nil:
		return q.undivided
	case p.tiling == nil:
		return &Error{ErrDisabled, q.label(), "passed unquantized", "a block size that divides its axis"}
	}
	if err := dx.apart(dy.Data); err != nil {
		return err
	}
	params := &q.observer.params
	t := p.tiling
	if len(params.Scale) != t.count {
		return shapeError("the groups' shape of "+q.label(), t.groups, "%s, that of the parameters", shapeString(params.Shape))
	}
	grads.Scale = grow(grads.Scale, t.count)
	grads.ZeroPoint = grads.ZeroPoint[:0]
	if !q.format.dtype.IsFloat() {
		grads.ZeroPoint = grow(grads.ZeroPoint, t.count)
	}
	if t.even() {
		q.learn(grads.Scale, grads.ZeroPoint, dy.Data, x.Data, span{grid: t.grid}, factor)
	} else {
		var group, gradient []T
		for g := range t.count {
			group, gradient = group[:0], gradient[:0]
			for at, n := range t.runs(g) {
				group, gradient = append(group, x.Data[at:][:n]...), append(gradient, dy.Data[at:][:n]...)
			}
			s := span{group: g, grid: kernels.Grid{Rows: 1, Groups: 1, Len: len(group)}}
			zero := grads.ZeroPoint
			if len(zero) > 0 {
				zero = zero[g:][:1]
			}
			q.learn(grads.Scale[g:][:1], zero, gradient, group, s, factor)
		}
	}
	mask := Mask{Kind: ByteMask, Data: make([]byte, len(x.Data))}
	p.format, p.params = &q.format, params
	p.writesFakes()
	p.y, p.mask = make([]T, len(x.Data)), mask
	p.do(q.Workers)
	dx.like(dy.Shape, len(dy.Data))
	kernels.Backward(dx.Data, dy.Data, kernels.ByteMask(mask.Data))
	return nil
}

func (q *FakeQuantizer[T]) learn(scale, zero []float32, dy, x []T, s span, factor float32) {
	if q.format.dtype.IsFloat() {
		p := q.format.floats(&q.observer.params, s, false)
		kernels.LearnFloat(scale, dy, x, s.grid, &p, factor)
	} else {
		p := q.format.ints(&q.observer.params, s, false)
		kernels.LearnInt(scale, zero, dy, x, s.grid, &p, factor)
	}
}

// LearnFactor returns the factor of LSQ for BackwardParams, 1/sqrt(n*quant_max): n is the number of a tensor's weights, or of an
// activation's features.
func (q *FakeQuantizer[T]) LearnFactor(n int) float32 { return kernels.LearnFactor(n, q.format.max) }

// LearnStart returns the parameters with which LSQ begins, as NewGiven takes them: for each group
//
//	scale = 2*mean(|x|) / sqrt(quant_max)
//
// in float64 of a sum of one order, rounded to float32, and at least 2^-23. Zero points are those of the symmetric scheme.
// They depend on x and the Spec alone, so that a quantizer of New can be asked that has observed nothing.
func (q *FakeQuantizer[T]) LearnStart(x Tensor[T]) (Params, error) {
	p, err := q.begin(x)
	if err != nil {
		return Params{}, err
	}
	defer q.end(p)
	if p.tiling == nil {
		return Params{}, &Error{ErrDisabled, q.label(), "passed unquantized", "a block size that divides its axis, and elements"}
	}
	t, params := p.tiling, Params{}
	params.resize(&q.format, t.groups, t.count)
	sums := make([]float64, t.count)
	if t.even() {
		kernels.SumMagnitudes(sums, x.Data, t.grid)
	} else {
		var group []T
		for g := range t.count {
			group = group[:0]
			for at, n := range t.runs(g) {
				group = append(group, x.Data[at:][:n]...)
			}
			kernels.SumMagnitudes(sums[g:][:1], group, kernels.Grid{Rows: 1, Groups: 1, Len: len(group)})
		}
	}
	most, n := float64(q.format.max), float64(t.size/t.count)
	for i, sum := range sums {
		params.Scale[i] = max(float32(2*(sum/n)/math.Sqrt(most)), 1.0/(1<<23))
	}
	for i := range params.ZeroPoint {
		params.ZeroPoint[i] = int32((q.format.max + q.format.min + 1) / 2)
	}
	clear(params.MinVal)
	return params, nil
}

// SetParams puts parameters in the place of those that the quantizer was given, as a training step does: they are checked as NewGiven
// checks them, and have the same shape. A quantizer that observes has none to be set: ErrFixed.
func (q *FakeQuantizer[T]) SetParams(params Params) error {
	if q == nil {
		return missing("FakeQuantizer")
	}
	q.lock()
	defer q.mu.Unlock()
	if !q.given {
		return &Error{ErrFixed, "parameters", "set", "observed ones, as the quantizer is not from NewGiven"}
	}
	if err := params.check(&q.format, given, 0); err != nil {
		return err
	}
	if own := q.observer.params.Shape; !slices.Equal(params.Shape, own) {
		return paramsError("Params.Shape", shapeString(params.Shape), "%s, as before", shapeString(own))
	}
	q.give(params)
	return nil
}
