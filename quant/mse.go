package quant

import (
	"iter"
	"math"
	"math/bits"
	"slices"

	"github.com/lowbit-go/lowbit/kernels"
)

func init() { RegisterRangeCalculator("mse", newMSE) }

// mse is the range calculator of the least squared error. It tries fractions n/grid of a group's range, for n = from, from-1, ..., to, each end
// rounded to the tensor's element type; the spec's parameters follow from each as from any range. The error of a fraction is
// kernels.ErrorInt's or ErrorFloat's. A fraction takes the place of the best one so far if its error is less, so that of equal ones
// the widest stays, as it does where all are NaN. Each group is searched by itself: the result depends on its elements alone.
type mse struct {
	arithmetic
	format   format
	given    FloatRange
	fixed    Range   // the fixed ends, rounded
	bottom   float32 // the format's least value, of scale 1 and zero point 0
	top      float32 // and its greatest
	norm     kernels.Norm
	from, to int
	grid     int
	parts    []float32 // the fractions

	alone searcher // of Range
}

// searcher is what one goroutine searches with: the calculator, and scratch.
type searcher struct {
	*mse
	low, high []float32  // of candidates
	ends      []extremes // of groups
	params    Params
	errs      []float32
	least     []float64
	live      []int  // groups that are searched on
	idle      []bool // of them
	weights   []float32
	signed    bool // a weight may be negative
}

// block is how many candidates are tried before the rest is given up, if it can be: as many as the kernels take at a time.
const block = 16

// groupsAtOnce are searched side by side: the numbers of their candidates stay in the L1 cache.
const groupsAtOnce = 32

// newMSE makes the calculator. Scales that are powers of two have two candidates, the exponent and the next one. Those of NVFP4 have their neighbours.
func newMSE(r Request) (RangeCalculator, error) {
	a := struct {
		Grid int     `json:"grid"`
		From int     `json:"from"`
		To   int     `json:"to"`
		Norm float64 `json:"norm"`
	}{64, 64, 24, 2}
	f := newFormat(r.Spec)
	if f.scale == ScaleE8M0 {
		a.Grid, a.From, a.To = 1, 2, 1
	}
	steps := f.scale == ScaleE4M3FN
	if steps {
		a.Grid, a.From, a.To = 1, mostSteps, fewestSteps
	}
	if err := r.Arguments(&a); err != nil {
		return nil, err
	}
	m := &mse{format: f, grid: a.Grid, from: a.From, to: a.To, given: r.Spec.FloatRange}
	switch {
	case steps && a.Grid != 1:
		return nil, r.Error("grid", a.Grid, "1, as scale_dtype is "+f.scale.String())
	case steps && (a.From < -allSteps || a.From > allSteps):
		return nil, r.Error("from", a.From, "-126 to 126, as scale_dtype is "+f.scale.String())
	case steps && (a.To < -allSteps || a.To > a.From):
		return nil, r.Error("to", a.To, "-126 to from, as scale_dtype is "+f.scale.String())
	case steps:
	case a.Grid < 1 || a.Grid > 1<<16:
		return nil, r.Error("grid", a.Grid, "1 to 65536")
	case a.From < 1 || a.From > 16*a.Grid:
		return nil, r.Error("from", a.From, "1 to 16 times grid")
	case a.To < 1 || a.To > a.From:
		return nil, r.Error("to", a.To, "1 to from")
	case a.From-a.To >= 1<<12:
		return nil, r.Error("to", a.To, "less than 4096 below from")
	}
	switch a.Norm {
	case 2:
	case 2.5:
		m.norm = kernels.Norm2Half
	default:
		return nil, r.Error("norm", a.Norm, "2 or 2.5")
	}
	m.arithmetic = r.arithmetic
	switch {
	case f.dtype.IsFloat():
		m.top = kernelFormat(f.dtype, false).Max()
		m.bottom = -m.top
	case f.minval:
		m.bottom, m.top = 0, f.max-f.min
	default:
		m.bottom, m.top = f.min, f.max
	}
	m.alone.mse = m
	for n := m.from; n >= m.to && !steps; n-- {
		m.parts = append(m.parts, float32(n)/float32(m.grid))
	}
	m.fixed = r.Spec.FloatRange.rounded(m.element)
	return m, nil
}

// count returns how many fractions are tried.
func (m *mse) count() int { return m.from - m.to + 1 }

// fraction returns the ends of the i-th candidate, a fraction of the range of a group.
func (m *mse) fraction(i int, r Range) (low, high float32) {
	p := m.parts[i]
	low, high = m.element.round(float32(r.Min*p)), m.element.round(float32(r.Max*p))
	if m.given.hasMin {
		low = m.fixed.Min
	}
	if m.given.hasMax {
		high = m.fixed.Max
	}
	return low, high
}

// candidates sets low and high to the ends of candidates first, first+1, ..., one for each of them, each on its side of zero. Where parameters follow
// from the greater magnitude alone, it is high, and low is 0.
func (s *searcher) candidates(low, high []float32, first int, r Range) {
	r = Range{min(r.Min, 0), max(r.Max, 0)}
	if s.shrinks() && s.given == (FloatRange{}) {
		most := max(-r.Min, r.Max)
		parts := s.parts[first:][:len(high)]
		for i, p := range parts {
			high[i] = float32(most * p)
		}
		clear(low)
		if s.element != elementF32 {
			for i, h := range high {
				high[i] = s.element.round(h)
			}
		}
		return
	}
	for i := range high {
		low[i], high[i] = s.fraction(first+i, r)
	}
}

// choose computes the parameters of n candidates from low and high.
func (s *searcher) choose(n int) {
	s.params.resize(&s.format, []int{n}, n)
	s.arithmetic.choose(&s.format, &s.params, 0, s.low[:n], s.high[:n])
}

// error writes the errors of adjacent groups, each with the same number of candidates, of which the parameters are those from first on.
func (s *searcher) error(params *Params, dst, x, weights []float32, groups, first int) {
	of := span{group: first, grid: kernels.Grid{Groups: len(dst)}}
	if s.format.dtype.IsFloat() {
		p := s.format.floats(params, of, false)
		kernels.ErrorFloat(dst, x, weights, groups, &p, s.norm)
	} else {
		p := s.format.ints(params, of, false)
		kernels.ErrorInt(dst, x, weights, groups, &p, s.norm)
	}
}

// search replaces the ranges of adjacent groups of the same length, of at most a chunk all together, by the best fractions of them.
// Weights are one for each element, or none.
func (s *searcher) search(low, high []float32, x, weights []float32) {
	n := len(low)
	length := len(x) / n
	s.ends, s.least, s.live = grow(s.ends, n), grow(s.least, n), grow(s.live, n)
	for i := range s.ends {
		s.ends[i], s.live[i] = newExtremes(Range{low[i], high[i]}, x[i*length:][:length], part(weights, i*length, length)), i
	}
	shrinks := s.shrinks()
	for c := 0; c < s.count() && len(s.live) > 0; c += block {
		k := min(block, s.count()-c)
		most := len(s.live) * k
		s.low, s.high, s.errs = grow(s.low, most), grow(s.high, most), grow(s.errs, most)
		for i, g := range s.live {
			s.candidates(s.low[i*k:][:k], s.high[i*k:][:k], c, s.ends[g].Range)
		}
		s.choose(most)
		idle := s.idle[:0] // of the live groups: no candidate of the block may gain
		for i, g := range s.live {
			idle = append(idle, c > 0 && !shrinks && !s.anyMayGain(i*k, k, s.least[g], &s.ends[g]))
		}
		s.idle = idle
		for i := 0; i < len(s.live); {
			g, run := s.live[i], 1
			if idle[i] {
				i++
				continue
			}
			for i+run < len(s.live) && s.live[i+run] == g+run && !idle[i+run] {
				run++
			}
			s.error(&s.params, s.errs[i*k:][:run*k], x[g*length:][:run*length], part(weights, g*length, run*length), run, i*k)
			i += run
		}
		left := s.live[:0]
		for i, g := range s.live {
			if idle[i] {
				left = append(left, g)
				continue
			}
			errs := s.errs[i*k:][:k]
			least, best := s.least[g], s.first(errs)
			if e := float64(errs[best]); c == 0 || e < least {
				least = e
				s.least[g] = least
				low[g], high[g] = s.fraction(c+best, s.ends[g].Range)
			}
			if !shrinks || s.mayGain(i*k+k-1, least, &s.ends[g]) {
				left = append(left, g)
			}
		}
		s.live = left
	}
}

// first returns the first of the least errors of a block; the first one of all if that is NaN.
func (s *searcher) first(errs []float32) int {
	if s.signed || errs[0] != errs[0] {
		best := 0
		for i, e := range errs {
			if e < errs[best] {
				best = i
			}
		}
		return best
	}
	// The bits of numbers that are not negative are in the numbers' order, NaN beyond all.
	even, odd := uint64(math.MaxUint64), uint64(math.MaxUint64)
	for ; len(errs)%block != 0; errs = errs[:len(errs)-1] {
		even = lesser(placed(errs, len(errs)-1), even)
	}
	if len(errs) == block {
		whole := (*[block]float32)(errs)
		for i := 0; i < block; i += 2 {
			even, odd = lesser(placed(whole[:], i), even), lesser(placed(whole[:], i+1), odd)
		}
	}
	return int(uint32(lesser(even, odd)))
}

// placed is a number's bits, above its place.
func placed(x []float32, i int) uint64 { return uint64(math.Float32bits(x[i]))<<32 | uint64(i) }

// lesser is min without a branch that nothing foretells.
func lesser(a, b uint64) uint64 {
	d, less := bits.Sub64(a, b, 0)
	return b + d&-less
}

// part returns n elements of x, or none of none.
func part(x []float32, at, n int) []float32 {
	if x == nil {
		return nil
	}
	return x[at:][:n]
}

// shrinks tells whether the values that a format has are within those of a wider candidate: scales then follow from ranges
// by operations that keep an order, and zero points do not depend on them.
func (m *mse) shrinks() bool {
	return m.format.dialect == Reference && !m.format.minval && (m.format.dtype.IsFloat() || m.format.scheme != Asymmetric)
}

// extremes are the ends of a group, and the least weight of an element that is one.
type extremes struct {
	Range
	least, most float32
}

// newExtremes takes a group's weights, or none.
func newExtremes(r Range, x, weights []float32) extremes {
	e := extremes{r, 1, 1}
	if weights == nil {
		return e
	}
	e.least, e.most = 0, 0
	var isLeast, isMost bool
	for i, v := range x {
		if w := weights[i]; v == r.Min && !(isLeast && e.least <= w) {
			e.least, isLeast = w, true
		}
		if w := weights[i]; v == r.Max && !(isMost && e.most <= w) {
			e.most, isMost = w, true
		}
	}
	return e
}

// mayGain tells whether a candidate with the i-th parameters may have an error less than least: it has none of the values beyond
// its format's ends, so that what a group's ends cost that are beyond those is a lower bound, as every operation keeps the order of its operands. A sum of
// float32 that are not negative, in chunks and lanes, has less than 2^9 roundings one behind the other, which take less than 2^-15 away. Where least
// is NaN nothing is less.
func (s *searcher) mayGain(i int, least float64, ends *extremes) bool {
	switch {
	case least != least:
		return false
	case s.signed || s.format.dialect != Reference:
		return true
	}
	scale, bottom, top := s.params.Scale[i], s.bottom, s.top
	if len(s.params.ZeroPoint) > 0 && !s.format.minval {
		z := float32(s.params.ZeroPoint[i])
		bottom, top = bottom-z, top-z
	}
	bottom, top = float32(bottom*scale), float32(top*scale)
	if s.format.minval {
		bottom, top = bottom+s.params.MinVal[i], top+s.params.MinVal[i]
	}
	sum := s.term(max(ends.Max-top, 0), ends.most) + s.term(max(bottom-ends.Min, 0), ends.least) // of one element, one is 0
	return !(sum*(1-0x1p-15) >= least)
}

// anyMayGain is mayGain for any of n candidates.
func (s *searcher) anyMayGain(first, n int, least float64, ends *extremes) bool {
	for i := range n {
		if s.mayGain(first+i, least, ends) {
			return true
		}
	}
	return false
}

// term is what an element's error adds.
func (s *searcher) term(e, weight float32) float64 {
	t := e * e
	if s.norm == kernels.Norm2Half {
		t *= float32(math.Sqrt(float64(e)))
	}
	return float64(float32(t * weight))
}

// weighted is a part of a group, a chunk unless it is the last, and its weights or none.
type weighted struct{ x, weights []float32 }

// Range returns the best fraction of the range of a group of any length, without weights. Of scales that are not found as ranges it is not asked.
func (m *mse) Range(group iter.Seq[[]float32]) Range {
	return m.alone.rangeOf(func(yield func(weighted) bool) {
		for x := range group {
			if !yield(weighted{x: x}) {
				return
			}
		}
	})
}

// rangeOf is search for one group of any length.
func (s *searcher) rangeOf(group iter.Seq[weighted]) Range {
	r, isWeighted := empty, false
	for p := range group {
		r = Range{min(r.Min, slices.Min(p.x)), max(r.Max, slices.Max(p.x))}
		isWeighted = isWeighted || p.weights != nil
	}
	return s.best(r, isWeighted, func(total []float64, gains func() bool) {
		for p := range group {
			errs := s.errs[:len(total)]
			s.error(&s.params, errs, p.x, p.weights, 1, 0)
			for j, e := range errs {
				total[j] += float64(e)
			}
			if !gains() {
				break
			}
		}
	})
}

// best returns the best fraction of a group's range. sum adds to totals the errors of as many candidates, of which s has the parameters. It may stop
// when none gains any more: what is added to them is not negative.
func (s *searcher) best(r Range, isWeighted bool, sum func(total []float64, gains func() bool)) Range {
	s.low, s.high, s.errs, s.least = grow(s.low, block), grow(s.high, block), grow(s.errs, block), grow(s.least, block)
	best, least := 0, 0.0
	for c := 0; c < s.count(); c += block {
		k := min(block, s.count()-c)
		s.candidates(s.low[:k], s.high[:k], c, r)
		s.choose(k)
		total := s.least[:k]
		clear(total)
		sum(total, func() bool {
			return c == 0 || s.signed || slices.ContainsFunc(total, func(e float64) bool { return e < least })
		})
		for j, e := range total {
			if c+j == 0 || e < least {
				least, best = e, c+j
			}
		}
		if !isWeighted && s.shrinks() && !s.mayGain(k-1, least, &extremes{r, 1, 1}) {
			break
		}
	}
	low, high := s.fraction(best, r)
	return Range{low, high}
}

// rounded returns the fixed ends, rounded to an element type.
func (f FloatRange) rounded(e element) Range {
	return Range{min(e.round(float32(f.min)), 0), max(e.round(float32(f.max)), 0)}
}

// search moves the parameters with the ranges that a search finds. Groups are shared out among workers.
func (p *pass[T]) search(m *mse) {
	shares := p.workers
	if !shareable(p.observer.calculator) {
		shares = 1
	}
	signed := slices.ContainsFunc(p.importance, func(w float32) bool { return !(w >= 0) })
	if m.format.scale == ScaleE4M3FN {
		p.observe()
		p.observer.update(0, p.benches[0].allLow, p.benches[0].allHigh)
		shares = p.workers
	}
	for _, b := range p.benches[:shares] {
		b.searcher.mse, b.searcher.signed, b.searcher.params.Global = m, signed, p.params.Global
		b.wide = grow(b.wide, chunk)
	}
	size := p.size
	p.unit = 1
	if t := p.tiling; t.contiguous() && t.count < shares && t.grid.Len >= chunk*shares {
		for g := range t.count {
			p.searchLong(g, shares)
		}
	} else {
		p.size = t.count // what is shared out
		p.split(searching, shares)
	}
	p.size = size
}

// searchLong searches for a long group, of which the chunks are shared out.
func (p *pass[T]) searchLong(g, shares int) {
	length := p.tiling.grid.Len
	p.long, p.size = g*length, (length+chunk-1)/chunk
	p.longErrors = grow(p.longErrors, p.size*block)
	b := p.benches[0]
	low, high := p.minMax(b, span{at: p.long, grid: kernels.Grid{Rows: 1, Groups: 1, Len: length}})
	r := Range{low[0], high[0]}
	if r.Min == 0 || r.Max == 0 { // MinMax knows one zero
		for part := range p.weighted(b, g) {
			r = Range{min(r.Min, slices.Min(part.x)), max(r.Max, slices.Max(part.x))}
		}
	}
	r = b.searcher.best(r, p.importance != nil, func(total []float64, _ func() bool) {
		p.longParams = &b.searcher.params
		p.split(searchingLong, shares)
		for i := range p.size {
			for j := range total {
				total[j] += float64(p.longErrors[i*block+j])
			}
		}
	})
	low, high = b.low[:1], b.high[:1]
	low[0], high[0] = r.Min, r.Max
	p.observer.update(g, low, high)
}

// searchChunks computes the errors of the chunks [lo, hi) of a long group.
func (p *pass[T]) searchChunks(b *bench[T], lo, hi int) {
	end := p.long + p.tiling.grid.Len
	for ; lo < hi; lo++ {
		at := p.long + lo*chunk
		n := min(chunk, end-at)
		errs := p.longErrors[lo*block:][:len(p.longParams.Scale)]
		b.searcher.error(p.longParams, errs, widened(b.wide[:n], p.x[at:][:n]), b.searcher.weightsOf(p.importance, p.tiling.first+at, n), 1, 0)
	}
}

// searchGroups searches for the groups [lo, hi).
func (p *pass[T]) searchGroups(b *bench[T], lo, hi int) {
	t := p.tiling
	if p.format.scale == ScaleE4M3FN {
		p.searchScales(b, lo, hi)
		return
	}
	if t.contiguous() && t.grid.Len <= chunk {
		for n := 0; lo < hi; lo += n {
			n = min(chunk/t.grid.Len, groupsAtOnce, hi-lo)
			s := span{at: lo * t.grid.Len, group: lo, grid: kernels.Grid{Rows: 1, Groups: n, Len: t.grid.Len}}
			low, high := p.minMax(b, s)
			b.searcher.search(low, high, widened(b.wide[:s.len()], p.x[s.at:][:s.len()]), b.searcher.weightsOf(p.importance, t.first+s.at, s.len()))
			p.observer.update(lo, low, high)
		}
		return
	}
	b.low, b.high = grow(b.low, 1), grow(b.high, 1)
	for ; lo < hi; lo++ {
		r := b.searcher.rangeOf(p.weighted(b, lo))
		b.low[0], b.high[0] = r.Min, r.Max
		p.observer.update(lo, b.low, b.high)
	}
}

// weighted yields the elements of a group in chunks, with their weights.
func (p *pass[T]) weighted(b *bench[T], g int) iter.Seq[weighted] {
	return func(yield func(weighted) bool) {
		held := 0
		var weights []float32
		for at, length := range p.tiling.runs(g) {
			for x := p.x[at:][:length]; len(x) > 0; {
				n := min(len(x), chunk-held)
				widen(b.wide[held:], x[:n])
				if p.importance != nil {
					weights = append(weights[:held], b.searcher.weightsOf(p.importance, p.tiling.first+at, n)...)
				}
				x, at, held = x[n:], at+n, held+n
				if held == chunk {
					if !yield(weighted{b.wide, weights}) {
						return
					}
					held = 0
				}
			}
		}
		if held > 0 {
			yield(weighted{b.wide[:held], weights})
		}
	}
}

// weightsOf returns the weights of n elements from element at of the tensor on, of which importance has one per column; none if it is nil.
func (s *searcher) weightsOf(importance []float32, at, n int) []float32 {
	if importance == nil {
		return nil
	}
	s.weights = grow(s.weights, n)
	for w := s.weights; len(w) > 0; {
		done := copy(w, importance[at%len(importance):])
		w, at = w[done:], at+done
	}
	return s.weights
}

// checkImportance holds the weights against a tensor and against what takes them.
func checkImportance(importance []float32, ranges RangeCalculator, t *tiling) error {
	if _, ok := ranges.(*mse); !ok {
		return specError("range_calculator_cls", "another one", "mse, as there is an Importance")
	}
	columns := 1
	if n := len(t.shape); n > 0 {
		columns = t.shape[n-1]
	}
	if len(importance) != columns {
		return shapeError("len(Importance)", len(importance), "%d, as the shape is %s", columns, shapeString(t.shape))
	}
	return nil
}
