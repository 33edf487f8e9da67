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
	if g.Rows > 1 && 0 < g.Len && g.Len <= fewInRow && sumChunk%g.Len == 0 {
		learnStrips(dscale, dzero, dy, x, g, f, factor)
		return
	}
	var b learnBuffer
	for group := range g.Groups {
		var scale, zero orderedSum
		for row := range g.Rows {
			at := (row*g.Groups + group) * g.Len
			for end := at + g.Len; at < end; at += pieceLen {
				n := min(pieceLen, end-at)
				learnPiece(&b, dy[at:][:n], x[at:][:n], f, group, n)
				scale.add(b.scales[:n])
				zero.add(b.zeros[:n])
			}
		}
		f.learned(dscale, dzero, group, scale.sum(), zero.sum(), factor)
	}
}

// learnBuffer has room for a piece.
type learnBuffer struct {
	x, dy, scales, zeros [pieceLen]float32
	clipped              [pieceLen]byte
}

// learnPiece sets scales and zeros to what elements of adjacent groups add to their sums.
func learnPiece[T Float](b *learnBuffer, dy, x []T, f fakeQuantizer, group, length int) {
	n := len(x)
	scales, zeros, clipped, wide := b.scales[:n], b.zeros[:n], b.clipped[:n], widen(&b.x, x)
	for at := 0; at < n; at, group = at+length, group+1 {
		f.slopes(scales[at:][:length], clipped[at:][:length], wide[at:][:length], group)
	}
	for i, dy := range widen(&b.dy, dy) {
		switch clipped[i] {
		case 0:
			scales[i], zeros[i] = dy*scales[i], 0
		case 1:
			scales[i], zeros[i] = dy*scales[i], dy
		default:
			scales[i], zeros[i] = 0, 0
		}
	}
}

// learned writes the gradients of a group.
func (f fakeQuantizer) learned(dscale, dzero []float32, group int, scale, zero float64, factor float32) {
	dscale[group] = oneNaN(float32(scale) * factor)
	if dzero != nil {
		s, _, _ := f.ints.group(group)
		dzero[group] = oneNaN(float32(float32(zero)*-s) * factor)
	}
}

// fewInRow are so few elements of a group in a row that rows are summed for many groups side by side, where no chunk ends within a row.
const fewInRow = 16

// stripSums are the ordered sums of adjacent groups that have the same number of elements in each row.
type stripSums struct {
	lanes  [sumLanes][pieceLen]float32
	totals [pieceLen]float64
}

// add adds elements of groups; the first is a group's number first.
func (s *stripSums) add(x []float32, length, first int) {
	if length == 1 {
		lane := s.lanes[first%sumLanes][:len(x)]
		for i, v := range x {
			lane[i] += v
		}
	} else {
		for g := 0; len(x) > 0; g, x = g+1, x[length:] {
			for i, v := range x[:length] {
				s.lanes[(first+i)%sumLanes][g] += v
			}
		}
	}
}

// close ends a chunk of n groups.
func (s *stripSums) close(n int) {
	for half := sumLanes / 2; half > 0; half /= 2 {
		for j := range half {
			from := s.lanes[j+half][:n]
			for g := range from {
				s.lanes[j][g] += from[g]
			}
		}
	}
	for g := range n {
		s.totals[g] += float64(s.lanes[0][g])
	}
	s.lanes = [sumLanes][pieceLen]float32{}
}

// learnStrips is learn for a strip of groups at a time, row by row.
func learnStrips[T Float](dscale, dzero []float32, dy, x []T, g Grid, f fakeQuantizer, factor float32) {
	var b learnBuffer
	for first := 0; first < g.Groups; first += pieceLen / g.Len {
		n := min(pieceLen/g.Len, g.Groups-first)
		var scale, zero stripSums
		held := 0
		for row := range g.Rows {
			if held == sumChunk {
				scale.close(n)
				zero.close(n)
				held = 0
			}
			at := (row*g.Groups + first) * g.Len
			learnPiece(&b, dy[at:][:n*g.Len], x[at:][:n*g.Len], f, first, g.Len)
			scale.add(b.scales[:n*g.Len], g.Len, held)
			zero.add(b.zeros[:n*g.Len], g.Len, held)
			held += g.Len
		}
		scale.close(n)
		zero.close(n)
		for i := range n {
			f.learned(dscale, dzero, first+i, scale.totals[i], zero.totals[i], factor)
		}
	}
}
