package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// Products records kernels for one long group of 16-bit elements of which package
// kernels has found that x*recip rounds as x/scale does wherever the format's
// numbers make a difference. QuantizeFpProduct is one for float16 and bfloat16. A tile of the others takes so little
// that float16 would take 1.05 to 1.3 times as long with a jump aside.
func Products() []*ir.Kernel {
	var ks []*ir.Kernel
	for _, t := range tensors[1:] {
		ks = append(ks, fakeQuantizeProduct(t))
		ks = append(ks, quantizeProduct(t)...)
		ks = append(ks, fakeQuantizeFpProduct(t))
	}
	ks = append(ks, quantizeFpProduct(elements[1]))
	for _, k := range ks {
		k.Large = true
	}
	return append(ks, elements[1].ties())
}

// ties asks of quotients that are in the middle of two numbers, or would be if
// there were an element that has them, whether the product rounds as they do.
func (t tensor) ties() *ir.Kernel {
	k := ir.New("product"+t.name, "ProductTies", `sets same, a byte each, to whether round(x*recip) == round(x/scale), x being the element that is closest to tie*scale.`, t.elem())
	s, r := k.Word("scale", ir.MemF32), k.Word("recip", ir.MemF32)
	x := k.Load("tie", ir.MemF32).Mul(s).RoundElem()
	k.Store("same", ir.MemU8, x.Mul(r).Round().Eq(x.Div(s).Round()).Bytes())
	return k
}

// fakeQuantizeProduct clips elements, 32 to a register, and not quotients: kernels
// has found which are the last that are not clipped. Infinities and NaN take the
// rare way.
func fakeQuantizeProduct(t tensor) *ir.Kernel {
	k := ir.New("product"+t.name, "FakeQuantizeProduct", `sets y = clip(round(x*recip))*scale, clipping to least..most`+toldByMask("it did not clip")+`.
The elements that are not clipped are low to high, both given in each half of a word. Where x has an infinity or a
NaN it divides. In place (y == x) is allowed.`, Elems.Of(t.name))
	x := k.Load("x", t.bits)
	c := x.IMin(k.Word("high", ir.MemI32).As(ir.I16)).UMin(k.Word("low", ir.MemI32).As(ir.I16))
	s, r := k.Word("scale", ir.MemF32), k.Word("recip", ir.MemF32)
	v := c.Widen(t.mem).Mul(r).OrAlarmAbove(x.And(k.Short(0x7fff)), k.Short(t.finite()))
	k.Store("y", t.mem, v.Round().MulAdd(s, k.Const(0)))
	storeMask(k, x.IEq(c))
	lo, hi := k.Word("least", ir.MemI32).ToFloat(), k.Word("most", ir.MemI32).ToFloat()
	k.Rarely(func() { t.rarelyFakeQuantize(k, k.Load("x", t.mem), s, lo, hi, k.Const(0)) })
	return k
}

// quantizeProduct clips codes, as quantize does: the packs do most of it.
func quantizeProduct(t tensor) []*ir.Kernel {
	k := ir.New("product"+t.name, "QuantizeProduct", `sets q = min(max(round(x*recip) + zeroPoint, least), most), or 0 for NaN.`, Elems.Of(t.name))
	x, s, r := k.Load("x", t.mem), k.Word("scale", ir.MemF32), k.Word("recip", ir.MemF32)
	zero, least, most := k.Word("zeroPoint", ir.MemI32), k.Word("least", ir.MemI32), k.Word("most", ir.MemI32)
	storeCodes(k, x.Mul(r).ToInt16OrAlarm().AddSat16(zero.Narrow16()), least, most)
	k.Rarely(func() { storeRareCodes(k, x, s, zero, least, most) })

	whole := ir.New("product"+t.name, "QuantizeWholeProduct", `sets q = min(max(round(x*recip), -128), 127), or 0 for NaN.`, Elems.Of(t.name))
	x, s, r = whole.Load("x", t.mem), whole.Word("scale", ir.MemF32), whole.Word("recip", ir.MemF32)
	storeWhole(whole, x, s, x.Mul(r))
	return []*ir.Kernel{k, whole}
}

func fakeQuantizeFpProduct(t tensor) *ir.Kernel {
	k := ir.New("product"+t.name, "FakeQuantizeFpProduct", `sets y = grid(c)*scale with v = x*recip and c = min(max(v, -most), most)`+toldByMask("c == v")+`.
grid is FakeQuantizeFp's, and unit 3*2^(22 - mantissa bits). In place (y == x) is allowed.`, Elems.Of(t.name))
	least, step, most := k.Word("least", ir.MemI32), k.Word("step", ir.MemI32), k.Word("most", ir.MemF32)
	x, s, r, unit := k.Load("x", t.mem), k.Word("scale", ir.MemF32), k.Word("recip", ir.MemF32), k.Word("unit", ir.MemF32)
	v := x.Mul(r).OrAlarm()
	c := v.Clip(most)
	e := exponent(k, c).UMax(least).As(ir.F32) // onGrid's M is e*unit
	k.Store("y", t.mem, withSign(k, e.MulSubFrom(unit, e.MulAdd(unit, c)), v).Mul(s))
	storeMask(k, c.Inside(v))
	k.Rarely(func() { t.rarelyFakeQuantizeFp(k, x, s, least, step, most) })
	return k
}

func quantizeFpProduct(t tensor) *ir.Kernel {
	k := ir.New("product"+t.name, "QuantizeFpProduct", `sets q to the code of x*recip, clipped and rounded to the format.`+anyFloatWords, t.elem())
	x, s, r := k.Load("x", t.mem), k.Word("scale", ir.MemF32), k.Word("recip", ir.MemF32)
	anyFloat.encoder(k).quantize(x.Mul(r), func() *ir.Node { return x.Div(s) })
	return k
}
