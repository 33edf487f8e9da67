package quant

import (
	"iter"
	"math"
	"slices"
)

// A RangeCalculator finds the range of a group of elements.
// Each quantizer has a RangeCalculator of its own, made by the constructor that was registered, and calls it from one goroutine at a
// time.
type RangeCalculator interface {
	// Range returns the range of a group of at least one element. The elements come in pieces, in row-major order, widened to
	// float32; a piece is valid until the next one, and must not be written to. Group may be ranged over more than once.
	// Each end is then rounded to the tensor's element type, and clamped to its side of zero.
	Range(group iter.Seq[[]float32]) Range
}

var rangeCalculators = registry[RangeCalculator]{field: "range_calculator_cls"}

func init() { RegisterRangeCalculator("minmax", without[RangeCalculator](minMax{})) }

// RegisterRangeCalculator makes a RangeCalculator known by a name that Spec.RangeCalculator (range_calculator_cls) may give.
// It panics if the name is taken. A constructor that returns nil or an error makes the Spec invalid. Known from the start are
//   - "minmax": the least and the greatest element, NaN if there is one;
//   - "percentile": of the n elements that are not NaN the k-th largest and the k-th smallest, k = max(1, ceil(n*num/den)), with its arguments
//     "num" and "den";
//   - "mse": the fraction of minmax's range with the least squared error: fractions n/grid from n = "from" down to n = "to", of which the
//     widest of the best is taken; "norm" is 2, or 2.5 for kernels.Norm2Half. Unless given, grid is 64, from 64, to 24 and norm 2; of scales that are
//     powers of two the exponent and the next one are tried. Of scales that are float8_e4m3fn (NVFP4) those from "from" to "to" values of that type
//     above the range's own are tried, 8 to -4 unless given, and the largest is taken of the best; the scale of the whole tensor stays that of its
//     largest magnitude. FakeQuantizer.Importance weights the errors.
func RegisterRangeCalculator(name string, new func(Request) (RangeCalculator, error)) {
	rangeCalculators.register(name, new)
}

// minMax finds the least and the greatest element. A pass leaves that to the kernels.
type minMax struct{}

func (minMax) Range(group iter.Seq[[]float32]) Range {
	r := Range{float32(math.Inf(1)), float32(math.Inf(-1))}
	for piece := range group {
		r = Range{min(r.Min, slices.Min(piece)), max(r.Max, slices.Max(piece))}
	}
	return r
}
