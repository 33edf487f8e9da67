package quant

import (
	"iter"
	"math"
	"slices"
)

func init() { RegisterRangeCalculator("percentile", newPercentile) }

// percentile is the range calculator of order statistics: of the n elements of a group that are not NaN, Max is the k-th smallest and Min
// the k-th largest, k = max(1, ceil(n*num/den)). It is exact, and needs no order of the elements.
type percentile struct {
	num, den uint64

	held   []float32 // the elements of a small group
	bins   histogram // of a larger one
	halves *tally    // the lower halves of the elements of one bin
}

func newPercentile(r Request) (RangeCalculator, error) {
	var a fractionArguments
	if err := r.Arguments(&a); err != nil {
		return nil, err
	}
	if err := a.check(r); err != nil {
		return nil, err
	}
	return &percentile{num: a.Num, den: a.Den}, nil
}

// fractionArguments are num and den, without defaults.
type fractionArguments struct {
	Num uint64 `json:"num"`
	Den uint64 `json:"den"`
}

func (a fractionArguments) check(r Request) error {
	const largest = 1 << 32
	switch {
	case a.Den < 1 || a.Den > largest:
		return r.Error("den", a.Den, "1 to 2^32")
	case a.Num < 1 || a.Num > a.Den:
		return r.Error("num", a.Num, "1 to den")
	}
	return nil
}

// few elements are sorted in less time than they are counted.
const few = 1 << 11

// Range sorts few elements, and counts more.
func (p *percentile) Range(group iter.Seq[[]float32]) Range {
	p.held = p.held[:0]
	for x := range group {
		for _, v := range x {
			if v == v {
				p.held = append(p.held, v)
			}
		}
		if len(p.held) > few {
			return p.count(group)
		}
	}
	n := uint64(len(p.held))
	if n == 0 {
		nan := float32(math.NaN())
		return Range{nan, nan}
	}
	k := rank(n, p.num, p.den)
	slices.Sort(p.held)
	return Range{p.held[n-k], p.held[k-1]}
}

// count finds order statistics by the bins of a histogram and the lower halves of the elements of the bins that they are in.
func (p *percentile) count(group iter.Seq[[]float32]) Range {
	p.bins.reset()
	if p.halves == nil {
		p.halves = new(tally)
	}
	for x := range group {
		add(&p.bins, x)
	}
	n, _ := p.bins.count()
	k := rank(n, p.num, p.den)
	return Range{p.statistic(group, n-k+1), p.statistic(group, k)}
}

// statistic returns the k-th smallest of the elements that were counted: few elements of its bin are sorted, and many counted by their lower halves.
func (p *percentile) statistic(group iter.Seq[[]float32], k uint64) float32 {
	bin, k, n := p.bins.find(k)
	of := upper(bin)
	order := uint16(int16(of) >> 15) // of lower halves in the order of the values: turned over where they are negative
	sorted := n <= few
	p.held = p.held[:0]
	if !sorted {
		p.halves.reset()
	}
	for x := range group {
		for _, v := range x {
			b := math.Float32bits(v)
			switch {
			case uint16(b>>16) != of || v != v:
			case sorted:
				p.held = append(p.held, v)
			default:
				p.halves.add(uint16(b)^order, 1)
			}
		}
	}
	if sorted {
		slices.Sort(p.held)
		return p.held[k-1]
	}
	lower := uint16(0)
	for ; k > p.halves.of(lower); lower++ {
		k -= p.halves.of(lower)
	}
	return math.Float32frombits(uint32(of)<<16 | uint32(lower^order))
}
