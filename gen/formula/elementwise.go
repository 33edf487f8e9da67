package formula

import (
	"math"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// backward is the straight-through gradient: a product, so that NaN and the
// sign of zero come out as IEEE has them.
func backward(t tensor) []*ir.Kernel {
	bytes := ir.New("backward", "Backward", `sets dx = dy*mask, mask a byte per element. In place (dx == dy) is allowed.`, Masks.Of("Bytes"), t.elem())
	byByte := func() *ir.Node { return bytes.Load("dy", t.mem).Mul(bytes.Load("mask", ir.MemU8).ToFloat()) }
	bits := ir.New("backward", "Backward", `sets dx = dy*mask, mask a bit per element, first element lowest. In place (dx == dy) is allowed.`, Masks.Of("Bits"), t.elem())
	byBit := func() *ir.Node { return bits.Load("dy", t.mem).Mul(bits.Load("mask", ir.MemBits).Keep(bits.Const(1))) }
	if t.bits != ir.MemI16 {
		storeProduct(bytes, t.mem, byByte)
		storeProduct(bits, t.mem, byBit)
		return []*ir.Kernel{bytes, bits}
	}

	// What is finite passes as it is, or leaves its sign. A byte of a mask above 1 is as rare as what is not finite: it makes
	// the largest finite number, to which it is added but for 1, larger.
	dy, mask, most := bytes.Load("dy", t.bits), bytes.LoadShorts("mask"), bytes.Short(t.finite())
	dy.And(bytes.Short(0x7fff)).UMax(mask.AddSat16(bytes.Short(t.finite() - 1))).AlarmAbove(most)
	passProduct(bytes, t, mask.IEq(bytes.Short(1)).Pass(dy), byByte)

	dy = bits.Load("dy", t.bits)
	dy.And(bits.Short(0x7fff)).AlarmAbove(bits.Short(t.finite()))
	passProduct(bits, t, bits.LoadMask16("mask").Pass(dy), byBit)
	return []*ir.Kernel{bytes, bits}
}

// storeProduct stores a gradient.
func storeProduct(k *ir.Kernel, m ir.Mem, product func() *ir.Node) {
	dx := product()
	k.Store("dx", m, dx.OrAlarm())
	k.Rarely(func() { k.Store("dx", m, dx.OneNaN()) })
}

// passProduct stores one of 16 bits, which is a product where that is rare.
func passProduct(k *ir.Kernel, t tensor, dx *ir.Node, product func() *ir.Node) {
	k.Store("dx", t.bits, dx)
	k.Rarely(func() { k.Store("dx", t.mem, product().OneNaN()) })
}

// minmax reduces groups. As integers, elements are in the order of their
// magnitudes: the largest of all, signed, is the greatest element unless all have
// the sign bit, and the largest, unsigned, the least one unless none has it; where
// that is not so, the smallest, unsigned, is the one that is wanted. A NaN is
// beyond an infinity of its sign, and so is one of the first two.
func minmax(t tensor) []*ir.Kernel {
	most := ir.New("minmax", "AbsMax", `sets most of each group to the largest |x|, NaN if one is among it.`, t.elem())
	x := most.Load("x", t.bits)
	if t.bits == ir.MemI16 {
		x = x.And(most.Short(0x7fff))
	} else {
		x = x.And(most.Int(0x7fffffff))
	}
	most.Result("most", ir.MemF32, t.widen(x.FoldUMax()))

	reach := ir.New("minmax", "Reach", `sets low = min(x, 0) and high = max(x, 0) of each group of x; zeros are +0.
low is NaN if one is among it, high may be.`, t.elem())
	x = reach.Load("x", t.bits)
	lo, hi := t.widen(x.FoldUMax()), t.widen(x.FoldIMax().IMax(reach.Int(0)))
	negative := reach.Int(0).ISub(lo.As(ir.I32).Shr(31))
	kept := lo.As(ir.I32).And(negative).As(ir.F32).Add(reach.Const(0))
	reach.Result("low", ir.MemF32, hi.Ordered().Select(kept, hi))
	reach.Result("high", ir.MemF32, hi)
	return []*ir.Kernel{t.ends(), most, reach, t.columns(), t.merge()}
}

// merge brings ends of parts of groups together.
func (t tensor) merge() *ir.Kernel {
	k := ir.New("minmax", "MergeMinMax", `sets min to the least of min, max and x, and max to the greatest of min, max and y, NaN if one of them is;
zeros are +0.`, t.elem())
	zero := k.Const(0)
	if t.mem == ir.MemF32 {
		lo, hi := k.Load("min", t.mem), k.Load("max", t.mem)
		least, greatest := lo.Minimum(hi).Minimum(k.Load("x", t.mem)), hi.Maximum(lo).Maximum(k.Load("y", t.mem))
		k.Store("min", t.mem, least.Add(zero).OneNaN())
		k.Store("max", t.mem, greatest.Add(zero).OneNaN())
		return k
	}
	lo, hi, x, y := k.Load("min", ir.MemBF16), k.Load("max", ir.MemBF16), k.Load("x", ir.MemBF16), k.Load("y", ir.MemBF16)
	result := endsOf16(k, lo, hi, x, y)
	k.Store("min", ir.MemBF16, result(lo.Min(hi).Min(x)))
	k.Store("max", ir.MemBF16, result(hi.Max(lo).Max(y)))
	return k
}

// columns takes rows into the ends of columns, or into what MergeMinMax makes them of.
func (t tensor) columns() *ir.Kernel {
	k := ir.New("minmax", "MinMaxColumns", `takes six rows into what is known of each column. Of F32 these are min and max, NaN in both if one is
among the rows; zeros are +0. Else they are three elements among which min and max are, and a NaN if there is one:
min and max have the largest ones as signed integers and as unsigned, and least has the smallest as unsigned.`, t.elem())
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
	k := ir.New("minmax", "MinMax", `sets min and max of each group of x, NaN if one is among it; zeros are +0.`, t.elem())
	if t.bits != ir.MemI16 { // two folds and a search for NaN are less than three folds
		x := k.Load("x", t.mem)
		least, greatest := x.FoldMin().Add(x.FoldNaN()), x.FoldMax().Add(x.FoldNaN())
		ordered, nan := least.Ordered(), k.Const(float32(math.NaN()))
		k.Result("min", t.mem, ordered.Select(least, nan))
		k.Result("max", t.mem, ordered.Select(greatest, nan))
		return k
	}
	x := k.Load("x", t.bits)
	signed, largest, smallest := x.FoldIMax().As(ir.F32), x.FoldUMax().As(ir.F32), x.FoldUMin().As(ir.F32)
	result := endsOf16(k, signed, largest)
	k.Result("min", t.bits, result(largest.Min(smallest)).As(ir.I32))
	k.Result("max", t.bits, result(signed.Max(smallest)).As(ir.I32))
	return k
}

// endsOf16 makes an end of what is least or greatest of some numbers of 16 bits, NaN if one is among these and +0 for
// a zero. In the upper half of 32 bits such numbers are float32s in the same order, of which float16's infinity is one.
func endsOf16(k *ir.Kernel, among ...*ir.Node) func(v *ir.Node) *ir.Node {
	widest := among[0].Magnitude().As(ir.I32)
	for _, v := range among[1:] {
		widest = widest.UMax(v.Magnitude().As(ir.I32))
	}
	infinity, nan := k.Word(ir.InfinityWord, ir.MemI32), k.Word(ir.NaNWord, ir.MemI32).As(ir.F32)
	ordered := widest.UMin(infinity).IEq(widest)
	return func(v *ir.Node) *ir.Node { return ordered.Select(v.Add(k.Const(0)), nan) }
}

// widen is what a fold made of t.bits as float32.
func (t tensor) widen(v *ir.Node) *ir.Node {
	if t.bits == ir.MemI16 {
		return v.WidenUpper()
	}
	return v.As(ir.F32)
}
