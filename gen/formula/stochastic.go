package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// stochastic are random words, and rounding by them: see kernels.StochasticInt. A NaN goes through all operations, each of which keeps it.
func stochastic() []*ir.Kernel {
	random := ir.New("stochastic", "RandomWords", `sets words to those of n blocks of Philox4x32-10, four each, from number block on, whose upper half is theirs too.
keys are those of philox.Stream.Keys. n >= 32 is a multiple of 32. Up to 8 blocks more are written.`)
	random.Random = true

	const rule = `, or the next farther from zero
if word>>8 < frac*2^24, frac being what is beyond it in steps`
	var ks = []*ir.Kernel{random}
	begin := func(family, doc string, variants ...ir.Variant) *ir.Kernel {
		k := ir.New("stochastic", family, doc, variants...)
		k.Upward = true
		ks = append(ks, k)
		return k
	}
	k := begin("StochasticInt", `sets y = trunc(c) with c = min(max(v, least), most)`+rule+`. In place (y == v) is allowed.`)
	v, least, most := k.Load("v", ir.MemF32), k.Word("least", ir.MemF32), k.Word("most", ir.MemF32)
	sign := least.As(ir.I32).And(k.Int(-1 << 31)) // what is clipped to 0 is +0
	m := k.Const(3 << 22)
	steps := less(k, v.Max(least).Min(most).Magnitude(), k.Const(0x1p-24)).Add(m).Sub(m)
	k.Store("y", ir.MemF32, steps.As(ir.I32).OrAnd(v.As(ir.I32), sign).As(ir.F32))

	k = begin("StochasticFp", `sets y = grid(c) with c = min(max(v, -most), most), toward zero`+rule+`.
The grid is that of mantissa bits, in the place of a float32's exponent, whose least normal number has the exponent field least, in place.
In place (y == v) is allowed.`)
	v, most = k.Load("v", ir.MemF32), k.Word("most", ir.MemF32)
	c := v.Magnitude().Min(most)
	steps = upSteps(k, c, c, k.Word("least", ir.MemI32), k.Word("mantissa", ir.MemI32).IAdd(k.Int(24<<23)))
	k.Store("y", ir.MemF32, withSign(k, steps, v))

	k = begin("StochasticHalf", `sets y = x as float16, toward zero`+rule+`. Infinity and NaN are converted as by Encode.`, Elems.Of("F16"))
	x := k.Load("x", ir.MemF32)
	x.OrAlarmHalf() // float16's normal numbers are a float32's upper bits, as bfloat16 is
	k.Store("y", ir.MemF16, x.As(ir.I32).IAdd(k.Int(0x1fff).ISub(k.Load("words", ir.MemI32).Shr(19))).As(ir.F32).OfHalf())
	k.Rarely(func() {
		k.Store("y", ir.MemF16, withSign(k, upSteps(k, x.Magnitude(), x, k.Int(113<<23), k.Int(34<<23)), x))
	})

	k = ir.New("stochastic", "StochasticHalf", `sets y = x as bfloat16, toward zero, or the next farther from zero if word>>16 is below what is
beyond it. Infinity and NaN are converted as by Encode.`, Elems.Of("BF16"))
	x = k.Load("x", ir.MemF32)
	x.OrAlarm()
	b := x.As(ir.I32)
	carried := b.IAdd(k.Int(0xffff).ISub(k.Load("words", ir.MemI32).Shr(16)))
	k.Store("y", ir.MemU16, carried.Shr(16))
	k.Rarely(func() { k.Store("y", ir.MemU16, x.Ordered().Select(carried, b.Or(k.Int(1<<22))).Shr(16)) })
	ks = append(ks, k)
	for _, k := range ks[1:] { // of words too there are whole runs
		k.Whole = true
	}
	return ks
}

// less is a magnitude less the element's word in 2^-24 steps, rounded upward: it is above what is on the grid just where the magnitude is so by more
// than the word.
func less(k *ir.Kernel, magnitude, step24 *ir.Node) *ir.Node {
	return k.Load("words", ir.MemI32).Shr(8).ToFloat().MulSubFrom(step24, magnitude)
}

// upSteps rounds a magnitude so, to the steps of a format with fine less 24 mantissa bits, or of its subnormals. As onGrid does it adds one and a half times the power of
// two whose last place is the step, and takes that away: a multiple of the step in 2^-24, which is finite where a magnitude is not.
func upSteps(k *ir.Kernel, v, x, least, fine *ir.Node) *ir.Node {
	step24 := exponent(k, x).UMax(least).ISub(fine).As(ir.F32)
	m := k.Const(3 << 46)
	return step24.MulSubFrom(m, step24.MulAdd(m, less(k, v, step24)))
}
