package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// stochastic are random words, and rounding by them: see kernels.StochasticInt.
func stochastic() []*ir.Kernel {
	random := ir.New("stochastic", "RandomWords", `sets words to those of n blocks of Philox4x32-10, four each, from number block of a stream on. keys are
those of the ten rounds, two each. n >= 32 is a multiple of 32, and no two blocks have numbers with different upper halves.`)
	random.Random = true

	const rule = `, or the next farther from zero
if word>>8 < frac*2^24, frac being what is beyond it in steps`
	k := ir.New("stochastic", "StochasticInt", `sets y = trunc(c) with c = min(max(v, least), most)`+rule+`. In place (y == v) is allowed.`)
	v, least, most := k.Load("v", ir.MemF32), k.Word("least", ir.MemF32), k.Word("most", ir.MemF32)
	c := v.Max(least).Min(most)
	sign := least.As(ir.I32).And(k.Int(-1 << 31)) // what is clipped to 0 is +0
	k.Store("y", ir.MemF32, oneNaN(k, up(k, c.Magnitude()).As(ir.I32).OrAnd(v.As(ir.I32), sign).As(ir.F32)))
	ks := []*ir.Kernel{random, k}

	k = ir.New("stochastic", "StochasticFp", `sets y = grid(c) with c = min(max(v, -most), most), toward zero`+rule+`.
The grid is that of mantissa bits, in the place of a float32's exponent, whose least normal number has the exponent field least, in place.
In place (y == v) is allowed.`)
	v, most = k.Load("v", ir.MemF32), k.Word("most", ir.MemF32)
	c = v.Max(k.Const(0).Sub(most)).Min(most)
	field := exponent(k, c).UMax(k.Word("least", ir.MemI32))
	k.Store("y", ir.MemF32, oneNaN(k, withSign(k, upSteps(k, c, field, k.Word("mantissa", ir.MemI32)), v)))
	ks = append(ks, k)

	k = ir.New("stochastic", "StochasticHalf", `sets y = x as float16, toward zero`+rule+`. Infinity and NaN are converted as by Encode.`, Elems.Of("F16"))
	x := k.Load("x", ir.MemF32)
	field = exponent(k, x).UMax(k.Int(113 << 23)).UMin(k.Int(142 << 23))
	k.Store("y", ir.MemF16, x.Ordered().Select(withSign(k, upSteps(k, x, field, k.Int(10<<23)), x), x))
	ks = append(ks, k)

	k = ir.New("stochastic", "StochasticHalf", `sets y = x as bfloat16, toward zero, or the next farther from zero if word>>16 is below what is
beyond it. Infinity and NaN are converted as by Encode.`, Elems.Of("BF16"))
	x = k.Load("x", ir.MemF32)
	b := x.As(ir.I32)
	carried := b.IAdd(k.Int(0xffff).ISub(k.Load("words", ir.MemI32).Shr(16)))
	b = x.Ordered().Select(carried, b.Or(k.Int(1<<22))).And(k.Int(-1 << 16))
	k.Store("y", ir.MemBF16, b.As(ir.F32))
	return append(ks, k)
}

// up rounds a number of steps that is not negative, by the element's word.
func up(k *ir.Kernel, steps *ir.Node) *ir.Node {
	t := steps.Trunc()
	frac := steps.Sub(t)
	word := k.Load("words", ir.MemI32).Shr(8).ToFloat()
	less := frac.MulSubFrom(k.Const(1<<24), word) // exact: its sign is the comparison
	return t.Add(less.As(ir.I32).Shr(31).ToFloat())
}

// upSteps rounds |v| so, to steps that follow from the exponent field.
func upSteps(k *ir.Kernel, v, field, mantissa *ir.Node) *ir.Node {
	inverse := k.Int(254 << 23).IAdd(mantissa).ISub(field).As(ir.F32)
	return up(k, v.Magnitude().Mul(inverse)).Mul(field.ISub(mantissa).As(ir.F32))
}
