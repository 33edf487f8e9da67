package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// shorts are integer codes of sixteen bits, signed or not, by zero points and by
// minvals: of one the other is 0. As they are rare there is one kernel each way, of
// float32: other tensors are widened first and narrowed behind.
func shorts() []*ir.Kernel {
	k := ir.New("shorts", "QuantizeShort", `sets q = min(max(round((x-minval)/scale) + zero, least), most), or 0 for NaN, in two's complement. recip is Prepare's.`)
	x, s, r, zero := k.Load("x", ir.MemF32), k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32), k.Param("zero", ir.MemF32)
	least, most := k.Word("least", ir.MemF32), k.Word("most", ir.MemF32)
	x = x.Sub(k.Param("minval", ir.MemF32))
	code := func(v *ir.Node) *ir.Node { return v.Round().Add(zero).Max(least).Min(most).ToInt() }
	k.Store("q", ir.MemU16, code(quotient(x, s, r).OrAlarm()))
	k.Rarely(func() {
		v := x.Div(s)
		k.Store("q", ir.MemU16, v.Ordered().Keep(code(v)))
	})

	d := ir.New("shorts", "DequantizeShort", `sets y = (q - zero)*scale + minval.`+withSignBit)
	q, sign := d.Load("q", ir.MemU16), d.Word("sign", ir.MemI32)
	s, zero = d.Param("scale", ir.MemF32), d.Param("zero", ir.MemF32)
	d.Store("y", ir.MemF32, q.Xor(sign).ISub(sign).ToFloat().Sub(zero).Mul(s).Add(d.Param("minval", ir.MemF32)))
	return []*ir.Kernel{k, d}
}
