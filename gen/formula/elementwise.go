package formula

import (
	"math"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// backward is the straight-through gradient: a product, so that NaN and the
// sign of zero come out as IEEE has them.
func backward(t tensor) []*ir.Kernel {
	bytes := ir.New("backward", "Backward", `sets dx = dy*mask, mask a byte per element. In place (dx == dy) is allowed.`, Masks.Of("Bytes"), Elems.Of(t.name))
	dy := bytes.Load("dy", t.mem)
	storeProduct(bytes, t.mem, dy.Mul(bytes.Load("mask", ir.MemU8).ToFloat()))

	bits := ir.New("backward", "Backward", `sets dx = dy*mask, mask a bit per element, first element lowest. In place (dx == dy) is allowed.`, Masks.Of("Bits"), Elems.Of(t.name))
	dy = bits.Load("dy", t.mem)
	storeProduct(bits, t.mem, dy.Mul(bits.Load("mask", ir.MemBits).Keep(bits.Const(1))))
	return []*ir.Kernel{bytes, bits}
}

// storeProduct stores a gradient.
func storeProduct(k *ir.Kernel, m ir.Mem, dx *ir.Node) {
	k.Store("dx", m, dx.OrAlarm())
	k.Rarely(func() { k.Store("dx", m, oneNaN(k, dx)) })
}

// minmax reduces groups. As integers, elements are in the order of their
// magnitudes: the largest of all, signed, is the greatest element unless all have
// the sign bit, and the largest, unsigned, the least one unless none has it; where
// that is not so, the smallest, unsigned, is the one that is wanted. A NaN is
// beyond an infinity of its sign, and so is one of the first two.
func minmax(t tensor) []*ir.Kernel {
	most := ir.New("minmax", "AbsMax", `sets most of each group to the largest |x|, NaN if one is among it.`, Elems.Of(t.name))
	x := most.Load("x", t.bits)
	if t.bits == ir.MemI16 {
		x = x.And(most.Short(0x7fff))
	} else {
		x = x.And(most.Int(0x7fffffff))
	}
	most.Result("most", ir.MemF32, t.widen(x.FoldUMax()))

	reach := ir.New("minmax", "Reach", `sets low = min(x, 0) and high = max(x, 0) of each group of x; zeros are +0.
low is NaN if one is among it, high may be.`, Elems.Of(t.name))
	x = reach.Load("x", t.bits)
	lo, hi := t.widen(x.FoldUMax()), t.widen(x.FoldIMax().IMax(reach.Int(0)))
	negative := reach.Int(0).ISub(lo.As(ir.I32).Shr(31))
	kept := lo.As(ir.I32).And(negative).As(ir.F32).Add(reach.Const(0))
	reach.Result("low", ir.MemF32, hi.Ordered().Select(kept, hi))
	reach.Result("high", ir.MemF32, hi)

	merge := ir.New("minmax", "MergeMinMax", `sets min to the least of min, max and x, and max to the greatest of min, max and y, NaN if one of them is;
zeros are +0.`, Elems.Of(t.name))
	lo, hi = merge.Load("min", t.mem), merge.Load("max", t.mem)
	least, greatest := lo.Minimum(hi).Minimum(merge.Load("x", t.mem)), hi.Maximum(lo).Maximum(merge.Load("y", t.mem))
	merge.Store("min", t.mem, oneNaN(merge, least.Add(merge.Const(0))))
	merge.Store("max", t.mem, oneNaN(merge, greatest.Add(merge.Const(0))))
	return []*ir.Kernel{t.ends(), most, reach, t.columns(), merge}
}

// columns takes rows into the ends of columns, or into what MergeMinMax makes them of.
func (t tensor) columns() *ir.Kernel {
	k := ir.New("minmax", "MinMaxColumns", `takes six rows into what is known of each column. Of F32 these are min and max, NaN in both if one is
among the rows; zeros are +0. Else they are three elements among which min and max are, and a NaN if there is one:
min and max have the largest ones as signed integers and as unsigned, and least has the smallest as unsigned.`, Elems.Of(t.name))
	rows := []string{"x0", "x1", "x2", "x3", "x4", "x5"}
	if t.bits == ir.MemI16 {
		signed, largest, smallest := k.Load("min", t.bits), k.Load("max", t.bits), k.Load("least", t.bits)
		for _, row := range rows {
			x := k.Load(row, t.bits)
			signed, largest, smallest = signed.IMax(x), largest.UMax(x), smallest.UMin(x)
		}
		k.Store("min", t.bits, signed)
		k.Store("max", t.bits, largest)
		k.Store("least", t.bits, smallest)
		return k
	}
	lo, hi := k.Load("min", t.mem), k.Load("max", t.mem)
	widest := lo.Magnitude().As(ir.I32) // a NaN is beyond an infinity
	for _, row := range rows {
		x := k.Load(row, t.mem)
		lo, hi, widest = x.Min(lo), x.Max(hi), widest.IMax(x.Magnitude().As(ir.I32))
	}
	ordered, nan := widest.As(ir.F32).Ordered(), k.Const(float32(math.NaN()))
	k.Store("min", t.mem, ordered.Select(lo, nan).Add(k.Const(0)))
	k.Store("max", t.mem, ordered.Select(hi, nan).Add(k.Const(0)))
	return k
}

// ends finds the ends of groups; adding +0 makes a zero positive whichever zero was met.
func (t tensor) ends() *ir.Kernel {
	k := ir.New("minmax", "MinMax", `sets min and max of each group of x, NaN if one is among it; zeros are +0.`, Elems.Of(t.name))
	if t.bits != ir.MemI16 { // two folds and a search for NaN are less than three folds
		x := k.Load("x", t.mem)
		least, greatest := x.FoldMin().Add(x.FoldNaN()), x.FoldMax().Add(x.FoldNaN())
		ordered, nan := least.Ordered(), k.Const(float32(math.NaN()))
		k.Result("min", t.mem, ordered.Select(least, nan))
		k.Result("max", t.mem, ordered.Select(greatest, nan))
		return k
	}
	// in the upper half of 32 bits numbers of 16 are float32s in the same order
	x := k.Load("x", t.bits)
	signed, largest, smallest := x.FoldIMax().As(ir.F32), x.FoldUMax().As(ir.F32), x.FoldUMin().As(ir.F32)
	widest := signed.Magnitude().As(ir.I32).UMax(largest.Magnitude().As(ir.I32))
	infinity, nan := k.Int(0x7f800000), k.Int(0x7fc00000)
	if t.mem == ir.MemF16 {
		infinity, nan = k.Int(0x7c000000), k.Int(0x7e000000)
	}
	ordered := widest.UMin(infinity).IEq(widest)
	result := func(v *ir.Node) *ir.Node {
		return ordered.Select(v.Add(k.Const(0)), nan.As(ir.F32)).As(ir.I32)
	}
	k.Result("min", t.bits, result(largest.Min(smallest)))
	k.Result("max", t.bits, result(signed.Max(smallest)))
	return k
}

// widen is what a fold made of t.bits as float32.
func (t tensor) widen(v *ir.Node) *ir.Node {
	if t.mem == ir.MemF16 {
		return v.WidenF16()
	}
	return v.As(ir.F32)
}
