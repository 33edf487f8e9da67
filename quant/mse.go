package quant

import (
	"iter"
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
	reach    Range     // the format's values where three quarters of a range are left whose greater magnitude is 1

	alone searcher // of Range
}

// searcher is what one goroutine searches with: the calculator, and scratch.
type searcher struct {
	*mse
	low, high []float32 // of candidates
	ends      [together]extremes
	batch     [observed]extremes
	order     [observed]int32
	params    Params
	errs      []float32
	totals    []float64
	x, w      []float32 // rows of elements, one of each group, and their weights
	wide      []float32
	weights   []float32
	live      int                      // a group whose candidates may gain
	guess     [observed / together]int // how many candidates groups are likely to need
	signed    bool                     // a weight may be negative
}

// block is how many candidates of a group are tried before the rest is given up, if it can be: as many as the kernels take at a time.
const block = 16

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
	type limit struct {
		argument           string
		value, least, most int
		want               string
	}
	limits := []limit{
		{"grid", a.Grid, 1, 1 << 16, "1 to 65536"}, {"from", a.From, 1, 16 * a.Grid, "1 to 16 times grid"},
		{"to", a.To, 1, a.From, "1 to from"}, {"to", a.To, a.From - (1<<12 - 1), a.From, "less than 4096 below from"},
	}
	if steps {
		as := ", as scale_dtype is " + f.scale.String()
		limits = []limit{
			{"grid", a.Grid, 1, 1, "1" + as}, {"from", a.From, -allSteps, allSteps, "-126 to 126" + as}, {"to", a.To, -allSteps, a.From, "-126 to from" + as},
		}
	}
	for _, l := range limits {
		if l.value < l.least || l.value > l.most {
			return nil, r.Error(l.argument, l.value, l.want)
		}
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
	bottom, top := m.bottom, m.top
	if bottom == 0 { // with the zero point that is the middle
		bottom, top = -(top+1)/2, (top-1)/2
	}
	m.reach = Range{1.5 * bottom / (top - bottom), 1.5 * top / (top - bottom)}
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
		s.round(high)
		return
	}
	for i := range high {
		low[i], high[i] = s.fraction(first+i, r)
	}
}

// choose computes the parameters of n candidates from low and high.
func (s *searcher) choose(n int) {
	s.params.resizeCodes(&s.format, n)
	s.arithmetic.choose(&s.format, &s.params, 0, s.low[:n], s.high[:n])
}

// error writes the errors of a group's candidates with those parameters.
func (s *searcher) error(params *Params, dst, x, weights []float32) {
	of := span{grid: kernels.Grid{Groups: len(dst)}}
	if s.format.dtype.IsFloat() {
		p := s.format.floats(params, of, false)
		kernels.ErrorFloat(dst, x, weights, 1, &p, s.norm)
	} else {
		p := s.format.ints(params, of, false)
		kernels.ErrorInt(dst, x, weights, 1, &p, s.norm)
	}
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
			s.error(&s.params, errs, p.x, p.weights)
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
	s.low, s.high, s.errs, s.totals = grow(s.low, block), grow(s.high, block), grow(s.errs, block), grow(s.totals, block)
	best, least := 0, 0.0
	for c := 0; c < s.count(); c += block {
		k := min(block, s.count()-c)
		s.candidates(s.low[:k], s.high[:k], c, r)
		s.choose(k)
		total := s.totals[:k]
		clear(total)
		sum(total, func() bool {
			return c == 0 || s.signed || slices.ContainsFunc(total, func(e float64) bool { return e < least })
		})
		for j, e := range total {
			if c+j == 0 || e < least {
				least, best = e, c+j
			}
		}
		if !isWeighted && !s.anyNarrower(k-1, least, &extremes{r, 1, 1}) {
			break
		}
	}
	low, high := s.fraction(best, r)
	return Range{low, high}
}

// rounded returns the fixed ends, rounded to an element type.
func (r FloatRange) rounded(e element) Range {
	return Range{min(e.round(float32(r.min)), 0), max(e.round(float32(r.max)), 0)}
}
