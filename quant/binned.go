package quant

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/lowbit-go/lowbit/kernels"
)

func init() { RegisterCalculator("histogram", newBinned) }

// binned is the Calculator that keeps a histogram of all passes, and takes the range from it.
type binned struct {
	histogram
	num, den uint64 // percentile, unless mse
	mse      *searcher
}

// newBinned makes the calculator. Its argument range names what finds the range in the histogram: "percentile", or "mse" unless given.
func newBinned(r Request) (Calculator, error) {
	a := struct {
		Range Algorithm `json:"range"`
	}{Algorithm{Name: "mse"}}
	if err := r.Arguments(&a); err != nil {
		return nil, err
	}
	switch {
	case r.Spec.Granularity.kind != perTensor:
		return nil, specError("granularity", r.Spec.Granularity, "per_tensor, as the histogram is one of all elements")
	case r.Spec.RangeCalculator.Name != "minmax":
		return nil, specError("range_calculator_cls", r.Spec.RangeCalculator.Name, "minmax, as the histogram finds the range")
	}
	b := &binned{}
	b.element = r.element
	within := r
	within.field, within.algorithm = r.field+".range", a.Range
	switch a.Range.Name {
	case "percentile":
		p, err := newPercentile(within)
		if err != nil {
			return nil, err
		}
		b.num, b.den = p.(*percentile).num, p.(*percentile).den
	case "mse":
		m, err := newMSE(within)
		if err != nil {
			return nil, err
		}
		if b.mse = &m.(*mse).alone; b.mse.norm != kernels.Norm2 {
			return nil, within.Error("norm", 2.5, "2, as the error is a histogram's")
		}
	default:
		return nil, r.Error("range.name", a.Range.Name, "percentile or mse")
	}
	return b, nil
}

// Next is not asked: an observer counts elements, and takes the range from all of them.
func (b *binned) Next(_, seen Range, _ func(float32) float32) Range { return seen }

// rangeOf returns the range that the histogram gives.
func (b *binned) rangeOf() Range {
	if b.mse == nil {
		return b.percentile(b.num, b.den)
	}
	return b.mse.ofHistogram(&b.histogram)
}

// ofHistogram returns the fraction of the finite range with the least error. Each bin stands for its middle, that of infinity is left out:
//
//	e = fq(middle) - middle in float32        error = sum of count * (e*e) in float64, by ascending bins
func (s *searcher) ofHistogram(h *histogram) Range {
	errors, best := s.histogramErrors(h), 0
	for c, e := range errors {
		if e < errors[best] {
			best = c
		}
	}
	low, high := s.fraction(best, h.ends())
	return Range{low, high}
}

// histogramErrors returns the errors of all candidates.
func (s *searcher) histogramErrors(h *histogram) (errors []float64) {
	var x []float32
	var weight []float64
	for i, n := range h.used() {
		if v := h.value(i, middle); math.Abs(float64(v)) <= math.MaxFloat32 {
			x, weight = append(x, v), append(weight, float64(n))
		}
	}
	y, ends := make([]float32, len(x)), h.ends()
	s.low, s.high = grow(s.low, 1), grow(s.high, 1)
	for c := range s.count() {
		s.candidates(s.low[:1], s.high[:1], c, ends)
		s.choose(1)
		s.fakeQuantize(y, x)
		total := 0.0
		for i, v := range y {
			e := float64(v - x[i])
			total += float64(weight[i] * float64(e*e))
		}
		errors = append(errors, total)
	}
	return errors
}

// fakeQuantize does it with the parameters of the first candidate.
func (s *searcher) fakeQuantize(y, x []float32) {
	of := span{grid: kernels.Grid{Rows: 1, Groups: 1, Len: len(x)}}
	if s.format.dtype.IsFloat() {
		p := s.format.floats(&s.params, of, false)
		kernels.FakeQuantizeFloat(y, kernels.NoMask, x, of.grid, &p)
	} else {
		p := s.format.ints(&s.params, of, false)
		kernels.FakeQuantizeInt(y, kernels.NoMask, x, of.grid, &p)
	}
}

// histogram returns the calculator of a histogram, nil if the observer's is another one.
func (o *observer) histogram() *binned {
	b, _ := o.calculator.(*binned)
	return b
}

// observeBins counts all elements, and moves the parameters with the range of the histogram.
func (p *pass[T]) observeBins(b *binned) {
	add(&b.histogram, p.x)
	p.observer.takeBins(b)
}

func (o *observer) takeBins(b *binned) {
	ends := b.ends()
	o.running[0] = Range{min(ends.Min, 0), max(ends.Max, 0)}
	r := b.rangeOf()
	low, high := [1]float32{o.round(r.Min)}, [1]float32{o.round(r.Max)}
	o.clamp(low[:], high[:])
	o.choose(&o.format, &o.params, 0, low[:], high[:])
}

// The names of a histogram's tensors in a state.
const (
	histogramKeys   = "histogram_keys"
	histogramCounts = "histogram_counts"
	histogramNaN    = "histogram_nan"
)

// addTo adds the histogram to a state.
func (b *binned) addTo(s State) {
	keys, counts, n := []byte{}, []byte{}, 0
	_, nan := b.count()
	for i, count := range b.used() {
		keys = binary.LittleEndian.AppendUint16(keys, i)
		counts = binary.LittleEndian.AppendUint64(counts, count)
		n++
	}
	s[calculatorPrefix+histogramKeys] = StateTensor{"U16", []int{n}, keys}
	s[calculatorPrefix+histogramCounts] = StateTensor{"I64", []int{n}, counts}
	s[calculatorPrefix+histogramNaN] = StateTensor{"I64", []int{}, binary.LittleEndian.AppendUint64(nil, nan)}
}

// histogram takes a histogram out of a state, and its ends, the running ones.
func (l *stateLoader) histogram(e element, ranges []Range) (h histogram) {
	n := 1
	if keys := l.peek(histogramKeys); len(keys.Shape) == 1 {
		n = keys.Shape[0]
	}
	keys := l.words(histogramKeys, "U16", 2, []int{n})
	counts := l.take(calculatorPrefix+histogramCounts, "I64", 8, []int{n})
	nan := l.take(calculatorPrefix+histogramNaN, "I64", 8, []int{})
	if l.err != nil {
		return h
	}
	if len(ranges) == 0 { // before the first pass
		if count := binary.LittleEndian.Uint64(nan); count != 0 || len(keys) > 0 {
			l.fail(calculatorPrefix+histogramNaN, fmt.Sprintf("%d, with %d bins", count, len(keys)), "nothing counted, as nothing was observed")
		}
		return h
	}
	h.begin(e)
	l.err = h.fill(binary.LittleEndian.Uint64(nan), func(yield func(uint16, uint64) bool) {
		for i, k := range keys {
			if !yield(uint16(k), binary.LittleEndian.Uint64(counts[8*i:])) {
				return
			}
		}
	})
	if len(ranges) == 1 {
		h.finite = ranges[0]
	}
	return h
}
