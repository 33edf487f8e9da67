package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// fakeQuantize is quantize and dequantize in one pass. x is clamped to the
// range that does not clip, which tells the mask and leaves nothing to clamp
// behind the division.
func fakeQuantize(t tensor) []*ir.Kernel {
	var ks []*ir.Kernel
	add := func(m maskKind, family, doc string, formula func(k *ir.Kernel, x *ir.Node) (inside *ir.Node)) {
		k := ir.New("fakequantize"+t.name, family, doc+m.tells("it did not clip")+`.
In place (y == x) is allowed.`, Masks.Of(m.name), Elems.Of(t.name))
		m.store(k, formula(k, k.Load("x", t.mem)))
		ks = append(ks, k)
	}
	prepared := func(k *ir.Kernel) (s, r, lo, hi *ir.Node) {
		return k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32), k.Param("lo", ir.MemF32), k.Param("hi", ir.MemF32)
	}
	for _, m := range masks {
		add(m, "FakeQuantize", `sets y = round(c/scale)*scale with c = min(max(x, lo), hi), recip, lo and hi being Prepare's`,
			func(k *ir.Kernel, x *ir.Node) *ir.Node {
				s, r, lo, hi := prepared(k)
				c := x.Max(lo).Min(hi)
				inside := c.Eq(x)
				k.Store("y", t.out, quotient(c, s, r).Round().MulAdd(s, k.Const(0)))
				return inside
			})
		add(m, "FakeQuantizeMinval", `sets y = round(c/scale)*scale + minval with c = min(max(x-minval, lo), hi), recip, lo and hi being Prepare's`,
			func(k *ir.Kernel, x *ir.Node) *ir.Node {
				s, r, lo, hi := prepared(k)
				mv := t.param(k, "minval")
				d := x.Sub(mv)
				c := d.Max(lo).Min(hi)
				inside := c.Eq(d)
				k.Store("y", t.out, quotient(c, s, r).Round().MulAdd(s, k.Const(0)).Add(mv))
				return inside
			})
		add(m, "FakeQuantizeAny", `sets y = c*scale + minval with c = min(max(round((x-minval)/scale), least), most).
It divides, so any scale will do`,
			func(k *ir.Kernel, x *ir.Node) *ir.Node {
				s, least, most, mv := k.Param("scale", ir.MemF32), k.Param("least", ir.MemF32), k.Param("most", ir.MemF32), k.Param("minval", ir.MemF32)
				v := x.Sub(mv).Div(s).RoundAny()
				c := v.Max(least).Min(most)
				inside := c.Eq(v)
				k.Store("y", t.mem, c.Add(k.Const(0)).Mul(s).Add(mv)) // +0 for -0, whatever the scale's sign
				return inside
			})
	}
	return ks
}

// codes are the two element types of integer codes.
var codes = []struct {
	name   string
	mem    ir.Mem
	narrow func(*ir.Node) *ir.Node
	max    func(a, b *ir.Node) *ir.Node
}{
	{"Int8", ir.MemI8, (*ir.Node).NarrowS8, (*ir.Node).MaxS8},
	{"Uint8", ir.MemU8, (*ir.Node).NarrowU8, (*ir.Node).MaxU8},
}

// quantize clips above by hi, before the division, and below by saturating
// packs: what is too low, -Inf too, is the least integer by then. Zero points
// are added between the packs, saturating. NaN is 0.
func quantize(t tensor) []*ir.Kernel {
	var ks []*ir.Kernel
	for _, c := range codes {
		// formula gives the integers, what stands for zero (nil for 0), and what is NaN where x is
		add := func(family, doc string, formula func(k *ir.Kernel, x *ir.Node) (i, zero, nan *ir.Node)) {
			k := ir.New("quantize"+t.name, family, doc, Codes.Of(c.name), Elems.Of(t.name))
			i, zero, nan := formula(k, k.Load("x", t.mem))
			q := i.Narrow16()
			if zero != nil {
				q = q.AddSat16(zero.Narrow16())
			}
			least := c.narrow(k.Word("least", ir.MemI32).Narrow16())
			k.Store("q", c.mem, c.max(c.narrow(q), least).ZeroIfNaN(nan))
			ks = append(ks, k)
		}
		// divided is x clipped above, as an integer and before the division
		divided := func(k *ir.Kernel, x *ir.Node) (i, clipped *ir.Node) {
			s, r, hi := k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32), k.Param("hi", ir.MemF32)
			clipped = x.Min(hi)
			return quotient(clipped, s, r).ToInt(), clipped
		}
		add("QuantizeSymmetric", `sets q = max(round(min(x, hi)/scale), least), or 0 for NaN.
recip and hi are Prepare's.`,
			func(k *ir.Kernel, x *ir.Node) (i, zero, nan *ir.Node) {
				i, clipped := divided(k, x)
				return i, nil, clipped
			})
		add("Quantize", `sets q = max(round(min(x, hi)/scale) + zeroPoint, least), or 0 for NaN.
recip and hi are Prepare's.`,
			func(k *ir.Kernel, x *ir.Node) (i, zero, nan *ir.Node) {
				i, clipped := divided(k, x)
				return i, k.Param("zeroPoint", ir.MemI32), clipped
			})
		add("QuantizeMinval", `sets q = max(round(min(x-minval, hi)/scale) + least, least), or 0 for NaN.
recip and hi are Prepare's.`,
			func(k *ir.Kernel, x *ir.Node) (i, zero, nan *ir.Node) {
				mv := k.Param("minval", ir.MemF32)
				i, clipped := divided(k, x.Sub(mv))
				return i, k.Word("least", ir.MemI32), clipped
			})
		add("QuantizeAny", `sets q = min(max(round((x-minval)/scale), below), above) + least - below, or 0 for NaN.
It divides, so any scale will do; below and above are the ends of the range less what stands for zero.`,
			func(k *ir.Kernel, x *ir.Node) (i, zero, nan *ir.Node) {
				s, mv := k.Param("scale", ir.MemF32), k.Param("minval", ir.MemF32)
				v := x.Sub(mv).Div(s)
				lo, hi := k.Param("below", ir.MemF32), k.Param("above", ir.MemF32)
				return v.Max(lo).Min(hi).ToInt(), k.Word("least", ir.MemI32).ISub(lo.ToInt()), v
			})
	}
	return ks
}

func dequantize(t tensor) []*ir.Kernel {
	var ks []*ir.Kernel
	for _, c := range codes {
		k := ir.New("dequantize"+t.name, "Dequantize", `sets y = (q - zeroPoint)*scale.`, Codes.Of(c.name), Elems.Of(t.name))
		q := k.Load("q", c.mem)
		s, z := t.param(k, "scale"), k.Param("zeroPoint", ir.MemI32)
		k.Store("y", t.out, q.ToFloat().Sub(z.ToFloat()).MulAdd(s, k.Const(0)))
		ks = append(ks, k)

		k = ir.New("dequantize"+t.name, "DequantizeMinval", `sets y = (q - least)*scale + minval.`, Codes.Of(c.name), Elems.Of(t.name))
		q = k.Load("q", c.mem)
		s, mv := t.param(k, "scale"), t.param(k, "minval")
		least := k.Word("least", ir.MemI32)
		k.Store("y", t.out, q.ToFloat().Sub(least.ToFloat()).Mul(s).Add(mv))
		ks = append(ks, k)
	}
	return ks
}
