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
	format   format
	element  element
	ends     FloatRange
	fixed    Range // the fixed ends, rounded
	norm     kernels.Norm
	from, to int
	grid     int

	// Scratch.
	low, high   []float32 // of the candidates
	clamped     []float32
	ranges      []Range
	params      Params
	errs, least []float64
	weights     []float32
}

// newMSE makes the calculator. Scales that are powers of two have two candidates, the exponent and the next one.
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
	if err := r.Arguments(&a); err != nil {
		return nil, err
	}
	m := &mse{format: f, grid: a.Grid, from: a.From, to: a.To, ends: r.Spec.FloatRange}
	switch {
	case a.Grid < 1 || a.Grid > 1<<16:
		return nil, r.Error("grid", a.Grid, "1 to 65536")
	case a.From < 1 || a.From > 16*a.Grid:
		return nil, r.Error("from", a.From, "1 to 16 times grid")
	case a.To < 1 || a.To > a.From:
		return nil, r.Error("to", a.To, "1 to from")
	case a.From-a.To >= 1<<12:
		return nil, r.Error("to", a.To, "less than 4096 below from")
	case a.Norm == 2:
	case a.Norm == 2.5:
		m.norm = kernels.Norm2Half
	default:
		return nil, r.Error("norm", a.Norm, "2 or 2.5")
	}
	m.element = r.element
	m.fixed = r.Spec.FloatRange.rounded(m.element)
	return m, nil
}

// candidates returns how many fractions are tried.
func (m *mse) candidates() int { return m.from - m.to + 1 }

// fraction sets low and high to the ends of the i-th candidate, from the range of a group.
func (m *mse) fraction(i int, r Range) (low, high float32) {
	p := float32(m.from-i) / float32(m.grid)
	low, high = m.element.round(float32(r.Min*p)), m.element.round(float32(r.Max*p))
	if m.ends.hasMin {
		low = m.fixed.Min
	}
	if m.ends.hasMax {
		high = m.fixed.Max
	}
	return low, high
}

// choose computes the parameters of n candidates from low and high, which are kept.
func (m *mse) choose(n int) {
	m.params.resize(&m.format, []int{n}, n)
	m.clamped = grow(m.clamped, 2*n)
	low, high := m.clamped[:n], m.clamped[n:]
	for i := range n {
		low[i], high[i] = min(m.low[i], 0), max(m.high[i], 0)
	}
	m.format.choose(&m.params, 0, low, high, m.element)
}

// error writes the errors of groups with the parameters from first on.
func (m *mse) error(dst []float64, x, weights []float32, g kernels.Grid, first int) {
	s := span{group: first, grid: g}
	if m.format.dtype.IsFloat() {
		p := m.format.floats(&m.params, s, false)
		kernels.ErrorFloat(dst, x, weights, g, &p, m.norm)
	} else {
		p := m.format.ints(&m.params, s, false)
		kernels.ErrorInt(dst, x, weights, g, &p, m.norm)
	}
}

// search replaces the ranges of adjacent groups of the same length, of at most a chunk all together, by the best fractions of them.
// Weights repeat, as kernels.ErrorInt has it.
func (m *mse) search(low, high []float32, x, weights []float32) {
	n := len(low)
	g := kernels.Grid{Rows: 1, Groups: n, Len: len(x) / n}
	m.low, m.high = grow(m.low, n), grow(m.high, n)
	m.errs, m.least = grow(m.errs, n), grow(m.least, n)
	m.ranges = grow(m.ranges, n)
	for i := range m.ranges {
		m.ranges[i] = Range{low[i], high[i]}
	}
	for c := range m.candidates() {
		for i, r := range m.ranges {
			m.low[i], m.high[i] = m.fraction(c, r)
		}
		m.choose(n)
		m.error(m.errs, x, weights, g, 0)
		for i, e := range m.errs {
			if c == 0 || e < m.least[i] {
				m.least[i], low[i], high[i] = e, m.low[i], m.high[i]
			}
		}
	}
}

// weighted is a part of a group, a chunk unless it is the last, and its weights or none.
type weighted struct{ x, weights []float32 }

// Range returns the best fraction of the range of a group of any length, without weights.
func (m *mse) Range(group iter.Seq[[]float32]) Range {
	return m.rangeOf(func(yield func(weighted) bool) {
		for x := range group {
			if !yield(weighted{x: x}) {
				return
			}
		}
	})
}

func (m *mse) rangeOf(group iter.Seq[weighted]) Range {
	r := empty
	for p := range group {
		r = Range{min(r.Min, slices.Min(p.x)), max(r.Max, slices.Max(p.x))}
	}
	n := m.candidates()
	m.low, m.high = grow(m.low, n), grow(m.high, n)
	for c := range n {
		m.low[c], m.high[c] = m.fraction(c, r)
	}
	m.choose(n)
	m.least, m.errs = grow(m.least, n), grow(m.errs, 1)
	total := m.least
	clear(total)
	for p := range group {
		for c := range n {
			m.error(m.errs, p.x, p.weights, kernels.Grid{Rows: 1, Groups: 1, Len: len(p.x)}, c)
			total[c] += m.errs[0]
		}
	}
	best := 0
	for c, e := range total {
		if e < total[best] {
			best = c
		}
	}
	return Range{m.low[best], m.high[best]}
}

// rounded returns the fixed ends, rounded to an element type.
func (f FloatRange) rounded(e element) Range {
	return Range{min(e.round(float32(f.min)), 0), max(e.round(float32(f.max)), 0)}
}

// search moves the parameters with the ranges that a search finds.
func (p *pass[T]) search(m *mse) {
	t, b := p.tiling, p.benches[0]
	b.wide = grow(b.wide, chunk)
	if t.contiguous() && t.grid.Len <= chunk {
		for g := 0; g < t.count; {
			n := min(chunk/t.grid.Len, t.count-g)
			s := span{at: g * t.grid.Len, group: g, grid: kernels.Grid{Rows: 1, Groups: n, Len: t.grid.Len}}
			low, high := p.minMax(b, s)
			m.search(low, high, widened(b.wide[:s.len()], p.x[s.at:][:s.len()]), m.weightsOf(p.importance, t.first+s.at, s.len()))
			p.observer.update(g, low, high)
			g += n
		}
		return
	}
	b.low, b.high = grow(b.low, 1), grow(b.high, 1)
	for g := range t.count {
		r := m.rangeOf(p.weighted(m, g))
		b.low[0], b.high[0] = r.Min, r.Max
		p.observer.update(g, b.low, b.high)
	}
}

// weighted yields the elements of a group in chunks, with their weights.
func (p *pass[T]) weighted(m *mse, g int) iter.Seq[weighted] {
	t, wide := p.tiling, p.benches[0].wide
	return func(yield func(weighted) bool) {
		held := 0
		var weights []float32
		for at, length := range t.runs(g) {
			for x := p.x[at:][:length]; len(x) > 0; {
				n := min(len(x), chunk-held)
				widen(wide[held:], x[:n])
				if p.importance != nil {
					weights = append(weights[:held], m.weightsOf(p.importance, t.first+at, n)...)
				}
				x, at, held = x[n:], at+n, held+n
				if held == chunk {
					if !yield(weighted{wide, weights}) {
						return
					}
					held = 0
				}
			}
		}
		if held > 0 {
			yield(weighted{wide[:held], weights})
		}
	}
}

// weightsOf returns the weights of n elements from element at of the tensor on, of which importance has one per column; none if it is nil.
func (m *mse) weightsOf(importance []float32, at, n int) []float32 {
	if importance == nil {
		return nil
	}
	m.weights = grow(m.weights, n)
	for i := range m.weights {
		m.weights[i] = importance[(at+i)%len(importance)]
	}
	return m.weights
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
