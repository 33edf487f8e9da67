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

	held   []float32     // the elements of a small group
	counts *[bins]uint32 // of upper halves, or of the lower halves of one upper one
	second *[bins]uint32 // of another one
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

// small groups are sorted, larger ones counted: twice, by the upper and the lower halves of their elements.
func (p *percentile) Range(group iter.Seq[[]float32]) Range {
	p.held = p.held[:0]
	n, small := uint64(0), true
	for x := range group {
		for _, v := range x {
			if v != v {
				continue
			}
			n++
			if small {
				p.held = append(p.held, v)
			}
		}
		small = small && len(p.held) < chunk
	}
	if n == 0 {
		nan := float32(math.NaN())
		return Range{nan, nan}
	}
	k := rank(n, p.num, p.den)
	if int(n) == len(p.held) {
		slices.Sort(p.held)
		return Range{p.held[n-k], p.held[k-1]}
	}
	return p.count(group, n, k)
}

// count finds the k-th of n elements from either end by the bins of a histogram and the lower halves of the two bins that they are in.
func (p *percentile) count(group iter.Seq[[]float32], n, k uint64) Range {
	if p.counts == nil {
		p.counts, p.second = new([bins]uint32), new([bins]uint32)
	}
	clear(p.counts[:])
	for x := range group {
		for _, v := range x {
			if v == v {
				p.counts[bin(uint16(math.Float32bits(v)>>16))]++
			}
		}
	}
	top, inTop := find(p.counts, k)     // the k-th smallest is the inTop-th smallest of its bin
	low, inLow := find(p.counts, n-k+1) // the k-th largest likewise
	clear(p.counts[:])
	clear(p.second[:])
	for x := range group {
		for _, v := range x {
			b := math.Float32bits(v)
			if v != v {
				continue
			}
			switch lower := order(b); bin(uint16(b >> 16)) {
			case top:
				p.counts[lower]++
				if top == low {
					p.second[lower]++
				}
			case low:
				p.second[lower]++
			}
		}
	}
	at := func(upperBin uint16, counts *[bins]uint32, k uint64) float32 {
		lower, _ := find(counts, k)
		b := uint32(upper(upperBin))<<16 | uint32(lower)
		if upperBin < 1<<15 { // negative
			b ^= 0xffff
		}
		return math.Float32frombits(b)
	}
	return Range{at(low, p.second, inLow), at(top, p.counts, inTop)}
}

// order is the lower half of a float32's bits in the order of the values with the same upper half.
func order(b uint32) uint16 { return uint16(b) ^ uint16(int32(b)>>31) }

// find returns the bin in which the k-th smallest element is, and which of the bin's it is.
func find(counts *[bins]uint32, k uint64) (bin uint16, inBin uint64) {
	for i, n := range counts {
		if uint64(n) >= k {
			return uint16(i), k
		}
		k -= uint64(n)
	}
	panic("quant: more elements asked for than counted")
}
