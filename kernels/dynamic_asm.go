package kernels

import "unsafe"

// dynamicPiece is how many elements are observed and quantized in turn: an L2
// cache has them, and quantizing is no faster from an L1 cache. Each turn waits
// for its parameters, and so costs about as much as a thousand elements.
const dynamicPiece = 1 << 15

func dynamicIntAsm[T Float](impl isa, st storage, dst unsafe.Pointer, src []T, g Grid, r *IntRule) {
	switch {
	case g.Groups <= fewChosen:
		var low, recip [fewChosen]float32
		dynamicInts(impl, st, dst, src, g, r, findings{low[:], recip[:]})
	case r.ends() || (r.ZeroPoint == nil) != (r.Minval == nil):
		var low, recip [manyChosen]float32
		dynamicInts(impl, st, dst, src, g, r, findings{low[:], recip[:]})
	default: // nothing goes into low
		var recip [manyChosen]float32
		dynamicInts(impl, st, dst, src, g, r, findings{recip[:], recip[:]})
	}
}

func dynamicInts[T Float](impl isa, st storage, dst unsafe.Pointer, src []T, g Grid, r *IntRule, c findings) {
	to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), dst, st.bits, NoMask)
	p, step := r.params(0, g.Groups), g.inPiece(len(c.low))
	for first := 0; first < g.Groups; first += step {
		n := min(step, g.Groups-first)
		adjacent(impl, src[first*g.Len:][:n*g.Len], g.Len, c.low[:n], r.Scale[first:][:n], r.ends())
		chooseInts[T](impl, c, r, first, n)
		quantizeIntGroups(impl, st, dst, src, g, &p, first, c.recip[:n], to)
	}
}

// inPiece is how many groups are observed and quantized in turn, so many at most.
func (g Grid) inPiece(most int) int {
	if g.Groups <= most && g.Groups*g.Len <= dynamicPiece { // where a division would take long beside the rest
		return g.Groups
	}
	return max(1, min(most, dynamicPiece/g.Len))
}

func dynamicFloatAsm[T Float](impl isa, dst []byte, src []T, g Grid, r *FloatRule) {
	if g.Groups <= fewChosen {
		var recip [fewChosen]float32
		dynamicFloats(impl, dst, src, g, r, recip[:])
	} else {
		var recip [manyChosen]float32
		dynamicFloats(impl, dst, src, g, r, recip[:])
	}
}

func dynamicFloats[T Float](impl isa, dst []byte, src []T, g Grid, r *FloatRule, recip []float32) {
	c := findings{recip: recip}
	to := streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), r.Format.Bits(), NoMask)
	step := g.inPiece(len(recip))
	for first := 0; first < g.Groups; first += step {
		n := min(step, g.Groups-first)
		adjacent(impl, src[first*g.Len:][:n*g.Len], g.Len, nil, r.Scale[first:][:n], false)
		chooseFloats[T](impl, c, r, first, n)
		scale := r.Scale[first:][:n]
		if r.Dialect != Reference || r.Scales == ScaleE8M0 && r.Format != E2M1 {
			scale = nil // recip will do
		}
		quantizeFloatGroups(impl, dst, src, g, r.Format, first, scale, recip[:n], to)
	}
}
