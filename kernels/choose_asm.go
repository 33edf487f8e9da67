package kernels

import (
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/asm"
)

// findings are room for what is found of some groups on the way to their
// parameters: the lower ends of asymmetric formats, and the reciprocals of the
// scales. The upper ends, or the largest magnitudes, are put where the scales
// will be. Parameters that the caller does not want go over the lower ends.
type findings struct{ low, recip []float32 }

// How many groups parameters are chosen for at a time: a call with few groups
// gets a smaller buffer, which costs less to clear.
const (
	fewestChosen = 8
	fewChosen    = 128
	manyChosen   = 1024
)

// chooseInts chooses the parameters of the n groups from first on. Symmetric formats
// take the largest magnitudes, others the ends.
func chooseInts[T Float](impl isa, c findings, r *IntRule, first, n int) {
	scale, recip := r.Scale[first:][:n], &c.recip[0]
	switch {
	case r.Scales == ScaleE8M0:
		chooseIntE8M0(impl, c, r, first, n)
		return
	case r.compressed(): // low and the scales are the ends
		part := r.part(first, n)
		portableChooseInt[T](&part, c.low[:n], part.Scale)
		asm.Prepare(impl, recip, &scale[0], n)
		return
	case r.Asymmetric:
		zeroPoint, minval := c.others(r, first)
		asm.ParamsAsymmetric(impl, elemOf[T](), &scale[0], recip, zeroPoint, minval, &c.low[0], &scale[0],
			r.steps(), float32(r.Min), float32(r.Max), n)
		if r.Scales != ScaleAny {
			roundAsymmetric[T](impl, c, r, unsafe.Slice(minval, n), first, n)
		}
	case r.Scales == ScaleFloat16:
		chooseRounded[T, float16.Float16](impl, c, r, first, n)
	case r.Scales == ScaleBFloat16:
		chooseRounded[T, bf16.BFloat16](impl, c, r, first, n)
	default:
		chooseSymmetric[T](impl, c, r, first, n)
	}
}

// chooseRounded is chooseSymmetric with scales and minvals that are numbers of S: a float32 is rounded to that at once.
func chooseRounded[T, S Float](impl isa, c findings, r *IntRule, first, n int) {
	if unsafe.Sizeof(*new(T)) == 4 {
		chooseSymmetric[S](impl, c, r, first, n)
	} else {
		chooseSymmetric[T](impl, c, r, first, n)
		asm.ParamsScale(impl, elemOf[S](), &r.Scale[first], &c.recip[0], &r.Scale[first], 1, n)
	}
	if r.Minval != nil {
		roundTo(impl, elemOf[S](), r.Minval[first:][:n])
	}
}

// roundAsymmetric rounds the scales of an asymmetric format to the type that they are asked to have, and has the zero points follow
// from them. low are the lower ends.
func roundAsymmetric[T Float](impl isa, c findings, r *IntRule, low []float32, first, n int) {
	elem := asm.F16
	if r.Scales == ScaleBFloat16 {
		elem = asm.BF16
	}
	asm.ParamsScale(impl, elem, &r.Scale[first], &c.recip[0], &r.Scale[first], 1, n)
	for at := 0; at < n && r.ZeroPoint != nil; at += someGroups {
		part := r.part(first+at, min(someGroups, n-at))
		zeroPoints[T](impl, &part, low[at:], c.recip[at:])
	}
	if r.Minval != nil {
		roundTo(impl, elem, r.Minval[first:][:n])
	}
}

// zeroPoints computes the zero points of someGroups groups at most from their scales and lower ends.
func zeroPoints[T Float](impl isa, r *IntRule, low, recip []float32) {
	n, least, greatest := len(r.Scale), float32(r.Min), float32(r.Max)
	var v [someGroups]float32 // of the few bits of T, also as integers
	minus := float32(-1)
	asm.Quotient(impl, &v[0], &low[0], &r.Scale[0], &recip[0], &minusZeros[0], -1, nan32, n, 1, 0)
	roundTo(impl, elemOf[T](), v[:n])
	asm.FakeQuantize[float32](impl, asm.F32, unsafe.Pointer(&v[0]), nil, unsafe.Pointer(&v[0]), &ones()[0], &ones()[0], -1<<24, 1<<24, int32(asm.NoMask), 1, n, 0)
	asm.Product(impl, &v[0], &v[0], &minus, least, nan32, 1, n, 0)
	roundTo(impl, elemOf[T](), v[:n])
	for i, z := range v[:n] {
		if z = clamp(z, least, greatest); z != z {
			z = 0
		}
		r.ZeroPoint[i] = int32(z)
	}
}

// roundTo rounds numbers to an element type.
func roundTo(impl isa, elem asm.Elem, v []float32) {
	if elem == asm.F32 {
		return
	}
	var half [someGroups]uint16
	for len(v) > 0 {
		n := min(len(half), len(v))
		asm.Encode(impl, elem, &half[0], &v[0], n, 0)
		asm.Decode(impl, elem, &v[0], &half[0], n, 0)
		v = v[n:]
	}
}

// others is where zero points and minvals go.
func (c findings) others(r *IntRule, first int) (zeroPoint *int32, minval *float32) {
	zeroPoint, minval = (*int32)(unsafe.Pointer(&c.low[0])), &c.low[0]
	if r.ZeroPoint != nil {
		zeroPoint = &r.ZeroPoint[first]
	}
	if r.Minval != nil {
		minval = &r.Minval[first]
	}
	return zeroPoint, minval
}

// chooseSymmetric chooses the parameters of a symmetric format, with scales that are numbers of T.
func chooseSymmetric[T Float](impl isa, c findings, r *IntRule, first, n int) {
	scale, recip, half := &r.Scale[first], &c.recip[0], r.steps()/2
	if r.ZeroPoint == nil && r.Minval == nil {
		asm.ParamsScale(impl, elemOf[T](), scale, recip, scale, half, n)
		return
	}
	zeroPoint, minval := c.others(r, first)
	asm.ParamsSymmetric(impl, elemOf[T](), scale, recip, zeroPoint, minval, scale, half, r.middle(), n)
}

// chooseIntE8M0 chooses scales that are powers of two for an integer format.
func chooseIntE8M0(impl isa, c findings, r *IntRule, first, n int) {
	for i, most := range r.Scale[first:][:n] {
		if r.Minval != nil {
			r.Minval[first+i] = oneNaN(0 - most)
		}
		if r.ZeroPoint != nil {
			r.ZeroPoint[first+i] = 0
		}
	}
	asm.ParamsPowerOfTwo(impl, &r.Scale[first], &c.recip[0], &r.Scale[first], 0, int8MaxExp, 1, 1, n)
	asm.Prepare(impl, &c.recip[0], &r.Scale[first], n)
}

// ends reports whether the rule wants both ends of a range, rather than the largest magnitude.
func (r *IntRule) ends() bool { return r.Asymmetric || r.compressed() }

// chooseFloats chooses the scales of the n groups from first on.
func chooseFloats[T Float](impl isa, c findings, r *FloatRule, first, n int) {
	if r.Dialect != Reference {
		part := r.part(first, n)
		chooseDialect[T](impl, &part, part.Scale, c.recip, c.recip)
		return
	}
	if r.Scales == ScaleE8M0 {
		asm.ParamsPowerOfTwo(impl, &r.Scale[first], &c.recip[0], &r.Scale[first], 0, int32(formats[r.Format].maxExp), 1, 1, n)
	} else {
		asm.ParamsScale(impl, elemOf[T](), &r.Scale[first], &c.recip[0], &r.Scale[first], r.Format.Max(), n)
	}
	if r.Factor != nil {
		copy(r.Factor[first:], r.Scale[first:][:n])
	}
}

func chooseIntAsm[T Float](impl isa, r *IntRule, low, high []float32) {
	if len(low) <= fewestChosen {
		var lo, recip [fewestChosen]float32
		chooseIntRuns[T](impl, findings{lo[:], recip[:]}, r, low, high)
	} else {
		var lo, recip [fewChosen]float32
		chooseIntRuns[T](impl, findings{lo[:], recip[:]}, r, low, high)
	}
}

func chooseIntRuns[T Float](impl isa, c findings, r *IntRule, low, high []float32) {
	for first := 0; first < len(low); first += len(c.low) {
		n := min(len(c.low), len(low)-first)
		if r.ends() {
			copy(c.low, low[first:][:n])
			copy(r.Scale[first:], high[first:][:n])
		} else {
			magnitudes(impl, r.Scale[first:], low[first:][:n], high[first:])
		}
		chooseInts[T](impl, c, r, first, n)
	}
}

func chooseFloatAsm[T Float](impl isa, r *FloatRule, low, high []float32) {
	var recip [fewChosen]float32
	c := findings{recip: recip[:]}
	for first := 0; first < len(low); first += fewChosen {
		n := min(fewChosen, len(low)-first)
		magnitudes(impl, r.Scale[first:], low[first:][:n], high[first:])
		chooseFloats[T](impl, c, r, first, n)
	}
}

// magnitudes sets most to the largest magnitudes of ends; it may be high.
func magnitudes(impl isa, most, low, high []float32) {
	asm.ParamsMagnitude(impl, &most[0], &low[0], &high[0], len(low))
}

func observeIntAsm[T Float](impl isa, src []T, g Grid, r *IntRule) {
	switch {
	case g.adjacent() && g.Groups == 1:
		observeGroup(impl, src, r)
		return
	case g.adjacent():
		observeInts(impl, src, g, r, nil)
		return
	}
	var buf [observing]T
	observeInts(impl, src, g, r, buf[:])
}

// observeGroup observes one group, which src is.
func observeGroup[T Float](impl isa, src []T, r *IntRule) {
	var low, high [1]float32
	adjacent(impl, src, len(src), low[:], high[:], r.ends())
	portableChooseInt[T](r, low[:], high[:]) // which takes less for one group than to call assembly
}

func observeInts[T Float](impl isa, src []T, g Grid, r *IntRule, buf []T) {
	var low, recip [fewChosen]float32
	c := findings{low[:], recip[:]}
	for first := 0; first < g.Groups; first += fewChosen {
		n := min(fewChosen, g.Groups-first)
		observe(impl, src, g, first, c.low[:n], r.Scale[first:][:n], r.ends(), buf)
		chooseInts[T](impl, c, r, first, n)
	}
}

func observeFloatAsm[T Float](impl isa, src []T, g Grid, r *FloatRule) {
	if g.adjacent() {
		observeFloats(impl, src, g, r, nil)
		return
	}
	var buf [observing]T
	observeFloats(impl, src, g, r, buf[:])
}

func observeFloats[T Float](impl isa, src []T, g Grid, r *FloatRule, buf []T) {
	var low, recip [fewChosen]float32
	c := findings{recip: recip[:]}
	for first := 0; first < g.Groups; first += fewChosen {
		n := min(fewChosen, g.Groups-first)
		observe(impl, src, g, first, low[:n], r.Scale[first:][:n], false, buf)
		chooseFloats[T](impl, c, r, first, n)
	}
}

// observing is what observe needs of a buffer where groups are not adjacent.
const observing = 5*fewChosen + spare

// observe finds the ends of the groups from first on, over all rows, or else
// their largest magnitudes in high. Ends are wanted no further than to zero.
func observe[T Float](impl isa, src []T, g Grid, first int, low, high []float32, ends bool, buf []T) {
	if g.adjacent() {
		adjacent(impl, src[first*g.Len:][:len(low)*g.Len], g.Len, low, high, ends)
		return
	}
	lo, hi := buf[:len(low)], buf[fewChosen:][:len(high)]
	rangeRuns(impl, src, g, first, lo, hi, newPartial(buf[2*fewChosen:], fewChosen))
	widenEnds(impl, low, lo)
	widenEnds(impl, high, hi)
	if !ends {
		magnitudes(impl, high, low, high)
	}
}

// widenEnds brings as many ends as dst has room for to float32.
func widenEnds[T Float](impl isa, dst []float32, ends []T) {
	first := unsafe.Pointer(&ends[0])
	if unsafe.Sizeof(*new(T)) == 4 {
		copy(dst, unsafe.Slice((*float32)(first), len(dst)))
	} else {
		asm.Decode(impl, elemOf[T](), &dst[0], (*uint16)(first), len(dst), 0)
	}
}

// adjacent observes groups that make up x; low is for ends only.
func adjacent[T Float](impl isa, x []T, length int, low, high []float32, ends bool) {
	if length <= mostElements {
		reach(impl, x, unsafe.SliceData(low), &high[0], len(high), length, ends)
		return
	}
	for i := range high {
		group := x[i*length:][:length]
		var lo, hi float32
		for at := 0; at < length; at += mostElements {
			var partLo, partHi float32
			reach(impl, group[at:], &partLo, &partHi, 1, min(mostElements, length-at), ends)
			lo, hi = min(lo, partLo), max(hi, partHi)
		}
		if high[i] = hi; ends {
			low[i] = lo
		}
	}
}

func reach[T Float](impl isa, x []T, low, high *float32, groups, length int, ends bool) {
	if ends {
		asm.Reach[T](impl, elemOf[T](), unsafe.Pointer(&x[0]), low, high, groups, length)
	} else {
		asm.AbsMax[T](impl, elemOf[T](), unsafe.Pointer(&x[0]), high, groups, length)
	}
}
