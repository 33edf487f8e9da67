package formula

import (
	"math"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// format is a small float format: its mantissa bits, the float32 exponent
// field of its least normal number, and its largest value.
type format struct {
	name     string
	mantissa uint32
	least    int32
	code     ir.Mem
	nan      int // its code, whatever its sign; -1 if there is none, or more
}

var (
	e4m3 = format{"E4M3", 3, 121, ir.MemE4M3, 0x7f}
	e5m2 = format{"E5M2", 2, 113, ir.MemE5M2, -1}
	e2m1 = format{"E2M1", 1, 127, ir.MemE2M1, -1}

	// One zero, and NaN in the place of -0.
	e4m3fnuz = format{"E4M3FNUZ", 3, 120, ir.MemI8, oneZero}
	e5m2fnuz = format{"E5M2FNUZ", 2, 112, ir.MemI8, oneZero}
)

// exponent is the exponent field of v, in place.
func exponent(k *ir.Kernel, v *ir.Node) *ir.Node { return v.As(ir.I32).And(k.Int(0x7f800000)) }

// onGrid rounds p >= 0 to a format's mantissa bits, or to its subnormals: M is
// the power of two whose last place is the grid's step at p, so that p+M rounds
// as wanted and taking M away is exact.
//
// least is the exponent field of the format's least normal number in place,
// step what makes M of a field: (23 - mantissa bits)<<23.
func onGrid(k *ir.Kernel, p, least, step *ir.Node) *ir.Node {
	m := exponent(k, p).UMax(least).IAdd(step).As(ir.F32)
	return p.Add(m).Sub(m)
}

// withSign gives v, positive or of x's sign, the sign of x.
func withSign(k *ir.Kernel, v, x *ir.Node) *ir.Node {
	return v.As(ir.I32).OrAnd(x.As(ir.I32), k.Int(-1<<31)).As(ir.F32)
}

// encode is the code of p rounded to the format, without its sign: p >= 0 is
// at most the format's largest value, or one step above. Codes of subnormals
// and carries into the exponent need no case: p+M's last bits count steps, and
// each exponent above the least is 1<<mantissa of them.
func (f format) encode(k *ir.Kernel, p *ir.Node) *ir.Node {
	above := exponent(k, p).Excess(k.Int(f.least << 23))
	m := above.IAdd(k.Int((f.least + int32(23-f.mantissa)) << 23))
	steps := p.Add(m.As(ir.F32)).As(ir.I32).ISub(m)
	return steps.IAdd(above.Shr(23 - f.mantissa))
}

// value is the value of a code with so many bits beside its sign, the inverse of
// encode: the code with its sign in the highest bit is signed. A normal number
// y needs its exponent moved; a subnormal one is read as if it had a leading
// one, and 2*y - least takes that away again, being less than y there alone.
func (f format) value(k *ir.Kernel, code, signed *ir.Node, bits uint32) *ir.Node {
	field := code.And(k.Int(1<<bits - 1)).Shl(23 - f.mantissa)
	y := field.IAdd(k.Int((f.least - 1) << 23)).As(ir.F32)
	least := math.Float32frombits(uint32(f.least) << 23)
	return withSign(k, y.MulAdd(k.Const(2), k.Const(-least)).Min(y), signed.As(ir.F32))
}

func magnitude(k *ir.Kernel, v *ir.Node) *ir.Node {
	return v.As(ir.I32).And(k.Int(0x7fffffff)).As(ir.F32)
}

// fakeQuantizeFp serves every float format: the grid is given by two words.
// Magnitudes are compared and clipped as integers.
func fakeQuantizeFp(t tensor) []*ir.Kernel {
	var ks []*ir.Kernel
	for _, m := range masks {
		k := ir.New("fakequantizefp"+t.name, "FakeQuantizeFp", `sets y = grid(c)*scale with v = x/scale and c = min(max(v, -most), most)`+m.tells("c == v")+`.
grid rounds to the format that least and step describe: the exponent field of its least normal
number in place, and (23 - mantissa bits)<<23. recip is Prepare's. In place (y == x) is allowed.`, Masks.Of(m.name), Elems.Of(t.name))
		least, step, most := k.Word("least", ir.MemI32), k.Word("step", ir.MemI32), k.Word("most", ir.MemF32)
		x, s, r := k.Load("x", t.mem), k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32)
		y := func(c, sign *ir.Node) *ir.Node { return withSign(k, onGrid(k, c, least, step), sign).Mul(s) }

		v := t.quotient(x, s, r, signedQuotient(x, s, r)).OrAlarm()
		p := magnitude(k, v).As(ir.I32)
		c := p.UMin(most.As(ir.I32))
		k.Store("y", t.out, y(c.As(ir.F32), v))
		m.store(k, c.IEq(p))
		k.Rarely(func() {
			v := x.Div(s)
			p := magnitude(k, v)
			c := p.Min(most)
			k.Store("y", t.mem, y(c, v))
			m.store(k, c.Eq(p))
		})
		ks = append(ks, k)
	}
	return ks
}

// fpCode is a code that a quantizer writes. E2M1 is also written one to a byte,
// as the e4m3 codes of its values.
type fpCode struct {
	name string
	mem  ir.Mem
	f    format
	nan  int32                                   // the code of NaN
	sign uint32                                  // the sign's bit
	code func(k *ir.Kernel, p *ir.Node) *ir.Node // of p >= 0, not above the format's largest value
}

var fpCodes = []fpCode{
	{"E4M3", ir.MemU8, e4m3, 0x7f, 7, e4m3.encode},
	{"E5M2", ir.MemU8, e5m2, 0x7f, 7, e5m2.encode},
	{"E2M1", ir.MemU8, e2m1, 0x7f, 7, func(k *ir.Kernel, p *ir.Node) *ir.Node {
		v := onGrid(k, p, k.Int(127<<23), k.Int(22<<23))
		return v.As(ir.I32).Shr(20).ISub(k.Int(120 << 3)).IMax(k.Int(0)) // 0 is below all exponents
	}},
	{"E2M1Packed", ir.MemE2M1, e2m1, 0, 3, e2m1.encode},
}

// oneZero is the NaN of formats that have it in the place of -0.
const oneZero = 0x80

// signed gives a code, 0 or above, the sign of x.
func (q fpCode) signed(k *ir.Kernel, code, x *ir.Node) *ir.Node {
	sign := x.As(ir.I32).Shr(31 - q.sign)
	if q.nan == oneZero {
		sign = sign.And(code.IAdd(k.Int(0x7f))) // which has the sign's bit unless code is 0
	}
	return code.OrAnd(sign, k.Int(1<<q.sign))
}

// store writes the codes of v, and rarely those of what is instead of v where
// it has a NaN.
func (q fpCode) store(k *ir.Kernel, name string, most, v *ir.Node, rare func() *ir.Node) {
	code := func(v *ir.Node) *ir.Node {
		return q.code(k, magnitude(k, v).As(ir.I32).UMin(most.As(ir.I32)).As(ir.F32))
	}
	write := func(code, sign *ir.Node) {
		k.Store(name, q.mem, q.signed(k, code, sign).Narrow16().NarrowU8())
	}
	write(code(v.OrAlarm()), v)
	k.Rarely(func() {
		v := rare()
		is := v.Ordered()
		if q.nan == 0 { // no sign either
			write(is.Keep(code(v)), is.Keep(v))
		} else {
			write(is.Select(code(v), k.Int(q.nan)), v)
		}
	})
}

func quantizeFp(t tensor) []*ir.Kernel {
	var ks []*ir.Kernel
	for _, q := range fpCodes {
		k := ir.New("quantizefp"+t.name, "QuantizeFp", `sets q to the code of x/scale, clamped to -most and most and rounded to the format.
recip is Prepare's.`, Codes.Of(q.name), Elems.Of(t.name))
		most := k.Word("most", ir.MemF32)
		x, s, r := k.Load("x", t.mem), k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32)
		q.store(k, "q", most, t.quotient(x, s, r, signedQuotient(x, s, r)), func() *ir.Node { return x.Div(s) })
		ks = append(ks, k)

		k = ir.New("quantizefp"+t.name, "QuantizeFpPowerOfTwo", `is QuantizeFp with scales that are powers of two, 1/recip: then the product is the quotient.`,
			Codes.Of(q.name), Elems.Of(t.name))
		most = k.Word("most", ir.MemF32)
		v := k.Load("x", t.mem).Mul(k.Param("recip", ir.MemF32))
		q.store(k, "q", most, v, func() *ir.Node { return v })
		ks = append(ks, k)
	}
	return ks
}

// scaled stores the values of codes times s to y. E4M3 is read as 1/256 of what
// it is, so that s is multiplied by 256, which is exact, and not each value; but
// where 256*s is infinite or NaN, and for NaN, the rare way is taken. Values that
// are listed need none of this.
func (f format) scaled(k *ir.Kernel, codes string, t tensor, s *ir.Node, listed bool) {
	x := f.load(k, codes, listed)
	if listed || f.code != ir.MemE4M3 {
		k.Store("y", t.out, x.Mul(t.quiet(k, s)))
		return
	}
	s256 := s.Mul(k.Const(256))
	finite := s256.Sub(s256).Ordered()
	k.AlarmCode(codes, f.code, finite.Select(k.Int(signs), k.Int(-1)))
	k.Store("y", t.out, x.Mul(s256))
	k.Rarely(func() { k.Store("y", t.mem, withNaN(k, codes).Mul(s)) })
}

// signs in four codes leave 0xff of a NaN.
const signs = -0x7f7f7f80

// withNaN is the values of E4M3 codes, NaN too.
func withNaN(k *ir.Kernel, codes string) *ir.Node {
	c := k.Load(codes, ir.MemU8)
	isNaN := c.And(k.Int(0x7f)).IEq(k.Int(0x7f))
	return isNaN.Select(k.Const(float32(math.NaN())), e4m3.value(k, c, c.Shl(24), 7))
}

func dequantizeFp(t tensor, formats []format, listed bool) []*ir.Kernel {
	var ks []*ir.Kernel
	for _, f := range formats {
		k := ir.New("dequantizefp"+t.name, "DequantizeFp", `sets y = q*scale.`, Codes.Of(f.name), Elems.Of(t.name))
		f.scaled(k, "q", t, k.Param("scale", ir.MemF32), listed)
		ks = append(ks, k)
	}
	return ks
}

// load loads codes, listed if that is asked for and they have a byte each.
func (f format) load(k *ir.Kernel, name string, listed bool) *ir.Node {
	if listed && f.code.Bits() == 8 {
		return k.LoadListed(name, f.values(7))
	}
	return k.Load(name, f.code)
}

// values lists the values of the codes, with so many bits beside the sign and
// anything above it, of a format without infinity.
func (f format) values(bits uint32) *[256]float32 {
	var values [256]float32
	sign, one := 1<<bits, 1<<f.mantissa
	for code := range values {
		field, steps := code&(sign-1)/one, code&(one-1)
		if field > 0 {
			steps += one
		}
		v := math.Ldexp(float64(steps), int(f.least)-127-int(f.mantissa)+max(field-1, 0))
		if code&sign != 0 {
			v = math.Copysign(v, -1)
		}
		values[code] = float32(v)
		if code == f.nan || code == f.nan|sign {
			values[code] = float32(math.NaN())
		}
	}
	return &values
}
