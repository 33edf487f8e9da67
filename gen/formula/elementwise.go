package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// backward is the straight-through gradient: a product, so that NaN and the
// sign of zero come out as IEEE has them.
func backward(t tensor) []*ir.Kernel {
	bytes := ir.New("backward", "Backward", `sets dx = dy*mask, mask a byte per element. In place (dx == dy) is allowed.`, Masks.Of("Bytes"), Elems.Of(t.name))
	bytes.Store("dx", t.out, bytes.Load("dy", t.mem).Mul(bytes.Load("mask", ir.MemU8).ToFloat()))

	bits := ir.New("backward", "Backward", `sets dx = dy*mask, mask a bit per element, first element lowest. In place (dx == dy) is allowed.`, Masks.Of("Bits"), Elems.Of(t.name))
	m := bits.Load("mask", ir.MemBits)
	bits.Store("dx", t.out, bits.Load("dy", t.mem).Mul(m.Keep(bits.Const(1))))
	return []*ir.Kernel{bytes, bits}
}

// minmax reduces groups; a NaN in a group shows in both results, and adding
// +0 makes a zero positive whichever zero was met first.
func minmax(t tensor) []*ir.Kernel {
	fold := ir.New("minmax", "MinMax", `sets min and max of each group of x, NaN if one is among it; zeros are +0.`, Elems.Of(t.name))
	x := fold.Load("x", t.mem)
	fold.Result("min", x.FoldMin().Add(x.FoldNaN()))
	fold.Result("max", x.FoldMax().Add(x.FoldNaN()))

	most := ir.New("minmax", "AbsMax", `sets most of each group to the largest |x|, NaN if one is among it.`, Elems.Of(t.name))
	most.Result("most", magnitude(most, most.Load("x", t.mem)).FoldHigh())

	reach := ir.New("minmax", "Reach", `sets low = min(x, 0) and high = max(x, 0) of each group of x; zeros are +0.
low is NaN if one is among it, high may be.`, Elems.Of(t.name))
	x = reach.Load("x", t.mem)
	lo, hi := x.FoldLow(), x.FoldHigh()
	negative := reach.Int(0).ISub(lo.As(ir.I32).Shr(31))
	kept := lo.As(ir.I32).And(negative).As(ir.F32).Add(reach.Const(0))
	reach.Result("low", hi.Ordered().Select(kept, hi))
	reach.Result("high", hi)

	columns := ir.New("minmax", "MinMaxColumns", `takes six rows into min and max of each column, NaN in both if one is among it; zeros are +0.`, Elems.Of(t.name))
	lo, hi = columns.Load("min", ir.MemF32), columns.Load("max", ir.MemF32)
	widest := magnitude(columns, lo).As(ir.I32) // a NaN is beyond an infinity
	for _, row := range []string{"x0", "x1", "x2", "x3", "x4", "x5"} {
		x = columns.Load(row, t.mem)
		lo, hi, widest = x.Min(lo), x.Max(hi), widest.IMax(magnitude(columns, x).As(ir.I32))
	}
	ordered := widest.As(ir.F32).Ordered()
	columns.Store("min", ir.MemF32, ordered.Select(lo, widest.As(ir.F32)).Add(columns.Const(0)))
	columns.Store("max", ir.MemF32, ordered.Select(hi, widest.As(ir.F32)).Add(columns.Const(0)))
	return []*ir.Kernel{fold, most, reach, columns}
}

// merge joins the ends of two sets of groups.
func merge() *ir.Kernel {
	k := ir.New("minmax", "MergeMinMax", `sets min = minimum(min, x) and max = maximum(max, y), NaN if one of the two is.`)
	k.Store("min", ir.MemF32, k.Load("min", ir.MemF32).Minimum(k.Load("x", ir.MemF32)))
	k.Store("max", ir.MemF32, k.Load("max", ir.MemF32).Maximum(k.Load("y", ir.MemF32)))
	return k
}
