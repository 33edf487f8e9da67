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
	learnWith(current(), dscale, dzero, dy, x, g, fakeQuantizer{ints: &q}, factor)
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
	learnWith(current(), dscale, nil, dy, x, g, fakeQuantizer{floats: p}, factor)
}

func learnWith[T Float](impl isa, dscale, dzero []float32, dy, x []T, g Grid, f fakeQuantizer, factor float32) {
	if impl == generic || len(x) == 0 {
		learn(dscale, dzero, dy, x, g, f, factor)
	} else {
		learnAsm(impl, dscale, dzero, dy, x, g, f, factor)
	}
}

func checkLearn[T Float](kernel string, dscale, dzero []float32, dy, x []T, g Grid) {
	g.check(kernel, "x", len(x))
	checkLen(kernel, "dy", len(dy), len(x))
	checkLen(kernel, "dscale", len(dscale), g.Groups)
	if dzero != nil {
		checkLen(kernel, "dzero", len(dzero), g.Groups)
	}
}

// learn adds what each element moves its group's parameters by.
func learn[T Float](dscale, dzero []float32, dy, x []T, g Grid, f fakeQuantizer, factor float32) {
	if g.Rows > 1 && 0 < g.Len && g.Len <= fewInRow && sumChunk%g.Len == 0 {
		learnStrips(dscale, dzero, dy, x, g, f, factor)
		return
	}
	var b learnBuffer
	if g.Rows == 1 && 0 < g.Len && g.Len <= pieceLen { // a piece has several groups
		for first := 0; first < g.Groups; first += pieceLen / g.Len {
			groups := min(pieceLen/g.Len, g.Groups-first)
			at, n := first*g.Len, groups*g.Len
			learnPiece(&b, dy[at:][:n], x[at:][:n], f, first, g.Len)
			for i := range groups {
				var scale, zero orderedSum
				scale.add(b.scales[i*g.Len:][:g.Len])
				zero.add(b.zeros[i*g.Len:][:g.Len])
				f.learned(dscale, dzero, first+i, scale.sum(), zero.sum(), factor)
			}
		}
		return
	}
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
	x, dy         [pieceLen]float32
	v, q          [pieceLen]float32 // quotients, and what they are rounded to less the zero point
	inside        [pieceLen]byte    // 1 where they are not clipped
	scales, zeros [pieceLen]float32 // what elements add to the sums
}

// learnPiece sets scales and zeros for elements of adjacent groups.
func learnPiece[T Float](b *learnBuffer, dy, x []T, f fakeQuantizer, group, length int) {
	n := len(x)
	b.round(widen(b.x[:], x), f, group, length)
	v, q, inside, scales, zeros := b.v[:n], b.q[:n], b.inside[:n], b.scales[:n], b.zeros[:n]
	for i, dy := range widen(b.dy[:], dy) {
		mask := -uint32(inside[i])
		slope := q[i] - math.Float32frombits(math.Float32bits(v[i])&mask)
		scales[i], zeros[i] = dy*slope, math.Float32frombits(math.Float32bits(dy)&^mask)
		if slope != slope {
			scales[i], zeros[i] = 0, 0
		}
	}
}

// round sets v, q and inside. To fake-quantize quotients with scale 1 is to round and clip them.
func (b *learnBuffer) round(x []float32, f fakeQuantizer, group, length int) {
	n := len(x)
	groups := n / length
	v, q, mask, g := b.v[:n], b.q[:n], ByteMask(b.inside[:n]), Grid{Rows: 1, Groups: groups, Len: length}
	if f.ints != nil {
		divide(v, x, f.ints.Scale[group:][:groups])
		p := f.ints.part(group, groups)
		p.Scale = ones()[:groups]
		fakeQuantizeInt(current(), q, mask, v, g, &p)
		return
	}
	divide(v, x, f.floats.Scale[group:][:groups])
	p := f.floats.part(group, groups)
	p.Scale = ones()[:groups]
	fakeQuantizeFloat(current(), q, mask, v, g, &p)
}

// divide sets v to elements over their group's scale.
func divide(v, x, scale []float32) {
	length := len(x) / len(scale)
	if length == 1 {
		for i, s := range scale {
			v[i] = x[i] / s
		}
		return
	}
	for i, s := range scale {
		to := v[i*length:][:length]
		for j, x := range x[i*length:][:length] {
			to[j] = x / s
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
