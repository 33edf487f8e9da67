package quant

import (
	"math"

	"github.com/lowbit-go/lowbit/kernels"
)

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
