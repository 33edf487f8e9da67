package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// learn sums what elements move the parameters of their groups by. Whatever a format is, its codes lie on a grid, and integers of up to 17 bits on that of
// a format whose subnormals all of them are.
func learn() *ir.Kernel {
	k := ir.New("learn", "Learn", `sums, for each lane's group, in kernels.ErrorInt's order, with v = x/s, q = grid(min(max(v, lo), hi)) and inside = first <= v <= last,
dy*(q - v) where inside, and dy*q elsewhere, if clipped is 0; else dy elsewhere. Nothing is added where v is NaN. The rows of group are s, lo, hi,
first and last; the grid is that which least and step describe to FakeQuantizeFp.`)
	k.Sums, k.Columns = true, true
	x, dy := k.Param("x", ir.MemF32), k.Param("dy", ir.MemF32)
	row := func(i int) *ir.Node { return k.Row("group", i) }
	v := x.Div(row(0))
	q := onGrid(k, v.Max(row(1)).Min(row(2)), k.Word("least", ir.MemI32), k.Word("step", ir.MemI32))
	inside := v.Max(row(3)).Min(row(4)).Eq(v)
	slope := dy.Mul(q.Sub(inside.Keep(v)))
	term := k.Word("clipped", ir.MemI32).IEq(k.Int(0)).Select(slope, inside.Select(k.Const(0), dy))
	k.Store("sums", ir.MemF32, v.Ordered().Keep(term).Sum())
	return k
}
