package quant

import "github.com/lowbit-go/lowbit/kernels"

// Fixed tells whether the parameters do not depend on the elements, so that there is nothing to observe.
func (p *Pieces[T]) Fixed() bool { return p.observer.fixed() }

// Searches reports whether ranges are found by a search among elements, not by their least and their greatest: with a range calculator other
// than "minmax", or the calculator "histogram". A tensor then has to be observed whole.
func (s Spec) Searches() bool {
	s = s.resolved()
	return s.RangeCalculator.Name != "minmax" || s.Calculator.Name == "histogram"
}

func (s Spec) searchError() error {
	if s.Calculator.Name == "histogram" {
		return specError("qparam_calculator_cls", s.Calculator.Name, piecewise)
	}
	return specError("range_calculator_cls", s.RangeCalculator.Name, piecewise)
}

// Observe widens r, the ranges of a part, by those of a piece of it.
func (p *Pieces[T]) Observe(r *Ranges, piece Part, x []T) error {
	if r == nil {
		return missing("Ranges")
	}
	if p != nil && p.spec.Searches() {
		return p.spec.searchError()
	}
	s, err := p.begin(piece, len(x), "x")
	if err != nil {
		return err
	}
	defer s.release()
	if err := r.of(piece.Groups); err != nil {
		return err
	}
	s.x = x
	s.equip(1)
	for span := range s.tiling.spans(0, s.size) {
		low, high := s.minMax(s.workspaces[0], span)
		r.mu.Lock()
		widest(r.low[span.group:], r.high[span.group:], low, high)
		r.mu.Unlock()
	}
	r.mu.Lock()
	r.see(piece.First, piece.First+piece.Len)
	r.mu.Unlock()
	return nil
}

// Params returns the parameters of a part all pieces of which were observed: else it is an ErrNotObserved. If they are fixed, none need be.
func (p *Pieces[T]) Params(r *Ranges, part Part) (Params, error) {
	if p == nil {
		return Params{}, missing("Pieces")
	}
	if part != (Part{}) || p.tiling.size > 0 {
		if err := p.check(part); err != nil {
			return Params{}, err
		}
		if err := p.checkWhole(part); err != nil {
			return Params{}, err
		}
	}
	low, high, err := r.whole(part.First, part.First+part.Len, part.Groups, p.Fixed())
	if err != nil {
		return Params{}, err
	}
	o := p.observer
	p.resize(&o, part)
	o.update(0, low, high)
	return o.params, nil
}

// ObserveGlobal widens r by the range of a piece. Global makes the scale of the whole tensor of it. The range calculator percentile wants parts that
// the pieces of ByGlobal have, whatever the scale.
func (p *Pieces[T]) ObserveGlobal(r *Ranges, piece Part, x []T) error {
	if r == nil {
		return missing("Ranges")
	}
	if p == nil {
		return missing("Pieces")
	}
	known := p.ByGlobal(0)
	s, err := known.begin(piece, len(x), "x")
	if err != nil {
		return err
	}
	defer s.release()
	a, err := p.spec.algorithms(arithmeticOf[T]())
	if err != nil {
		return err
	}
	s.x = x
	s.equip(1)
	low, high := unbounded(nil, nil, 1)
	if ranges, ok := a.ranges.(*percentile); ok {
		if err := known.checkWhole(piece); err != nil {
			return err
		}
		o := p.observer
		s.observer = &o
		for g := range s.tiling.count {
			l, h := s.rangeBy(ranges, g)
			low[0], high[0] = min(low[0], l), max(high[0], h)
		}
	} else {
		l, h := s.minMax(s.workspaces[0], span{grid: kernels.Grid{Rows: 1, Groups: 1, Len: len(x)}})
		widest(low, high, l, h)
	}
	if err := r.of(1); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	widest(r.low, r.high, low, high)
	r.see(piece.First, piece.First+piece.Len)
	return nil
}

// Global returns the scale of the whole tensor, all pieces of which were observed by ObserveGlobal: else it is an ErrNotObserved. If parameters are
// fixed, none need be.
func (p *Pieces[T]) Global(r *Ranges) (float32, error) {
	if p == nil {
		return 0, missing("Pieces")
	}
	low, high, err := r.whole(0, p.tiling.size, 1, p.Fixed())
	if err != nil {
		return 0, err
	}
	o := p.observer
	o.resize([]int{1}, 1)
	o.update(0, low, high)
	return o.params.Global, nil
}

// ObserveRanges is Observe for a tensor of that shape that was observed in pieces: r are the ranges of Pieces.Whole, all pieces of
// which were observed: else it is an ErrNotObserved. If they are fixed, none need be.
func (q *FakeQuantizer[T]) ObserveRanges(shape []int, r *Ranges) error {
	if q == nil {
		return missing("FakeQuantizer")
	}
	n, err := elements("shape", "", shape)
	if err != nil {
		return err
	}
	p, err := q.beginShape(shape, n)
	if err != nil {
		return err
	}
	defer q.end(p)
	if err := q.ready(p); err != nil || p.tiling == nil {
		return err
	}
	if q.spec.Searches() {
		return q.spec.searchError()
	}
	o := p.observer
	low, high, err := r.whole(0, n, p.tiling.count, o.fixed())
	if err != nil {
		return err
	}
	if q.RequireFinite && !o.fixed() && !finite(low, high) {
		return &Error{ErrNonFinite, q.label(), "with a NaN or an infinity", "finite elements"}
	}
	o.resize(p.tiling.groups, p.tiling.count)
	o.update(0, low, high)
	o.observed = true
	return nil
}

// ObserveHistogram is Observe for a tensor of that shape whose elements were counted, be it in parts that were merged: the calculator must be
// "histogram", else it is an ErrSpec. Another number of elements than the shape's is an ErrShape.
func (q *FakeQuantizer[T]) ObserveHistogram(shape []int, h *Histogram[T]) error {
	if q == nil || h == nil {
		return missing("FakeQuantizer or Histogram")
	}
	n, err := elements("shape", "", shape)
	if err != nil {
		return err
	}
	counted, nan := h.Count()
	if counted+nan != uint64(n) {
		return shapeError("Histogram", counted+nan, "%d elements, as the shape has", n)
	}
	if q.spec.Calculator.Name != "histogram" {
		return specError("qparam_calculator_cls", q.spec.Calculator.Name, "histogram")
	}
	p, err := q.beginShape(shape, n)
	if err != nil {
		return err
	}
	defer q.end(p)
	if err := q.ready(p); err != nil || p.tiling == nil {
		return err
	}
	if r := h.Range(); q.RequireFinite && (nan > 0 || !finite([]float32{r.Min}, []float32{r.Max})) {
		return &Error{ErrNonFinite, q.label(), "with a NaN or an infinity", "finite elements"}
	}
	o := p.observer
	o.resize(p.tiling.groups, p.tiling.count)
	o.histogram().merge(&h.h)
	o.takeBins(o.histogram())
	o.observed = true
	return nil
}
