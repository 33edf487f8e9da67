package quant

import (
	"github.com/lowbit-go/lowbit/fp8"
)

// Scales that are float8_e4m3fn are searched for among the neighbours of what follows from the range: candidates are from, from-1, ..., to values of that
// type above it. An octave above to half an octave below is where the least errors are: an octave above is the same grid, but for its ends.
const (
	mostSteps   = 8
	fewestSteps = -4
	allSteps    = int(largestScale)
)

// largestScale is 448.
const largestScale fp8.E4M3FN = 0x7e

// leastScale returns the least scale that a dialect's own rule gives.
func (m *mse) leastScale() fp8.E4M3FN {
	if m.format.dialect == TorchAO {
		return 0x08 // 2^-6
	}
	return 0x01
}

// searchScales replaces the scales of adjacent groups of the same length, of at most a chunk all together, by the best of their neighbours. The first
// candidate is the widest; a narrower one takes its place if its error is less. What would be beyond the dialect's scales counts as the last of them.
// Groups of zeros, and those whose scale is NaN, keep their scales.
func (s *searcher) searchScales(scales, x, weights []float32) {
	n, each, length := len(scales), s.count(), len(x)/len(scales)
	s.params.resize(&s.format, []int{n * each}, n*each)
	for g, scale := range scales {
		to := s.params.Scale[g*each:][:each]
		if scale != scale || allZero(x[g*length:][:length]) {
			for i := range to {
				to[i] = scale
			}
			continue
		}
		c := int(fp8.E4M3FNFromFloat32(scale)) + s.from
		for i := range to {
			to[i] = fp8.E4M3FN(min(max(c-i, int(s.leastScale())), int(largestScale))).Float32()
		}
	}
	s.errs = grow(s.errs, n*each)
	s.error(&s.params, s.errs, x, weights, n, 0)
	for g := range scales {
		errs, best := s.errs[g*each:][:each], 0
		for i, e := range errs {
			if e < errs[best] {
				best = i
			}
		}
		scales[g] = s.params.Scale[g*each+best]
	}
}

// allZero tells whether all elements are 0.
func allZero(x []float32) bool {
	for _, v := range x {
		if v != 0 {
			return false
		}
	}
	return true
}

// searchScales searches for the scales of the groups [lo, hi), which are those that follow from their ranges.
func (p *pass[T]) searchScales(b *bench[T], lo, hi int) {
	t, scales := p.tiling, p.observer.params.Scale
	if t.contiguous() {
		for n := 0; lo < hi; lo += n {
			n = min(chunk/t.grid.Len, groupsAtOnce, hi-lo)
			at, length := lo*t.grid.Len, n*t.grid.Len
			b.searcher.searchScales(scales[lo:][:n], widened(b.wide[:length], p.x[at:][:length]), b.searcher.weightsOf(p.importance, t.first+at, length))
		}
		return
	}
	for ; lo < hi; lo++ {
		for group := range p.weighted(b, lo) {
			b.searcher.searchScales(scales[lo:][:1], group.x, group.weights)
		}
	}
}
