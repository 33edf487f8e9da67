package quant

import "math"

// Group is what a QuantizeStep has to know of a group: its parameters, in the reference's notation, in which the integer formula of
// both formulations is
//
//	q = clamp(round((x - FloatOffset) / Scale) + QuantOffset, QuantMin, QuantMax)
//	y = (q - QuantOffset) * Scale + FloatOffset
//
// with QuantOffset the zero point and FloatOffset 0 for ZP, QuantMin and the minval for MinVal. Float formats have no offsets, and keep
// the sign of zero: q = cast(clamp(x / Scale, QuantMin, QuantMax)), y = q * Scale.
type Group struct {
	DType                    DType
	QuantMin, QuantMax       float32
	Scale                    float32
	QuantOffset, FloatOffset float32
	First                    int // the place in the tensor, row-major, of the first element at hand
}

// A QuantizeStep is the step from elements to codes; a user's own replaces the formula, say to round stochastically.
// Each quantizer has a QuantizeStep of its own, made by the constructor that was registered, and calls it from one goroutine at a time.
type QuantizeStep interface {
	// Quantize writes the value of x[i]'s code to codes[i], for a float format as the value rather than its bits, and whether
	// its gradient passes, 1 or 0, to mask[i]. All elements are of group g. They come in row-major order.
	// A value that is no code is made the nearest one, in all that comes of it, and a mask that is not 0 is made 1.
	Quantize(codes []float32, mask []byte, x []float32, g Group)
}

var quantizeSteps = registry[QuantizeStep]{field: "fake_quantize_cls"}

func init() { RegisterQuantizeStep("default", without[QuantizeStep](formula{})) }

// RegisterQuantizeStep makes a QuantizeStep known by a name that Spec.FakeQuantize (fake_quantize_cls) may give.
// It panics if the name is taken. A constructor that returns nil or an error makes the Spec invalid. Known from the start are
//   - "default": the formula above;
//   - "stochastic": kernels.StochasticInt or StochasticFloat of (x - FloatOffset) / Scale, with the arguments "seed" and "stream", 0 unless given,
//     and each element's place in its tensor. The mask is the default's but for what rounds into the range: 1 where the quotient is within it.
func RegisterQuantizeStep(name string, new func(Request) (QuantizeStep, error)) {
	quantizeSteps.register(name, new)
}

// formula is the default step without its mask. A pass leaves it to the kernels, but where it needs what they do not tell: which values are NaN
// before they are codes.
type formula struct{}

func (formula) Quantize(codes []float32, _ []byte, x []float32, g Group) {
	for i, x := range x {
		r := (x - g.FloatOffset) / g.Scale
		if !g.DType.IsFloat() {
			r = float32(math.RoundToEven(float64(r))) + g.QuantOffset
		}
		codes[i] = min(max(r, g.QuantMin), g.QuantMax)
	}
}
