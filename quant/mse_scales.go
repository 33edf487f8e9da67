package quant

import (
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/kernels"
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

// searchScales replaces the scales of groups, together at most, by the best of their neighbours. x has the groups' elements, and weights theirs, or none. The first candidate is the widest; a narrower
// one takes its place if its error is less. What would be beyond the dialect's scales counts as the last of them. Groups of zeros, and those whose
// scale is NaN, keep their scales.
func (s *searcher) searchScales(scales, x, weights []float32) {
	s.put(x, weights, len(x)/len(scales), s.inTurn(len(scales)))
	each, n := s.count(), s.count()*together
	s.params.resizeCodes(&s.format, n)
	for g := range together {
		scale := scales[min(g, len(scales)-1)]
		keeps := scale != scale || s.allZero(g)
		c := int(fp8.E4M3FNFromFloat32(scale)) + s.from
		for i := range each {
			to := &s.params.Scale[i*together+g]
			if *to = scale; !keeps {
				*to = fp8.E4M3FN(min(max(c-i, int(s.leastScale())), int(largestScale))).Float32()
			}
		}
	}
	var best kernels.Best
	s.least(&best, 0, each)
	for g := range scales {
		scales[g] = s.params.Scale[int(best.Candidate[g])*together+g]
	}
}

// allZero tells whether all elements of the g-th group are 0.
func (s *searcher) allZero(g int) bool {
	for i := g; i < len(s.x); i += together {
		if s.x[i] != 0 {
			return false
		}
	}
	return true
}
