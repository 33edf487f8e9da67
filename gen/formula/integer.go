package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// fakeQuantize is quantize and dequantize in one pass: integers, clipped to what
// the range's ends are from zero; what that changes the mask tells.
func fakeQuantize(t tensor) []*ir.Kernel {
	var ks []*ir.Kernel
	add := func(family, doc string, parameters func(k *ir.Kernel, least, most *ir.Node) (lo, hi, minval *ir.Node)) {
		k := ir.New("fakequantize"+t.name, family, doc+toldByMask("it did not clip")+`.
recip is Prepare's. In place (y == x) is allowed.`, t.elem())
		x, s, r := k.Load("x", t.mem), k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32)
		lo, hi, minval := parameters(k, k.Word("least", ir.MemI32), k.Word("most", ir.MemI32))
		if minval != nil {
			x = x.Sub(minval)
		}
		q := quotient(x, s, r)
		if minval == nil {
			q = t.quotient(x, s, r, q)
		}
		lo, hi = lo.ToFloat(), hi.ToFloat()
		v := q.OrAlarm().Round()
		c := v.Max(lo).Min(hi)
		y := c.MulAdd(s, k.Const(0))
		if minval != nil {
			y = y.Add(minval)
		}
		k.Store("y", t.mem, y)
		storeMask(k, c.Eq(v))

		k.Rarely(func() {
			if minval == nil {
				minval = k.Const(0)
			}
			t.rarelyFakeQuantize(k, x, s, lo, hi, minval)
		})
		ks = append(ks, k)
	}
	add("FakeQuantize", `sets y = clip(round(x/scale))*scale, clipping to least..most`,
		func(k *ir.Kernel, least, most *ir.Node) (lo, hi, minval *ir.Node) { return least, most, nil })
	add("FakeQuantizeZeroPoint", `sets y = clip(round(x/scale))*scale, clipping to least..most less zeroPoint`,
		func(k *ir.Kernel, least, most *ir.Node) (lo, hi, minval *ir.Node) {
			z := k.Param("zeroPoint", ir.MemI32)
			return least.ISub(z), most.ISub(z), nil
		})
	if t.mem != ir.MemF32 { // others are widened first
		return ks
	}
	add("FakeQuantizeMinval", `sets y = clip(round((x-minval)/scale))*scale + minval, clipping to least..most`,
		func(k *ir.Kernel, least, most *ir.Node) (lo, hi, minval *ir.Node) {
			return least, most, k.Param("minval", ir.MemF32)
		})
	return ks
}

// rarelyFakeQuantize divides, and has NaN stay one.
func (t tensor) rarelyFakeQuantize(k *ir.Kernel, x, s, lo, hi, minval *ir.Node) {
	v := x.Div(s).Round()
	c := v.Max(lo).Min(hi)
	// +0 for -0, whatever the scale's sign
	k.Store("y", t.mem, c.Add(k.Const(0)).Mul(s).Add(minval).OneNaN())
	storeMask(k, c.Eq(v))
}

// storeCodes stores integers as codes in the layout that a word says, clipped to least..most.
func storeCodes(k *ir.Kernel, q, least, most *ir.Node) {
	byteOf := func(v *ir.Node) *ir.Node { return v.And(k.Int(0xff)).Narrow16().NarrowU8() }
	k.StoreCodes("q", k.Word("layout", ir.MemI32), q, byteOf(least), byteOf(most))
}

// storeRareCodes stores the codes that rareCode makes: those of NaN, 0, are not clipped.
func storeRareCodes(k *ir.Kernel, x, s, zero, least, most *ir.Node) {
	none := k.Int(0)
	storeCodes(k, rareCode(x, s, zero, least, most).Narrow16(), none.ISub(none.ISub(least).IMax(none)), most.IMax(none))
}

// quantize clips by saturating packs; zero points are added between the packs,
// saturating. What the packs would clip wrongly, as it is beyond every integer
// before them or NaN, takes the rare way, with what little is so low that the
// first pack clips it. There NaN is 0.
func quantize(t tensor) []*ir.Kernel {
	var ks []*ir.Kernel
	add := func(family, doc string, parameters func(k *ir.Kernel) (zero, minval *ir.Node)) {
		k := ir.New("quantize"+t.name, family, doc+`, or 0 for NaN.
recip is Prepare's.`, t.elem())
		x, s, r := k.Load("x", t.mem), k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32)
		least, most := k.Word("least", ir.MemI32), k.Word("most", ir.MemI32)
		zero, minval := parameters(k)
		if minval != nil {
			x = x.Sub(minval)
		}
		v := quotient(x, s, r)
		if minval == nil {
			v = t.quotient(x, s, r, v)
		}
		i := v.ToInt16OrAlarm()
		if zero != nil {
			i = i.AddSat16(zero.Narrow16())
		}
		storeCodes(k, i, least, most)
		k.Rarely(func() {
			if zero == nil {
				zero = k.Int(0)
			}
			storeRareCodes(k, x, s, zero, least, most)
		})
		ks = append(ks, k)
	}
	add("Quantize", `sets q = min(max(round(x/scale), least), most)`,
		func(k *ir.Kernel) (zero, minval *ir.Node) { return nil, nil })
	add("QuantizeZeroPoint", `sets q = min(max(round(x/scale) + zeroPoint, least), most)`,
		func(k *ir.Kernel) (zero, minval *ir.Node) { return k.Param("zeroPoint", ir.MemI32), nil })
	if t.mem == ir.MemF32 { // others are widened first
		add("QuantizeMinval", `sets q = min(max(round((x-minval)/scale) + least, least), most)`,
			func(k *ir.Kernel) (zero, minval *ir.Node) {
				return k.Word("least", ir.MemI32), k.Param("minval", ir.MemF32)
			})
	}
	return ks
}

// quantizeWhole leaves all clipping to the packs. It is so little that float16 and bfloat16 have kernels of their own.
func (t tensor) quantizeWhole() *ir.Kernel {
	k := ir.New("quantize"+t.name, "QuantizeWhole", `sets q = min(max(round(x/scale), -128), 127), or 0 for NaN.
recip is Prepare's.`, t.elem())
	x, s, r := k.Load("x", t.mem), k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32)
	storeWhole(k, x, s, t.quotient(x, s, r, quotient(x, s, r)))
	return k
}

// storeWhole stores signed bytes of quotients.
func storeWhole(k *ir.Kernel, x, s, quotient *ir.Node) {
	k.Store("q", ir.MemI8, quotient.ToInt16OrAlarm().NarrowS8())
	k.Rarely(func() {
		k.Store("q", ir.MemI8, rareCode(x, s, k.Int(0), k.Int(-128), k.Int(127)).Narrow16().NarrowS8())
	})
}

// rareCode is the code by division, for what packs would clip wrongly; 0 for NaN.
func rareCode(x, s, zero, least, most *ir.Node) *ir.Node {
	v := x.Div(s)
	offset := zero.ToFloat()
	q := v.Round().Max(least.ToFloat().Sub(offset)).Min(most.ToFloat().Sub(offset)).Add(offset)
	return v.Ordered().Keep(q.ToInt())
}

// anyCodes are read in the layout that a word says.
func anyCodes(k *ir.Kernel) *ir.Node { return k.LoadCodes("q", k.Word("layout", ir.MemI32)) }

// nibbles are codes of four bits.
func nibbles(k *ir.Kernel) *ir.Node {
	return k.SignedValues("q", ir.MemU4, k.Word(ir.SignWord, ir.MemI32))
}

// dequantize is for scales and minvals that are finite, so that no NaN comes out.
func dequantize(t tensor, suffix string, codes func(k *ir.Kernel) *ir.Node) []*ir.Kernel {
	var ks []*ir.Kernel
	add := func(family, doc string, formula func(k *ir.Kernel, q, s *ir.Node) *ir.Node) {
		k := ir.New("dequantize"+t.name, family+suffix, doc+withSignBit, t.elem())
		k.Store("y", t.mem, formula(k, codes(k), k.Param("scale", ir.MemF32)))
		ks = append(ks, k)
	}
	add("Dequantize", `sets y = q*scale. Scales are above 0: there is no -0.`,
		func(k *ir.Kernel, q, s *ir.Node) *ir.Node { return q.Mul(s) })
	add("DequantizeZeroPoint", `sets y = (q - zeroPoint)*scale.`,
		func(k *ir.Kernel, q, s *ir.Node) *ir.Node {
			return q.Sub(k.Param("zeroPoint", ir.MemI32).ToFloat()).MulAdd(s, k.Const(0))
		})
	if t.mem == ir.MemF32 { // others are narrowed behind
		add("DequantizeMinval", `sets y = (q - least)*scale + minval.`,
			func(k *ir.Kernel, q, s *ir.Node) *ir.Node {
				mv := k.Param("minval", ir.MemF32)
				return q.Sub(k.Word("least", ir.MemI32).ToFloat()).Mul(s).Add(mv)
			})
	}
	return ks
}
