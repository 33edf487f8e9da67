package quant

import "github.com/lowbit-go/lowbit/kernels"

func init() { RegisterQuantizeStep("stochastic", newStochastic) }

// stochastic is the step that rounds by chance, as kernels.StochasticInt and StochasticFloat do: its results are right on average. An element's
// random word depends on the seed, the stream and its place in the tensor.
type stochastic struct{ random kernels.Random }

func newStochastic(r Request) (QuantizeStep, error) {
	var a struct {
		Seed   uint64 `json:"seed"`
		Stream uint64 `json:"stream"`
	}
	err := r.Arguments(&a)
	return stochastic{kernels.Random{Seed: a.Seed, Stream: a.Stream}}, err
}

func (s stochastic) Quantize(codes []float32, mask []byte, x []float32, g Group) {
	r := s.random
	r.First = uint64(g.First)
	lo, hi := g.QuantMin-g.QuantOffset, g.QuantMax-g.QuantOffset
	for i, x := range x {
		v := (x - g.FloatOffset) / g.Scale
		codes[i], mask[i] = v, 0
		if lo <= v && v <= hi {
			mask[i] = 1
		}
	}
	if g.DType.IsFloat() {
		kernels.StochasticFloat(codes, codes, kernelFormat(g.DType, false), r)
		return
	}
	kernels.StochasticInt(codes, codes, lo, hi, r)
	for i := range codes {
		codes[i] += g.QuantOffset
	}
}
