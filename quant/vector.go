package quant

import (
	"math/bits"

	"github.com/lowbit-go/lowbit/kernels"
)

// The way of a vector. A tensor that is one group, such as an activation of one token with one scale, takes a kernel less time than a pass takes to lay
// out groups and share them among workers. So a call first asks whether it is such a call; if it is, one or two calls of kernels do it. The question only says
// yes: what it does not like, a mistake too, goes the way of a pass, which reports mistakes. TestVector holds one way against the other.

// vectorLen is the greatest number of elements of a vector. A variable for the tests.
var vectorLen = fuse

// movement is how a quantizer comes to the parameters of a vector.
type movement uint8

const (
	unfit   movement = iota // by a pass
	still                   // they stay
	moves                   // each vector moves them
	follows                 // from the vector alone
)

// vectorWay is what calls for a vector read of a quantizer. It never changes: whoever changes the quantizer puts it away.
type vectorWay struct {
	movement movement
	fake     bool // fake-quantization is on
	rank     int  // of the vectors, if it is not negative
	spec     Spec
	params   Params            // if they stay
	ints     kernels.IntParams // without memory for them, unless they stay
	rule     kernels.IntRule   // if they do not stay; without memory for them
}

// lock locks q for who changes what a vectorWay holds.
func (q *FakeQuantizer[T]) lock() {
	q.mu.Lock()
	q.vector.Store(nil)
}

// vectorFor returns how x is quantized as a vector, or nil if it is not.
func (q *FakeQuantizer[T]) vectorFor(x *Tensor[T]) *vectorWay {
	if q == nil || len(x.Data) == 0 || len(x.Data) > vectorLen || q.RequireFinite {
		return nil
	}
	w := q.vector.Load()
	if w == nil {
		w = q.newVectorWay()
	}
	if w.movement == unfit || w.rank >= 0 && w.rank != len(x.Shape) || !isShape(x.Shape, len(x.Data)) {
		return nil
	}
	return w
}

// isShape tells whether a shape has so many elements, of which there are some. It does not divide, which takes as long as a hundred elements.
func isShape(shape []int, n int) bool {
	size := uint(1)
	for _, d := range shape {
		over, product := bits.Mul(size, uint(d))
		if d < 1 || over > 0 {
			return false
		}
		size = product
	}
	return size == uint(n)
}

// newVectorWay makes what vectorFor needs of the quantizer as it is.
func (q *FakeQuantizer[T]) newVectorWay() *vectorWay {
	q.mu.RLock()
	defer q.mu.RUnlock()
	w, o, f := &vectorWay{rank: -1, fake: q.fakeQuantOn, spec: q.spec}, &q.observer, &q.format
	byKernels := q.quantize == nil && q.ranges == nil && o.histogram() == nil
	switch {
	case !byKernels || q.spec.Granularity.kind != perTensor || f.dtype.IsFloat() || f.dtype.Bits() > 8 || f.dialect != Reference || q.disabled.Load():
	case q.observes():
		if o.fixed() { // the first pass ends it
			return w
		}
		w.movement = moves
		if o.dynamic && o.alone() {
			w.movement = follows
		}
		any := &Params{Scale: unit.Scale, ZeroPoint: []int32{0}, MinVal: unit.Scale}
		w.ints, w.rule = f.ints(any, span{grid: kernels.Grid{Rows: 1, Groups: 1}}, false), f.intRule(any, 0, 1, false)
	case o.observed && len(o.params.Scale) == 1 && q.undivided == nil:
		w.movement = still
		w.params = o.params.clone()
		w.ints = f.ints(&w.params, span{grid: kernels.Grid{Rows: 1, Groups: 1}}, false)
		if !q.given {
			w.rank = len(o.params.Shape)
		}
	}
	q.vector.Store(w)
	return w
}

// vectorParams are the parameters of one vector.
type vectorParams struct {
	scale, minval [1]float32
	zeroPoint     [1]int32
}

// of makes a rule one that writes them.
func (p *vectorParams) of(r kernels.IntRule) kernels.IntRule {
	r.Scale, r.ZeroPoint, r.Minval = p.scale[:], p.zeroPoint[:], p.minval[:]
	return r
}

// ints are the parameters that such a rule wrote, for quantizing.
func (p *vectorParams) ints(r *kernels.IntRule) kernels.IntParams {
	k := kernels.IntParams{Format: r.Format, Min: r.Min, Max: r.Max, Scale: p.scale[:]}
	if r.ByMinval {
		k.Minval = p.minval[:]
	} else {
		k.ZeroPoint = p.zeroPoint[:]
	}
	return k
}

// keepVector makes a dynamic vector's parameters the quantizer's, for vectors of a rank.
func (q *FakeQuantizer[T]) keepVector(p *vectorParams, rank int) {
	q.mu.RLock()
	q.kept.Lock()
	o := &q.observer
	o.resizeVector(rank)
	o.params.Scale[0], o.params.ZeroPoint[0], o.params.MinVal[0] = p.scale[0], p.zeroPoint[0], p.minval[0]
	o.observed = true
	q.kept.Unlock()
	q.mu.RUnlock()
}

// resizeVector is resize for a vector.
func (o *observer) resizeVector(rank int) {
	if p := &o.params; o.observed && len(p.Shape) == rank && len(p.Scale) == 1 && len(p.ZeroPoint) == 1 && len(p.MinVal) == 1 {
		return
	}
	o.params.Shape = ones(o.params.Shape, rank)
	o.resize(o.params.Shape, 1)
}

// ones returns the shape of one group, in shape's memory if it has room.
func ones(shape []int, rank int) []int {
	shape = grow(shape, rank)
	if shape == nil {
		shape = []int{}
	}
	for i := range shape {
		shape[i] = 1
	}
	return shape
}

// observeVector moves the parameters and sets k to them, unless it is for a pass to do so. q is locked.
func (q *FakeQuantizer[T]) observeVector(x *Tensor[T], w *vectorWay, k *kernels.IntParams) bool {
	o := &q.observer
	if !q.observes() || o.observed && !o.dynamic && len(o.params.Shape) != len(x.Shape) {
		return false
	}
	o.resizeVector(len(x.Shape))
	r, p := w.rule, &o.params
	r.Scale, r.ZeroPoint, r.Minval = p.Scale, p.ZeroPoint, p.MinVal
	if o.alone() {
		kernels.ObserveInt(x.Data, vectorGrid(len(x.Data)), &r)
	} else {
		kernels.MinMax(q.least[:], q.most[:], x.Data, vectorGrid(len(x.Data)))
		widen(q.low[:], q.least[:])
		widen(q.high[:], q.most[:])
		o.move(0, q.low[:], q.high[:])
		kernels.ChooseInt[T](&r, q.low[:], q.high[:])
	}
	o.observed = true
	k.Format, k.Min, k.Max, k.Scale = w.ints.Format, w.ints.Min, w.ints.Max, p.Scale
	if w.ints.Minval != nil {
		k.Minval = p.MinVal
	} else {
		k.ZeroPoint = p.ZeroPoint
	}
	return true
}

func vectorGrid(n int) kernels.Grid { return kernels.Grid{Rows: 1, Groups: 1, Len: n} }

// quantizeVector is Quantize of a vector. It tells whether it was one.
func (q *FakeQuantizer[T]) quantizeVector(dst *Codes, x *Tensor[T]) bool {
	w := q.vectorFor(x)
	if w == nil || dst.Packed && w.spec.DType.Bits() < 8 {
		return false
	}
	n, rank, grid := len(x.Data), len(x.Shape), vectorGrid(len(x.Data))
	switch w.movement {
	case still:
		dst.Data = grow(dst.Data, n)
		kernels.QuantizeInt(dst.Data, x.Data, grid, &w.ints)
		dst.Params.copyNumbers(&w.params)
	case follows:
		dst.Data = grow(dst.Data, n)
		var p vectorParams
		r := p.of(w.rule)
		kernels.ObserveInt(x.Data, grid, &r)
		k := p.ints(&r)
		kernels.QuantizeInt(dst.Data, x.Data, grid, &k)
		q.keepVector(&p, rank)
		dst.Params.Scale = copied(dst.Params.Scale, p.scale[:])
		dst.Params.ZeroPoint = copied(dst.Params.ZeroPoint, p.zeroPoint[:])
		dst.Params.MinVal = copied(dst.Params.MinVal, p.minval[:])
		dst.Params.Global, dst.Params.factor = 0, dst.Params.factor[:0]
	case moves:
		q.mu.Lock()
		defer q.mu.Unlock()
		var k kernels.IntParams
		if !q.observeVector(x, w, &k) {
			return false
		}
		dst.Data = grow(dst.Data, n)
		kernels.QuantizeInt(dst.Data, x.Data, grid, &k)
		dst.Params.copyNumbers(&q.observer.params)
	}
	dst.Spec, dst.Shape, dst.Params.Shape = w.spec, copyShape(dst.Shape, x.Shape), ones(dst.Params.Shape, rank)
	return true
}

// fakeQuantizeVector is FakeQuantize of a vector. It tells whether it was one.
func (q *FakeQuantizer[T]) fakeQuantizeVector(dst *Tensor[T], x *Tensor[T], mask *Mask) bool {
	w := q.vectorFor(x)
	if w == nil || !w.fake || dst.apart(x.Data) != nil {
		return false
	}
	n, grid := len(x.Data), vectorGrid(len(x.Data))
	outputs := func() ([]T, kernels.Mask) {
		if mask == nil {
			return dst.like(x.Shape, n), kernels.NoMask
		}
		mask.Data = grow(mask.Data, mask.Kind.bytes(n))
		return dst.like(x.Shape, n), mask.kernel(0, n)
	}
	switch w.movement {
	case still:
		y, m := outputs()
		kernels.FakeQuantizeInt(y, m, x.Data, grid, &w.ints)
	case follows:
		var p vectorParams
		r := p.of(w.rule)
		kernels.ObserveInt(x.Data, grid, &r)
		q.keepVector(&p, len(x.Shape))
		y, m := outputs()
		k := p.ints(&r)
		kernels.FakeQuantizeInt(y, m, x.Data, grid, &k)
	case moves:
		q.mu.Lock()
		defer q.mu.Unlock()
		var k kernels.IntParams
		if !q.observeVector(x, w, &k) {
			return false
		}
		y, m := outputs()
		kernels.FakeQuantizeInt(y, m, x.Data, grid, &k)
	}
	return true
}

// dequantizeVector is Dequantize of a vector. It tells whether it was one.
func dequantizeVector[T kernels.Float](dst *Tensor[T], c *Codes) bool {
	s, p, n := &c.Spec, &c.Params, len(c.Data)
	kernel := kernels.Int8
	switch s.DType {
	case Int8:
	case Uint8:
		kernel = kernels.Uint8
	default:
		return false
	}
	if n == 0 || n > vectorLen || len(p.Scale) != 1 || p.Global != 0 || len(p.factor) > 0 || int(s.Scheme) >= len(schemeNames) ||
		s.ScaleDType != ScaleAny || s.Dialect != Reference || s.ScaleRule != RuleDefault || s.GlobalScale != GlobalDefault ||
		!isShape(c.Shape, n) || len(p.Shape) > 0 && (len(p.Shape) != len(c.Shape) || !isShape(p.Shape, 1)) {
		return false
	}
	least, most := quantRange(s.DType, s.Scheme)
	var k kernels.IntParams // not a literal, which is made elsewhere and then copied, before its words are there to be read two at a time
	k.Format, k.Min, k.Max, k.Scale = kernel, int(least), int(most), p.Scale
	if len(p.ZeroPoint) > 1 || len(p.ZeroPoint) == 1 && (int(p.ZeroPoint[0]) < k.Min || int(p.ZeroPoint[0]) > k.Max) {
		return false
	}
	switch {
	case s.Formulation == MinVal && len(p.MinVal) == 1:
		k.Minval = p.MinVal
	case s.Formulation == ZP && len(p.MinVal) <= 1:
		if len(p.ZeroPoint) > 0 {
			k.ZeroPoint = p.ZeroPoint
		}
	default:
		return false
	}
	kernels.DequantizeInt(dst.like(c.Shape, n), c.Data, vectorGrid(n), &k)
	return true
}
