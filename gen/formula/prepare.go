package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// prepare makes what a group's elements need from what the caller gives, with
// groups as lanes.
func prepare() []*ir.Kernel {
	uniform := ir.New("prepare", "Prepare", `sets recip = 1/scale, and lo and hi so that x rounds to a code within
its range, round(x/scale) in [-below, above], exactly if lo <= x <= hi.
scale must be within [2^-80, 2^100], below and above within [0, 255].`)
	above := uniform.Word("above", ir.MemI32)
	below := uniform.Word("below", ir.MemI32)
	s := uniform.Load("scale", ir.MemF32)
	uniform.Store("recip", ir.MemF32, uniform.Const(1).Div(s))
	uniform.Store("hi", ir.MemF32, threshold(uniform, above, s))
	uniform.Store("lo", ir.MemF32, negate(uniform, threshold(uniform, below, s)))

	zp := ir.New("prepare", "PrepareZeroPoint", `is Prepare for groups with zero points of their own:
below = zeroPoint - least, above = most - zeroPoint.`)
	least := zp.Word("least", ir.MemI32)
	most := zp.Word("most", ir.MemI32)
	s = zp.Load("scale", ir.MemF32)
	z := zp.Load("zeroPoint", ir.MemI32)
	zp.Store("recip", ir.MemF32, zp.Const(1).Div(s))
	zp.Store("hi", ir.MemF32, threshold(zp, most.ISub(z), s))
	zp.Store("lo", ir.MemF32, negate(zp, threshold(zp, z.ISub(least), s)))

	fp := ir.New("prepare", "PrepareFp", `sets recip = 1/scale, and hi so that |x/scale|, rounded, is at most most
exactly if |x| <= hi. scale must be within [2^-80, 2^100]; most is a float format's largest value.`)
	largest := fp.Word("most", ir.MemF32)
	s = fp.Load("scale", ir.MemF32)
	fp.Store("recip", ir.MemF32, fp.Const(1).Div(s))
	fp.Store("hi", ir.MemF32, edge(fp, largest, halfUlp(fp, largest), fp.Int(0), s))
	return []*ir.Kernel{uniform, zp, fp}
}

func negate(k *ir.Kernel, x *ir.Node) *ir.Node {
	return x.As(ir.I32).Xor(k.Int(-1 << 31)).As(ir.F32)
}

// threshold is the largest x whose quotient x/s, rounded, does not round past
// the integer code >= 0.
//
// With h = code + 1/2 and u half a unit in the last place of h, a quotient
// rounds to at most code if it is at most h+u (code even: h itself rounds
// down, and so does the tie behind it) or below h-u (code odd).
func threshold(k *ir.Kernel, code, s *ir.Node) *ir.Node {
	h := code.ToFloat().Add(k.Const(0.5))
	u := halfUlp(k, h).As(ir.I32).Or(code.Shl(31)).As(ir.F32)
	return edge(k, h, u, code.And(k.Int(1)), s)
}

// halfUlp is half a unit in the last place of h > 0, on the side away from zero.
func halfUlp(k *ir.Kernel, h *ir.Node) *ir.Node {
	return h.As(ir.I32).And(k.Int(0x7f800000)).ISub(k.Int(24 << 23)).As(ir.F32)
}

// edge is the largest x <= (h+u)*s, or < if strict is 1. The sum of h*s and its
// rounding error is exact, and so is the sign of h*s + u*s - c in one fused
// product for every c near h*s: the nearest c is found, and one float lower
// taken if it is too large.
func edge(k *ir.Kernel, h, u, strict, s *ir.Node) *ir.Node {
	p := h.Mul(s)
	e := h.MulSubFrom(s, p)                    // p - h*s
	c := p.Sub(u.MulSubFrom(s, e))             // near h*s + u*s
	excess := u.MulSubFrom(s, e.Add(c.Sub(p))) // c - h*s - u*s, rounded: its sign is right
	tooLarge := k.Int(0).ISub(excess.As(ir.I32).IAdd(strict)).Shr(31)
	return c.As(ir.I32).ISub(tooLarge).As(ir.F32)
}
