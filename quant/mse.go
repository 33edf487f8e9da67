package quant

import (
	"iter"
	"math"
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

// together is how many groups are searched side by side. So many candidates fewer than the last ones needed are tried at once, and then those that may
// gain.
const (
	together = kernels.Columns
	tried    = 2
)

// observed is how many short groups have their ranges found in one, and the order chosen in which they are searched.
const observed = 8 * together

// short is the length of groups that are searched side by side even if there are fewer.
const short = 512

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

// least tries candidates of groups that are side by side, with the parameters from first on.
func (s *searcher) least(best *kernels.Best, first, candidates int) {
	of := span{group: first * together, grid: kernels.Grid{Groups: candidates * together}}
	if s.format.dtype.IsFloat() {
		p := s.format.floats(&s.params, of, false)
		kernels.LeastFloat(best, s.x, s.w, &p, s.norm)
	} else {
		p := s.format.ints(&s.params, of, false)
		kernels.LeastInt(best, s.x, s.w, &p, s.norm)
	}
}

// alike tells whether groups may be searched side by side: zeros behind them add nothing.
func (m *mse) alike() bool { return !m.format.minval }

// put puts groups of a length side by side, and their weights, or none.
func (s *searcher) put(x, weights []float32, length int, groups []int32) {
	rows := (length + kernels.RowsAtOnce - 1) / kernels.RowsAtOnce * kernels.RowsAtOnce
	n := rows * together
	s.x, s.w = grow(s.x, n), s.w[:0]
	kernels.ToColumns(s.x, x, length, groups)
	if weights != nil {
		s.w = grow(s.w, n)
		kernels.ToColumns(s.w, weights, length, groups)
	}
}

// searchBatch replaces the ranges of as many groups as observed at most by the best fractions of them. x has the groups' elements, one group after the
// other, and weights theirs, or none.
func (s *searcher) searchBatch(x, weights, low, high []float32) {
	length := len(x) / len(low)
	for g, v := range low {
		e := &s.batch[g]
		*e = extremes{Range{v, high[g]}, 1, 1}
		if weights != nil {
			e.weigh(x[g*length:][:length], weights[g*length:][:length])
		}
	}
	order := s.inOrder(len(low), weights != nil)
	for i := 0; i < len(order); i += together {
		groups := order[i:min(i+together, len(order))]
		s.put(x, weights, length, groups)
		for g := range s.ends {
			s.ends[g] = s.batch[groups[min(g, len(groups)-1)]]
		}
		best := s.search(&s.guess[i/together])
		for g, at := range groups {
			e, p := &s.ends[g], s.parts[best.Candidate[g]]
			low[at], high[at] = float32(e.Min*p), float32(e.Max*p)
		}
	}
	s.round(low)
	s.round(high)
	for g := range low {
		if s.given.hasMin {
			low[g] = s.fixed.Min
		}
		if s.given.hasMax {
			high[g] = s.fixed.Max
		}
	}
}

// inOrder returns the first n numbers in the order in which the groups of a batch are searched: those side by side should need as many candidates.
// That depends on what the ends cost that a range of three quarters cuts off, over the square of the range. It is sorted by exponent and first bit of the
// fraction.
func (s *searcher) inOrder(n int, weighted bool) []int32 {
	if s.signed || s.format.dialect != Reference || !s.shrinks() && !weighted || n <= together {
		return s.inTurn(n)
	}
	order := s.order[:n]
	var count [1 << 9]uint8
	var key [observed]uint16
	shrinks, reach := s.shrinks(), s.reach
	for g := range order {
		e := &s.batch[g]
		cut := min(e.least, e.most)
		if shrinks {
			one := 1 / max(-e.Min, e.Max)
			low, high := max(reach.Min-e.Min*one, 0), max(e.Max*one-reach.Max, 0)
			cut = low*low*e.least + high*high*e.most
		}
		key[g] = uint16(math.Float32bits(cut) >> 22 % uint32(len(count)))
		count[key[g]]++
	}
	at := uint8(0)
	for i, c := range count {
		count[i], at = at, at+c
	}
	for g := range order {
		to := &count[key[g]]
		order[*to] = int32(g)
		*to++
	}
	return order
}

// inTurn returns the first n numbers.
func (s *searcher) inTurn(n int) []int32 {
	for g := range n {
		s.order[g] = int32(g)
	}
	return s.order[:n]
}

// search returns the best candidates of the groups that are side by side, which are likely to need so many.
func (s *searcher) search(guess *int) (best kernels.Best) {
	done, ready, first := 0, 0, 0 // candidates; those with parameters, from first on
	likely := max(*guess, tried)
	for more := true; more && done < s.count(); {
		if done == ready {
			k := min(max(likely-done, 0)+2*tried, s.count()-done)
			first, ready = done, done+k
			s.low, s.high = grow(s.low, k*together), grow(s.high, k*together)
			s.candidatesTogether(first, k)
			s.choose(k * together)
		}
		k := min(likely, ready)
		if done > 0 { // whoever cannot gain now never can: the least errors only become less
			for k = 0; more && k < ready-done; {
				if more = s.anyMayGain(&best, (done-first+k)*together); more {
					k++
				}
			}
		}
		if k > 0 {
			s.least(&best, done-first, k)
			done += k
		}
	}
	*guess = done - tried
	return best
}

// candidatesTogether is candidates for each of the groups that are side by side.
func (s *searcher) candidatesTogether(first, n int) {
	if s.given != (FloatRange{}) {
		for g, e := range s.ends {
			r := Range{min(e.Min, 0), max(e.Max, 0)}
			for i := range n {
				s.low[i*together+g], s.high[i*together+g] = s.fraction(first+i, r)
			}
		}
		return
	}
	var low, high [together]float32
	for g, e := range s.ends {
		low[g], high[g] = min(e.Min, 0), max(e.Max, 0)
	}
	if s.shrinks() { // by the greater magnitude alone
		for g := range high {
			high[g] = max(-low[g], high[g])
		}
		clear(s.low)
	} else {
		s.fractions(s.low, &low, first, n)
	}
	s.fractions(s.high, &high, first, n)
}

// fractions sets to to ends of candidates, fractions of the groups' ends.
func (s *searcher) fractions(to []float32, ends *[together]float32, first, n int) {
	for i, p := range s.parts[first:][:n] {
		row := (*[together]float32)(to[i*together:])
		for g := 0; g < together; g += 4 {
			row[g], row[g+1], row[g+2], row[g+3] = float32(ends[g]*p), float32(ends[g+1]*p), float32(ends[g+2]*p), float32(ends[g+3]*p)
		}
	}
	s.round(to)
}

// part returns n elements of x, or none of none.
func part[E any](x []E, at, n int) []E {
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

// weigh finds the least weights of a group's ends.
func (e *extremes) weigh(x, weights []float32) {
	nan := float32(math.NaN())
	least, most := nan, nan // none yet
	for i, v := range x {
		if v > e.Min && v < e.Max {
			continue
		}
		w := weights[i]
		if v == e.Min && !(least <= w) {
			least = w
		}
		if v == e.Max && !(most <= w) {
			most = w
		}
	}
	if least != least || most != most { // of a NaN there is none
		least, most = 0, 0
	}
	e.least, e.most = least, most
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

// anyMayGain tells whether a candidate with the parameters from first on may have an error less than a group's least one. It asks first for the group
// that was such a one before.
func (s *searcher) anyMayGain(best *kernels.Best, first int) bool {
	if s.shrinks() && !s.signed {
		return s.anyReaches(best, first)
	}
	for range s.ends {
		if s.anyNarrower(first+s.live, float64(best.Error[s.live]), &s.ends[s.live]) {
			return true
		}
		s.live = (s.live + 1) % together
	}
	return false
}

// anyReaches is anyMayGain by mayGain, where zero points do not depend on ranges: 16 times this is a tenth of a search, so that nothing is asked twice.
func (s *searcher) anyReaches(best *kernels.Best, first int) bool {
	bottom, top := s.bottom, s.top
	if len(s.params.ZeroPoint) > 0 {
		z := float32(s.params.ZeroPoint[first])
		bottom, top = bottom-z, top-z
	}
	scales := s.params.Scale[first:][:together]
	for range s.ends {
		g := s.live
		scale, least, ends := scales[g], best.Error[g], &s.ends[g]
		if least == least {
			sum := 0.0
			if e := ends.Max - float32(top*scale); e > 0 {
				sum += s.term(e, ends.most)
			}
			if e := float32(bottom*scale) - ends.Min; e > 0 {
				sum += s.term(e, ends.least)
			}
			if !(sum*(1-0x1p-15) >= float64(least)) {
				return true
			}
		}
		s.live = (g + 1) % together
	}
	return false
}

// anyNarrower is mayGain for that candidate and all narrower ones. Where zero points depend on ranges, what the values of a format reach over is no more
// than its steps times the scale, and scales follow from ranges by operations that keep an order. What a group reaches over beyond that its two ends have
// between them for errors; the powers of these are least where they are equal. 2^-20 of all magnitudes is more than what roundings are off.
func (s *searcher) anyNarrower(i int, least float64, ends *extremes) bool {
	switch {
	case s.shrinks():
		return s.mayGain(i, least, ends)
	case least != least, least == 0 && !s.signed:
		return false
	case s.signed || s.format.dialect != Reference:
		return true
	}
	low, high, width := float64(ends.Min), float64(ends.Max), float64(s.top-s.bottom)*float64(s.params.Scale[i])
	beyond := high - low - width - 0x1p-20*(math.Abs(low)+math.Abs(high)+2*width)
	each := beyond / 2
	bound := 2 * each * each * float64(min(ends.least, ends.most)) * (1 - 0x1p-14)
	if s.norm == kernels.Norm2Half {
		bound *= math.Sqrt(each)
	}
	return !(beyond > 0x1p-40 && bound > 0x1p-100 && bound >= least)
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

// search moves the parameters with the ranges that a search finds. Groups are shared out among workers.
func (p *pass[T]) search(m *mse) {
	shares := p.workers
	if !shareable(p.observer.calculator) {
		shares = 1
	}
	signed := hasSigned(p.importance)
	if m.format.scale == ScaleE4M3FN {
		p.observe()
		p.observer.update(0, p.workspaces[0].allLow, p.workspaces[0].allHigh)
		shares = p.workers
	}
	for _, ws := range p.workspaces[:shares] {
		ws.searcher.mse, ws.searcher.signed, ws.searcher.params.Global = m, signed, p.params.Global
		ws.wide = grow(ws.wide, chunk)
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

// hasSigned tells whether a weight is not positive or zero.
func hasSigned(importance []float32) bool {
	return slices.ContainsFunc(importance, func(w float32) bool { return !(w >= 0) })
}

// searchLong searches for a long group, of which the chunks are shared out.
func (p *pass[T]) searchLong(g, shares int) {
	length := p.tiling.grid.Len
	p.long, p.size = g*length, (length+chunk-1)/chunk
	p.longErrors = grow(p.longErrors, p.size*block)
	ws := p.workspaces[0]
	low, high := p.minMax(ws, span{at: p.long, grid: kernels.Grid{Rows: 1, Groups: 1, Len: length}})
	r := Range{low[0], high[0]}
	if r.Min == 0 || r.Max == 0 { // MinMax knows one zero
		for part := range p.weighted(ws, g) {
			r = Range{min(r.Min, slices.Min(part.x)), max(r.Max, slices.Max(part.x))}
		}
	}
	r = ws.searcher.best(r, p.importance != nil, func(total []float64, _ func() bool) {
		p.longParams = &ws.searcher.params
		p.split(searchingLong, shares)
		for i := range p.size {
			for j := range total {
				total[j] += float64(p.longErrors[i*block+j])
			}
		}
	})
	low, high = ws.low[:1], ws.high[:1]
	low[0], high[0] = r.Min, r.Max
	p.observer.update(g, low, high)
}

// searchChunks computes the errors of the chunks [lo, hi) of a long group.
func (p *pass[T]) searchChunks(ws *workspace[T], lo, hi int) {
	end := p.long + p.tiling.grid.Len
	for ; lo < hi; lo++ {
		at := p.long + lo*chunk
		n := min(chunk, end-at)
		errs := p.longErrors[lo*block:][:len(p.longParams.Scale)]
		ws.searcher.error(p.longParams, errs, widened(ws.wide[:n], p.x[at:][:n]), ws.searcher.weightsOf(p.importance, p.tiling.first+at, n))
	}
}

// searchGroups searches for the groups [lo, hi): short ones side by side, and longer ones if they are that many.
func (p *pass[T]) searchGroups(ws *workspace[T], lo, hi int) {
	t := p.tiling
	length := 0 // of all groups, if it is one
	if t.edge == nil {
		length = t.size / t.count
	}
	for lo < hi {
		n := min(together, hi-lo)
		switch {
		case p.format.scale == ScaleE4M3FN:
			if length == 0 {
				n = 1
			}
			x, weights, _, _ := p.collect(ws, lo, n)
			ws.searcher.searchScales(p.observer.params.Scale[lo:][:n], x, weights)
		case ws.searcher.alike() && 0 < length && (length <= short || t.contiguous() && length <= chunk && n == together):
			if length <= short {
				n = min(observed, hi-lo)
			}
			x, weights, low, high := p.collect(ws, lo, n)
			ws.searcher.searchBatch(x, weights, low, high)
			p.observer.update(lo, low, high)
		default:
			n = 1
			ws.low, ws.high = grow(ws.low, 1), grow(ws.high, 1)
			r := ws.searcher.rangeOf(p.weighted(ws, lo))
			ws.low[0], ws.high[0] = r.Min, r.Max
			p.observer.update(lo, ws.low, ws.high)
		}
		lo += n
	}
}

// collect returns the elements of n groups of one length from the g-th on, one group after the other, their weights or none, and their ranges.
func (p *pass[T]) collect(ws *workspace[T], g, n int) (x, weights, low, high []float32) {
	t, s := p.tiling, &ws.searcher
	if t.contiguous() {
		at, length := g*t.grid.Len, n*t.grid.Len
		if elementOf[T]() != elementF32 {
			s.wide = grow(s.wide, length)
		}
		low, high = p.minMax(ws, span{at: at, grid: kernels.Grid{Rows: 1, Groups: n, Len: t.grid.Len}})
		return widened(s.wide, p.x[at:][:length]), s.weightsOf(p.importance, t.first+at, length), low, high
	}
	ws.low, ws.high = grow(ws.low, n), grow(ws.high, n)
	s.wide = s.wide[:0]
	for i := range n {
		for part := range p.weighted(ws, g+i) {
			s.wide, weights = append(s.wide, part.x...), append(weights, part.weights...)
			ws.low[i], ws.high[i] = slices.Min(part.x), slices.Max(part.x)
		}
	}
	return s.wide, weights, ws.low, ws.high
}

// weighted yields the elements of a group in chunks, with their weights. Inlined, its loops would stand in each of its callers, for no time
// that shows.
//
//go:noinline
func (p *pass[T]) weighted(ws *workspace[T], g int) iter.Seq[weighted] {
	return func(yield func(weighted) bool) {
		held := 0
		var weights []float32
		for at, length := range p.tiling.runs(g) {
			for x := p.x[at:][:length]; len(x) > 0; {
				n := min(len(x), chunk-held)
				widen(ws.wide[held:], x[:n])
				if p.importance != nil {
					weights = append(weights[:held], ws.searcher.weightsOf(p.importance, p.tiling.first+at, n)...)
				}
				x, at, held = x[n:], at+n, held+n
				if held == chunk {
					if !yield(weighted{ws.wide, weights}) {
						return
					}
					held = 0
				}
			}
		}
		if held > 0 {
			yield(weighted{ws.wide[:held], weights})
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
