package kernels

import "math"

// LearnFactor returns the factor by which LSQ multiplies the gradients of a scale,
// 1/sqrt(n*most): n is the number of weights of the tensor, or of features of an
// activation, and most the largest code, Max or the format's.
func LearnFactor(n int, most float32) float32 {
	return float32(1 / math.Sqrt(float64(n)*float64(most)))
}

// LearnInt writes the gradients of the scale and the zero point of each group,
// over all rows, for training them along with the weights (LSQ, Esser et al., 2020,
// with the gradient where the forward pass clips):
//
//	v = x / s        r = round(v) + z        inside = Min <= r <= Max
//	dscale = factor * sum of dy * ((r - z) - v  if inside, Min - z below, Max - z above, 0 for NaN)
//	dzero  = factor * -s * sum of dy where r is below or above
//
// in float32; the sums have ErrorInt's order and are rounded to float32 before they
// are multiplied. dx is Backward's, by the mask of FakeQuantizeInt. dzero may be
// nil. Parameters with a minval are refused.
func LearnInt[T Float](dscale, dzero []float32, dy, x []T, g Grid, p *IntParams, factor float32) {
	const kernel = "LearnInt"
	q := *p
	q.check(kernel, g.Groups)
	if q.Dialect != Reference {
		fail(kernel, "the dialect is %v, want Reference", q.Dialect)
	}
	if q.Minval != nil {
		fail(kernel, "Minval is given, want zero points or none")
	}
	checkLearn(kernel, dscale, dzero, dy, x, g)
	learn(dscale, dzero, dy, x, g, fakeQuantizer{ints: &q}, factor)
}

// LearnFloat is LearnInt for a small float format: the gradient of the scale alone.
//
//	v = x / s        inside = -max <= v <= max
//	dscale = factor * sum of dy * (cast(v) - v  if inside, -max below, max above, 0 for NaN)
func LearnFloat[T Float](dscale []float32, dy, x []T, g Grid, p *FloatParams, factor float32) {
	const kernel = "LearnFloat"
	p.check(kernel, g.Groups)
	p.checkReference(kernel)
	checkLearn(kernel, dscale, nil, dy, x, g)
	learn(dscale, nil, dy, x, g, fakeQuantizer{floats: p}, factor)
}

func checkLearn[T Float](kernel string, dscale, dzero []float32, dy, x []T, g Grid) {
	g.check(kernel, "x", len(x))
	checkLen(kernel, "dy", len(dy), len(x))
	checkLen(kernel, "dscale", len(dscale), g.Groups)
	if dzero != nil {
		checkLen(kernel, "dzero", len(dzero), g.Groups)
	}
}

// slopes sets slopes to those of a group's results in its scale, and clipped to 1
// where an element was clipped, 0 where it was not, and unordered where x/s is NaN.
func (f fakeQuantizer) slopes(slopes []float32, clipped []byte, x []float32, group int) {
	if f.floats != nil {
		s, d := f.floats.Scale[group], &formats[f.floats.Format]
		for i, x := range x {
			switch v := x / s; {
			case v < -d.largest:
				slopes[i], clipped[i] = -d.largest, 1
			case v > d.largest:
				slopes[i], clipped[i] = d.largest, 1
			case v == v:
				slopes[i], clipped[i] = d.value(d.cast(v))-v, 0
			default:
				clipped[i] = unordered
			}
		}
		return
	}
	s, z, _ := f.ints.group(group)
	lo, hi := float32(f.ints.Min), float32(f.ints.Max)
	for i, x := range x {
		v := x / s
		switch r := roundToEven(v) + z; {
		case r < lo:
			slopes[i], clipped[i] = lo-z, 1
		case r > hi:
			slopes[i], clipped[i] = hi-z, 1
		case r == r:
			slopes[i], clipped[i] = (r-z)-v, 0
		default:
			clipped[i] = unordered
		}
	}
}

const unordered = 2

// learn adds what each element moves its group's parameters by.
func learn[T Float](dscale, dzero []float32, dy, x []T, g Grid, f fakeQuantizer, factor float32) {
	var bufX, bufY, scales, zeros [pieceLen]float32
	var clipped [pieceLen]byte
	for group := range g.Groups {
		var scale, zero orderedSum
		for row := range g.Rows {
			at := (row*g.Groups + group) * g.Len
			for end := at + g.Len; at < end; at += pieceLen {
				n := min(pieceLen, end-at)
				dy := widen(&bufY, dy[at:][:n])
				f.slopes(scales[:n], clipped[:n], widen(&bufX, x[at:][:n]), group)
				for i, dy := range dy {
					switch clipped[i] {
					case 0:
						scales[i], zeros[i] = dy*scales[i], 0
					case 1:
						scales[i], zeros[i] = dy*scales[i], dy
					default:
						scales[i], zeros[i] = 0, 0
					}
				}
				scale.add(scales[:n])
				zero.add(zeros[:n])
			}
		}
		dscale[group] = oneNaN(float32(scale.sum()) * factor)
		if dzero != nil {
			s, _, _ := f.ints.group(group)
			dzero[group] = oneNaN(float32(float32(zero.sum())*-s) * factor)
		}
	}
}
