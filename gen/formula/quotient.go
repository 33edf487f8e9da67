package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// quotients are what elements become before they are clamped and rounded, where a
// library does something of its own with that: other kernels take it from there.
func quotients() []*ir.Kernel {
	k := ir.New("quotient", "Quotient", `sets y = x/scale + offset, each operation rounded, or nan for NaN. Of y only the bits keep are its own: the others,
above, are those of x + offset. recip is Prepare's. An offset of -0 changes nothing, and one of +0 makes +0 of -0. In place (y == x) is allowed.`)
	x, s, r, offset := k.Load("x", ir.MemF32), k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32), k.Param("offset", ir.MemF32)
	keep, nan := k.Word("keep", ir.MemI32), k.Word("nan", ir.MemF32)
	v := signedQuotient(x, s, r).OrAlarm()
	own := v.Add(offset).As(ir.I32).And(keep)
	k.Store("y", ir.MemF32, own.OrAnd(x.Add(offset).As(ir.I32), keep.Xor(k.Int(-1))).As(ir.F32))
	k.Rarely(func() {
		v := x.Div(s).Add(offset)
		k.Store("y", ir.MemF32, v.Ordered().Select(v, nan))
	})

	p := ir.New("quotient", "Product", `sets y = x*factor + zero, or nan for NaN. A zero of -0 changes nothing, and one of +0 makes +0 of -0. In place (y == x) is allowed.`)
	w := p.Load("x", ir.MemF32).Mul(p.Param("factor", ir.MemF32)).Add(p.Word("zero", ir.MemF32))
	p.Store("y", ir.MemF32, w.OrAlarm())
	p.Rarely(func() { p.Store("y", ir.MemF32, w.Ordered().Select(w, p.Word("nan", ir.MemF32))) })
	return []*ir.Kernel{k, p}
}
