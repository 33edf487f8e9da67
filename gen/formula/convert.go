package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// convert is one element type to another, rounded once, half to even. A NaN
// keeps its sign and what there is room for of its payload, and becomes quiet.
func convert() []*ir.Kernel {
	var ks []*ir.Kernel
	for _, t := range tensors[1:] {
		k := ir.New("convert", "Encode", `sets y to x rounded to the 16-bit type.`, Elems.Of(t.name))
		x := k.Load("x", ir.MemF32)
		k.Store("y", t.mem, x)
		if t.mem == ir.MemBF16 { // a NaN's lower bits might carry into it
			x.OrAlarm()
			k.Rarely(func() {
				quiet := x.As(ir.I32).And(k.Int(-0x10000)).Or(k.Int(0x400000)).As(ir.F32)
				k.Store("y", t.mem, x.Ordered().Select(x, quiet))
			})
		}
		ks = append(ks, k)
		k = ir.New("convert", "Decode", `sets y to the values of x.`, Elems.Of(t.name))
		k.Store("y", ir.MemF32, k.Load("x", t.mem))
		ks = append(ks, k)
	}
	ks = append(ks, decodeFp(false)...)

	for _, q := range []fpCode{{"Float8FNUZ", ir.MemU8, true}, {"Float8", ir.MemU8, false}, {"E2M1", ir.MemU8, false}, e2m1Packed} {
		k := ir.New("convert", "EncodeFp", `sets y to the code of x, clipped and rounded to the format. A Float8 with the code behind its greatest for top
overflows to that.`+float8Words, Codes.Of(q.name))
		x := k.Load("x", ir.MemF32)
		q.encoder(k).store("y", x, func() *ir.Node { return x }, true)
		ks = append(ks, k)
	}
	k := ir.New("convert", "EncodeE8M0", `sets y to the code of the power of two next to min(x, most).`)
	x := k.Load("x", ir.MemF32).Min(k.Word("most", ir.MemF32))
	k.Store("y", ir.MemU8, exponentOf(k, x).Narrow16().NarrowU8())
	ks = append(ks, k)
	return ks
}

// decodeFp is the codes of the small float formats to their values, looked up if
// they are to be listed.
func decodeFp(listed bool) []*ir.Kernel {
	var ks []*ir.Kernel
	decode := func(name string, store func(k *ir.Kernel)) {
		k := ir.New("convert", "DecodeFp", `sets y to the values of the codes x.`, Codes.Of(name))
		store(k)
		ks = append(ks, k)
	}
	if listed {
		for _, c := range []struct {
			name   string
			values *[256]float32
		}{
			{"E4M3", e4m3.values(7, true)},
			{"E4M3FNUZ", e4m3fnuz.values(7, true)},
			{"E5M2FNUZ", e5m2fnuz.values(7, true)},
			{"E2M1", e2m1.values(3, true)},
		} {
			decode(c.name, func(k *ir.Kernel) { k.Store("y", ir.MemF32, k.LoadListed("x", c.values)) })
		}
		decode("E2M1Packed", func(k *ir.Kernel) { k.Store("y", ir.MemF32, k.Load("x", ir.MemE2M1)) })
		return ks
	}
	for _, d := range []struct {
		name  string
		mem   ir.Mem
		value func(k *ir.Kernel, x *ir.Node) *ir.Node // nil if it is what was loaded
	}{
		{"E5M2", ir.MemE5M2, nil},
		{"E4M3FNUZ", ir.MemI8, e4m3fnuz.oneZero},
		{"E5M2FNUZ", ir.MemI8, e5m2fnuz.oneZero},
		{"E8M0", ir.MemU8, powerOfTwo},
		{"E2M1", ir.MemU8, func(k *ir.Kernel, x *ir.Node) *ir.Node { return e2m1.value(k, x, x.Shl(28), 3) }},
		{"E2M1Packed", ir.MemE2M1, nil},
	} {
		decode(d.name, func(k *ir.Kernel) {
			x := k.Load("x", d.mem)
			if d.value != nil {
				x = d.value(k, x)
			}
			k.Store("y", ir.MemF32, x)
		})
	}
	decode("E4M3", func(k *ir.Kernel) {
		k.AlarmCode("x", ir.MemE4M3, k.Int(signs))
		y := k.Load("x", ir.MemE4M3).Mul(k.Const(256))
		k.Store("y", ir.MemF32, y)
		k.Rarely(func() { k.Store("y", ir.MemF32, withSign(k, orNaN(k, "x", y), y)) })
	})
	return ks
}

// oneZero is the values of codes, sign extended, of a format that has NaN in the
// place of -0.
func (f format) oneZero(k *ir.Kernel, x *ir.Node) *ir.Node {
	isNaN := x.IAdd(k.Int(127)) // -1 if it is, else below 256
	return f.value(k, x, x, 7).As(ir.I32).OrAnd(isNaN, k.Int(0x7fc00000)).As(ir.F32)
}

// exponentOf is the E8M0 code of v: the exponent of 4/3*v, which is the next one
// from 1.5 times a power of two on, subnormals included. NaN and infinity have
// 255; what is below zero has the sign above its exponent and saturates to that.
func exponentOf(k *ir.Kernel, v *ir.Node) *ir.Node {
	return v.MulAdd(k.Const(4./3), k.Const(0)).As(ir.I32).Shr(23) // +0 for -0
}

// powerOfTwo is the value of an E8M0 code: an exponent, infinity made NaN by 0*v,
// and for the least one a subnormal.
func powerOfTwo(k *ir.Kernel, x *ir.Node) *ir.Node {
	v := x.Shl(23).As(ir.F32)
	return v.MulAdd(k.Const(0), v).Magnitude().As(ir.I32).UMax(k.Int(1 << 22)).As(ir.F32)
}
