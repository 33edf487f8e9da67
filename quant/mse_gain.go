package quant

import (
	"math"

	"github.com/lowbit-go/lowbit/kernels"
)

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
