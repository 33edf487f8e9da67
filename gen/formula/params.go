package formula

import (
	"math"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// params chooses parameters from ranges, with groups as lanes. Results are
// rounded to the tensor's element type, operation by operation, but for
// 1/scale, which is for the elements' division.
func params() []*ir.Kernel {
	scale := ir.New("params", "ParamsScale", `sets scale = max(most/half, 2^-23), rounded to the element type, and recip = Prepare's.
most is the largest magnitude of a group, half the value of the greatest code, or half the number of steps.`, AnyElem.Of(""))
	storeScale(scale, scale.Load("most", ir.MemF32), scale.Word("half", ir.MemF32))

	symmetric := ir.New("params", "ParamsSymmetric", `is ParamsScale, and sets zeroPoint = middle and minval = 0-most.`, AnyElem.Of(""))
	half, middle := symmetric.Word("half", ir.MemF32), symmetric.Word("middle", ir.MemI32)
	most := symmetric.Load("most", ir.MemF32)
	storeScale(symmetric, most, half)
	symmetric.Store("zeroPoint", ir.MemI32, middle)
	symmetric.Store("minval", ir.MemF32, symmetric.Const(0).Sub(most).OneNaN())

	asymmetric := ir.New("params", "ParamsAsymmetric", `sets, with min and max widened to hold zero, scale = max((max-min)/steps, 2^-23),
recip = Prepare's, zeroPoint = min(max(least - round(min/scale), least), greatest), or 0 if that is NaN, and minval = min.
Each operation is rounded to the element type.`, AnyElem.Of(""))
	k := asymmetric
	steps, least, greatest := k.Word("steps", ir.MemF32), k.Word("least", ir.MemF32), k.Word("greatest", ir.MemF32)
	zero := k.Const(0)
	lo, hi := k.Load("min", ir.MemF32).Min(zero), k.Load("max", ir.MemF32).Max(zero)
	s := storeScale(k, hi.Sub(lo).RoundElem(), steps)
	below := lo.Div(s).RoundElem().Round().RoundElem()
	z := least.Sub(below).RoundElem().Max(least).Min(greatest)
	k.Store("zeroPoint", ir.MemI32, z.Ordered().Keep(z).ToInt())
	k.Store("minval", ir.MemF32, lo.Add(zero).OneNaN())
	return []*ir.Kernel{scale, symmetric, asymmetric, scalesE4M3()}
}

// storeScale stores max(width/steps, 2^-23) and its reciprocal.
func storeScale(k *ir.Kernel, width, steps *ir.Node) *ir.Node {
	// What underflows in the quotient is far below 2^-23; it is NaN for infinity, and then as wide.
	q := quotient(width, steps, k.Const(1).Div(steps))
	s := q.Ordered().Select(q, width).RoundElem().Max(k.Const(0x1p-23)).OneNaN()
	k.Store("scale", ir.MemF32, s)
	k.Store("recip", ir.MemF32, reciprocal(k, s))
	return s
}

// magnitudes are what symmetric formats take of ranges.
func magnitudes() *ir.Kernel {
	k := ir.New("params", "ParamsMagnitude", `sets most = max(-min(low, 0), max(high, 0)), NaN if low or high is.`)
	zero := k.Const(0)
	k.Store("most", ir.MemF32, zero.Sub(k.Load("low", ir.MemF32).Min(zero)).Maximum(k.Load("high", ir.MemF32).Max(zero)))
	return k
}

// powersOfTwo are the scales of the OCP Microscaling formats, as the libraries choose them.
func powersOfTwo() []*ir.Kernel {
	k := ir.New("params", "ParamsPowerOfTwo", `sets scale = 2^(b-127) with b = max((bits of |most| + round)>>23 - maxExp, least), and recip = 2^(127 - max(b, one)), exact.
most is the largest magnitude of a group, least and one are 0 or 1; round is what is added to the mantissa. A NaN counts as 2^128
if round is 0.`)
	b := k.Load("most", ir.MemF32).Magnitude().As(ir.I32).IAdd(k.Word("round", ir.MemI32)).Shr(23)
	b = b.ISub(k.Word("maxExp", ir.MemI32)).IMax(k.Word("least", ir.MemI32))
	k.Store("scale", ir.MemF32, ofByte(k, b))
	k.Store("recip", ir.MemF32, k.Int(254).ISub(b.IMax(k.Word("one", ir.MemI32))).Shl(23).As(ir.F32))
	return []*ir.Kernel{k, logarithm()}
}

// ofByte is the power of two that an E8M0 code of less than 255 stands for.
func ofByte(k *ir.Kernel, b *ir.Node) *ir.Node { return b.Shl(23).UMax(k.Int(1 << 22)).As(ir.F32) }

// logarithm rounds up the logarithm of a quotient, which is a float32: a little
// above 2^e it is e still, while what is more is less than half of the last place of e.
func logarithm() *ir.Kernel {
	k := ir.New("params", "ParamsLogarithm", `sets scale = 2^ceil(log2(most/largest)), at least 2^-127, with the logarithm rounded to float32, and
recip = 1/scale, exact; for scale = 2^-127 it is of. most is the largest magnitude of a group, and finite.`)
	q := k.Load("most", ir.MemF32).Div(k.Word("largest", ir.MemF32)).As(ir.I32)
	field := q.Shr(23)
	// half of the last place above e, as a part of 2^e, in last places: ln(2)/2 times the power of two that is no more
	// than |e|, or less for negative e, as the last place below a power of two is half of that above
	size := exponent(k, field.ISub(k.Int(127)).ToFloat().Add(k.Const(0x1p-10))).As(ir.F32)
	same := size.MulSub(k.Const(math.Ln2/2), k.Const(0.5)).ToInt()
	most := int32(1<<23 - 1)
	// a subnormal number is 2^-127 or more from 2^22 last places on
	up := field.IEq(k.Int(0)).Select(k.Int(most-(1<<22+11)), k.Int(most).ISub(same))
	b := q.IAdd(up).Shr(23)
	k.Store("scale", ir.MemF32, ofByte(k, b))
	k.Store("recip", ir.MemF32, b.IEq(k.Int(0)).Select(k.Word("of", ir.MemF32), k.Int(254).ISub(b).Shl(23).As(ir.F32)))
	return k
}

// scalesE4M3 are the scales of NVFP4.
func scalesE4M3() *ir.Kernel {
	k := ir.New("params", "ParamsE4M3", `sets scale to the E4M3 of v = min(max(most/over/global*times, least), 448), or of instead where that is no more than nothing,
value = scale*by/under, and recip = one/value, or NaN if value is not within [2^-80, greatest]. The first quotient is rounded to the element type;
global and times are not both other than 1, nor by and under. global and under are within [2^-60, 2^100]. most is the largest magnitude of a group.
value may be where scale is, if by and under are 1, or where recip is, which is lost then.`, AnyElem.Of(""))
	v := k.Load("most", ir.MemF32).Div(k.Word("over", ir.MemF32)).RoundElem()
	// What underflows in this is far below the least scale; it is NaN for infinity and what becomes it, and then 448 all the same.
	global := k.Word("global", ir.MemF32)
	q := quotient(v, global, k.Const(1).Div(global))
	v = q.Ordered().Select(q, v)
	v = v.Mul(k.Word("times", ir.MemF32))
	nothing := k.Word("nothing", ir.MemF32)
	v = v.Max(nothing).Eq(nothing).Select(k.Word("instead", ir.MemF32), v.Max(k.Word("least", ir.MemF32)).Min(k.Const(448)))
	s := onGrid(k, v, k.Int(e4m3.least<<23), k.Int(int32(23-e4m3.mantissa)<<23)).OneNaN()
	k.Store("scale", ir.MemF32, s)
	under := k.Word("under", ir.MemF32)
	value := quotient(s.Mul(k.Word("by", ir.MemF32)), under, k.Const(1).Div(under)).OneNaN()
	k.Store("recip", ir.MemF32, reciprocalWithin(k, value, k.Const(leastSafeScale), k.Word("greatest", ir.MemF32), k.Word("one", ir.MemF32)))
	k.Store("value", ir.MemF32, value)
	return k
}

// value is what the values of codes are multiplied by, if scales have two levels.
func value() *ir.Kernel {
	k := ir.New("params", "ParamsValue", `sets value = scale*times/over, each operation rounded, and recip = 1/value, or NaN if value is not within [2^-80, most].`)
	v := k.Load("scale", ir.MemF32).Mul(k.Word("times", ir.MemF32)).Div(k.Word("over", ir.MemF32))
	k.Store("value", ir.MemF32, v.OneNaN())
	k.Store("recip", ir.MemF32, reciprocalWithin(k, v, k.Const(leastSafeScale), k.Word("most", ir.MemF32), k.Const(1)))
	return k
}
