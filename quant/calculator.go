package quant

// Range is the range of a group: its least and its greatest element, Min <= 0 <= Max.
type Range struct{ Min, Max float32 }

// A Calculator decides, pass after pass, from which range a group's parameters are computed.
// Each quantizer has a Calculator of its own, made by the constructor that was registered, and calls it from one goroutine at a time.
type Calculator interface {
	// Next returns the range after a forward pass that saw the range seen, when it was running before. It is called once for each
	// group of each pass but the first, whose range is what was seen. The result is rounded to the tensor's element type and kept
	// in the quantizer's state. The reference's arithmetic is that of the element type: round rounds to it, and belongs around
	// each product and sum where the same bits matter.
	Next(running, seen Range, round func(float32) float32) Range
}

var calculators = registry[Calculator]{field: "qparam_calculator_cls"}

func init() {
	RegisterCalculator("default", without[Calculator](static{})) // static or moving_average, by target
	RegisterCalculator("static", without[Calculator](static{}))
	RegisterCalculator("dynamic", without[Calculator](static{}))
	RegisterCalculator("moving_average", func(r Request) (Calculator, error) {
		a := struct {
			Constant float64 `json:"constant"`
		}{0.01}
		err := r.Arguments(&a)
		if err == nil && !(a.Constant > 0 && a.Constant <= 1) {
			err = r.Error("constant", a.Constant, "more than 0 and at most 1")
		}
		return MovingAverage(a.Constant), err
	})
	RegisterCalculator("global_minmax", without[Calculator](globalMinMax{}))
}

// RegisterCalculator makes a Calculator known by a name that Spec.Calculator (qparam_calculator_cls) may give. It panics if the name is taken.
// A constructor that returns nil or an error makes the Spec invalid. The names known from the start are
//   - "static": the range of this tensor;
//   - "moving_average": MovingAverage of its argument "constant", 0.01 unless given;
//   - "global_minmax": the smallest minimum and the greatest maximum seen so far;
//   - "dynamic": the range of this tensor, with no state at all: the observer cannot be switched off, the shape of the
//     parameters may change from pass to pass; for activations, not with SymmetricWithClipping and not with a FloatRange;
//   - "histogram": the range that its argument "range" finds in a Histogram of all passes, "percentile" with its arguments or "mse", which
//     it is unless given; per tensor only;
//   - "default": static for Weight and LUT, moving_average for Activation.
func RegisterCalculator(name string, new func(Request) (Calculator, error)) {
	calculators.register(name, new)
}

// static takes the range of each tensor by itself. An observer that has it keeps no ranges.
type static struct{}

func (static) Next(_, seen Range, _ func(float32) float32) Range { return seen }

// MovingAverage returns the Calculator of the exponential moving average, seen*c + running*(1-c), where c and 1-c are
// rounded to float32, and both products and the sum to the element type.
func MovingAverage(c float64) Calculator { return movingAverage{float32(c), float32(1 - c)} }

type movingAverage struct{ seen, running float32 }

func (m movingAverage) Next(running, seen Range, round func(float32) float32) Range {
	mean := func(running, seen float32) float32 {
		return round(round(float32(m.seen*seen)) + round(float32(m.running*running)))
	}
	return Range{mean(running.Min, seen.Min), mean(running.Max, seen.Max)}
}

// globalMinMax keeps the widest range.
type globalMinMax struct{}

func (globalMinMax) Next(running, seen Range, _ func(float32) float32) Range {
	return Range{min(running.Min, seen.Min), max(running.Max, seen.Max)}
}

// shareable tells whether several workers may call a calculator at a time: this package's, which have no state of their own.
func shareable(c Calculator) bool {
	switch c.(type) {
	case nil, movingAverage, globalMinMax:
		return true
	}
	return false
}
