package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// format is a small float format: its mantissa bits, the float32 exponent
// field of its least normal number, and its largest value.
type format struct {
	name     string
	mantissa uint32
	least    int32
	code     ir.Mem
}

var (
	e4m3 = format{"E4M3", 3, 121, ir.MemE4M3}
	e5m2 = format{"E5M2", 2, 113, ir.MemE5M2}
	e2m1 = format{"E2M1", 1, 127, ir.MemE2M1}
)

// exponent is the exponent field of v, in place, or least if that is larger.
func exponent(k *ir.Kernel, v, least *ir.Node) *ir.Node {
	return v.As(ir.I32).And(k.Int(0x7f800000)).UMax(least)
}

// onGrid rounds v to a format's mantissa bits, or to its subnormals: M is
// 1.5 times the power of two whose last place is the grid's step at v, so that
// v+M rounds as wanted and taking M away is exact. A zero loses its sign.
//
// least is the exponent field of the format's least normal number in place,
// step what makes M of a field: (23 - mantissa bits)<<23 and the bit for 1.5.
func onGrid(k *ir.Kernel, v, least, step *ir.Node) *ir.Node {
	m := exponent(k, v, least).IAdd(step).As(ir.F32)
	return v.Add(m).Sub(m)
}

// withSign gives v, positive or of x's sign, the sign of x.
func withSign(k *ir.Kernel, v, x *ir.Node) *ir.Node {
	return v.As(ir.I32).OrAnd(x.As(ir.I32), k.Int(-1<<31)).As(ir.F32)
}

// encode is the code of p rounded to the format, without its sign: p >= 0 is
// at most the format's largest value, or one step above. Codes of subnormals
// and carries into the exponent need no case: p+M's last bits count steps, and
// each exponent above the least is 1<<mantissa of them. NaN gives something
// negative, which is to be mended.
func (f format) encode(k *ir.Kernel, p *ir.Node) *ir.Node {
	e := exponent(k, p, k.Int(f.least<<23))
	m := e.IAdd(k.Int(int32(23-f.mantissa) << 23))
	steps := p.Add(m.As(ir.F32)).As(ir.I32).ISub(m)
	return steps.IAdd(e.Shr(23 - f.mantissa)).ISub(k.Int(f.least << f.mantissa))
}

func magnitude(k *ir.Kernel, v *ir.Node) *ir.Node {
	return v.As(ir.I32).And(k.Int(0x7fffffff)).As(ir.F32)
}

// fakeQuantizeFp serves every float format: the grid is given by two words.
func fakeQuantizeFp(t tensor) []*ir.Kernel {
	var ks []*ir.Kernel
	for _, m := range masks {
		k := ir.New("fakequantizefp"+t.name, "FakeQuantizeFp", `sets y = grid(c/scale)*scale with c = min(max(x, -hi), hi)`+m.tells("c == x")+`.
grid rounds to the format that least and step describe: the exponent field of its least normal
number in place, and (23 - mantissa bits)<<23 | 1<<22. recip and hi are PrepareFp's. In place (y == x) is allowed.`, Masks.Of(m.name), Elems.Of(t.name))
		least, step := k.Word("least", ir.MemI32), k.Word("step", ir.MemI32)
		x := k.Load("x", t.mem)
		s, r, hi := k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32), k.Param("hi", ir.MemF32)
		c := x.Max(negate(k, hi)).Min(hi)
		inside := c.Eq(x)
		q := withSign(k, onGrid(k, quotient(c, s, r), least, step), x)
		k.Store("y", t.out, q.Mul(s))
		m.store(k, inside)
		ks = append(ks, k)

		k = ir.New("fakequantizefp"+t.name, "FakeQuantizeFpAny", `sets y = grid(c)*scale with v = x/scale and c = min(max(v, -most), most)`+m.tells("c == v")+`.
It divides, so any scale will do; grid as for FakeQuantizeFp. In place (y == x) is allowed.`, Masks.Of(m.name), Elems.Of(t.name))
		least, step = k.Word("least", ir.MemI32), k.Word("step", ir.MemI32)
		most := k.Word("most", ir.MemF32)
		s = k.Param("scale", ir.MemF32)
		v := k.Load("x", t.mem).Div(s)
		c = v.Max(negate(k, most)).Min(most)
		inside = c.Eq(v)
		k.Store("y", t.mem, withSign(k, onGrid(k, c, least, step), v).Mul(s))
		m.store(k, inside)
		ks = append(ks, k)
	}
	return ks
}

// A quantizer's codes: E2M1 also one to a byte, as the e4m3 codes of its values.
var fpCodes = []struct {
	name string
	f    format
	mem  ir.Mem
	code func(k *ir.Kernel, c, x *ir.Node) *ir.Node // bytes
}{
	{"E4M3", e4m3, ir.MemU8, e4m3.bytes},
	{"E5M2", e5m2, ir.MemU8, e5m2.bytes},
	{"E2M1", e2m1, ir.MemU8, func(k *ir.Kernel, c, x *ir.Node) *ir.Node {
		v := onGrid(k, magnitude(k, c), k.Int(127<<23), k.Int(22<<23))
		return signed8(k, v.As(ir.I32).Shr(20).ISub(k.Int(120<<3)), c, x)
	}},
	{"E2M1Packed", e2m1, ir.MemE2M1, func(k *ir.Kernel, c, x *ir.Node) *ir.Node {
		code := e2m1.encode(k, magnitude(k, c))
		return code.OrAnd(x.As(ir.I32).Shr(28), k.Int(8)).Narrow16().NarrowU8() // what NaN gives is below 0
	}},
}

// bytes are the codes of c, clamped already, with the sign of x.
func (f format) bytes(k *ir.Kernel, c, x *ir.Node) *ir.Node {
	return signed8(k, f.encode(k, magnitude(k, c)), c, x)
}

// signed8 makes bytes of codes, with the sign of x; a NaN in c becomes 0x7f. A
// code below zero stands for zero, or for what is mended.
func signed8(k *ir.Kernel, code, c, x *ir.Node) *ir.Node {
	bytes := code.IMax(k.Int(0)).OrAnd(x.As(ir.I32).Shr(24), k.Int(0x80)).Narrow16().NarrowU8()
	return bytes.OrIfNaN(c, k.Byte(0x7f))
}

func quantizeFp(t tensor) []*ir.Kernel {
	var ks []*ir.Kernel
	for _, q := range fpCodes {
		k := ir.New("quantizefp"+t.name, "QuantizeFp", `sets q to the code of min(max(x, -hi), hi)/scale, rounded to the format.
recip and hi are PrepareFp's.`, Codes.Of(q.name), Elems.Of(t.name))
		x := k.Load("x", t.mem)
		s, r, hi := k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32), k.Param("hi", ir.MemF32)
		k.Store("q", q.mem, q.code(k, quotient(x.Max(negate(k, hi)).Min(hi), s, r), x))
		ks = append(ks, k)

		k = ir.New("quantizefp"+t.name, "QuantizeFpAny", `sets q to the code of v = x/scale, clamped to -most and most and rounded to the format.
It divides, so any scale will do.`, Codes.Of(q.name), Elems.Of(t.name))
		most := k.Word("most", ir.MemF32)
		v := k.Load("x", t.mem).Div(k.Param("scale", ir.MemF32))
		k.Store("q", q.mem, q.code(k, v.Max(negate(k, most)).Min(most), v))
		ks = append(ks, k)
	}
	return ks
}

func dequantizeFp(t tensor) []*ir.Kernel {
	var ks []*ir.Kernel
	for _, f := range []format{e4m3, e5m2, e2m1} {
		k := ir.New("dequantizefp"+t.name, "DequantizeFp", `sets y = q*scale.`, Codes.Of(f.name), Elems.Of(t.name))
		k.Store("y", t.out, k.Load("q", f.code).Mul(t.param(k, "scale")))
		ks = append(ks, k)
	}
	return ks
}
