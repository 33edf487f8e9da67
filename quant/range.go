package quant

import "iter"

// A RangeCalculator finds the range of a group of elements.
// Each quantizer has a RangeCalculator of its own, made by the constructor that was registered, and calls it from one goroutine at a
// time.
type RangeCalculator interface {
	// Range returns the range of a group of at least one element. The elements come in pieces, in row-major order, widened to
	// float32; a piece is valid until the next one, and must not be written to. Group may be ranged over more than once.
	// Each end is then rounded to the tensor's element type, and clamped to its side of zero.
	Range(group iter.Seq[[]float32]) Range
}

var rangeCalculators = registry[RangeCalculator]{news: map[string]func() RangeCalculator{
	"minmax": func() RangeCalculator { return nil }, // kernels.MinMax
}}

// RegisterRangeCalculator makes a RangeCalculator known by a name that Spec.RangeCalculator (range_calculator_cls) may give.
// It panics if the name is taken. Known from the start is "minmax", the least and the greatest element, NaN if there is one.
func RegisterRangeCalculator(name string, new func() RangeCalculator) {
	rangeCalculators.register(name, new)
}
