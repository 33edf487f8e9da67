package formula

import (
	"math"
	"slices"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/internal/codeformat"
)

// format is a small float format: its row of the table, the float32 exponent field of
// its least normal number, and how its codes are loaded.
type format struct {
	name     string // of the code
	mantissa uint32
	least    int32
	code     ir.Mem
	nan      int // a code of it, or codeformat.NoNaN
}

func newFormat(id codeformat.ID, name string, code ir.Mem) format {
	f := codeformat.Rows[id].Float
	return format{name, uint32(f.Mantissa), int32(f.Field()), code, f.NaN}
}

var (
	e4m3 = newFormat(codeformat.E4M3FN, "E4M3", ir.MemE4M3)
	e5m2 = newFormat(codeformat.E5M2, "E5M2", ir.MemE5M2)
	e2m1 = newFormat(codeformat.E2M1Packed, "E2M1", ir.MemE2M1)

	// One zero, and NaN in the place of -0.
	e4m3fnuz = newFormat(codeformat.E4M3FNUZ, "E4M3FNUZ", ir.MemI8)
	e5m2fnuz = newFormat(codeformat.E5M2FNUZ, "E5M2FNUZ", ir.MemI8)
)

// exponent is the exponent field of v, in place.
func exponent(k *ir.Kernel, v *ir.Node) *ir.Node { return v.As(ir.I32).And(k.Int(0x7f800000)) }

// onGrid rounds v to a format's mantissa bits, or to its subnormals: M is one and
// a half times the power of two whose last place is the grid's step at v, so that
// v+M rounds as wanted and taking M away is exact. A zero is +0.
//
// least is the exponent field of the format's least normal number in place,
// step what makes that power of a field: (23 - mantissa bits)<<23.
func onGrid(k *ir.Kernel, v, least, step *ir.Node) *ir.Node {
	m := exponent(k, v).UMax(least).IAdd(step.IAdd(k.Int(1 << 22))).As(ir.F32)
	return v.Add(m).Sub(m)
}

// withSign gives v, positive or of x's sign, the sign of x.
func withSign(k *ir.Kernel, v, x *ir.Node) *ir.Node {
	return v.As(ir.I32).OrAnd(x.As(ir.I32), k.Int(-1<<31)).As(ir.F32)
}

// value is the value of a code with so many bits beside its sign: the code with
// its sign in the highest bit is signed. A normal number y needs its exponent
// moved; a subnormal one is read as if it had a leading one, and 2*y - least takes
// that away again, being less than y there alone.
func (f format) value(k *ir.Kernel, code, signed *ir.Node, bits uint32) *ir.Node {
	field := code.And(k.Int(1<<bits - 1)).Shl(23 - f.mantissa)
	y := field.IAdd(k.Int((f.least - 1) << 23)).As(ir.F32)
	least := math.Float32frombits(uint32(f.least) << 23)
	return withSign(k, y.MulAdd(k.Const(2), k.Const(-least)).Min(y), signed.As(ir.F32))
}

// fakeQuantizeFp serves every float format: the grid is given by two words.
func fakeQuantizeFp(t tensor) *ir.Kernel {
	k := ir.New("fakequantizefp"+t.name, "FakeQuantizeFp", `sets y = grid(c)*scale with v = x/scale and c = min(max(v, -most), most)`+toldByMask("c == v")+`.
grid rounds to the format that least and step describe: the exponent field of its least normal
number in place, and (23 - mantissa bits)<<23. recip is Prepare's. In place (y == x) is allowed.`, t.elem())
	k.Far = t.bits == ir.MemI16
	least, step, most := k.Word("least", ir.MemI32), k.Word("step", ir.MemI32), k.Word("most", ir.MemF32)
	x, s, r := k.Load("x", t.mem), k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32)
	v := t.quotient(x, s, r, signedQuotient(x, s, r)).OrAlarm()
	c := v.Clip(most)
	k.Store("y", t.mem, withSign(k, onGrid(k, c, least, step), v).Mul(s))
	storeMask(k, c.Inside(v))
	k.Rarely(func() { t.rarelyFakeQuantizeFp(k, x, s, least, step, most) })
	return k
}

// rarelyFakeQuantizeFp divides, and has NaN stay one.
func (t tensor) rarelyFakeQuantizeFp(k *ir.Kernel, x, s, least, step, most *ir.Node) {
	v := x.Div(s)
	p := v.Magnitude()
	c := p.Min(most)
	k.Store("y", t.mem, withSign(k, onGrid(k, c, least, step), v).Mul(s).OneNaN())
	storeMask(k, c.Eq(p))
}

// fpCode is a code that a kernel writes: E2M1's, and that of any format with a sign bit above its exponent,
// which words describe.
type fpCode struct {
	name    string
	mem     ir.Mem
	oneZero bool // there is no -0
}

// anyFloat is either, with a word for the layout. E2M1 with a code to a byte is written as the E4M3 codes of its values.
var anyFloat = fpCode{"", ir.MemFloat, false}

var e2m1Packed = fpCode{"E2M1Packed", ir.MemE2M1, false}

// codes lists f's codes of the values of another format, of four bits.
func (f format) codes(other format) *[16]byte {
	var codes [16]byte
	mine, values := f.values(7, true), other.values(3, true)
	for i := range codes {
		codes[i] = byte(slices.IndexFunc(mine[:], func(v float32) bool { return math.Float32bits(v) == math.Float32bits(values[i]) }))
	}
	return &codes
}

// floatWords say for a kernel's declaration what describes a format.
const floatWords = `least, the exponent field of its least normal number in place; ruler, by which a field is
multiplied to make the power of two whose last place is the grid's step there, in the lower half of which the steps
begin; weights, 128 and in the upper half 2^(mantissa bits); and in each byte top, the largest code, and nan, NaN's.`

const float8Words = `
A Float8 is described by words: ` + floatWords + `
A Float8FNUZ has no -0.`

const anyFloatWords = `
The format is described by words: ` + floatWords + `
E2M1 has the layout Nibbles or ListedBytes, and 32 times the weights.`

// encoder makes codes of a kind from values.
type encoder struct {
	fpCode
	k            *ir.Kernel
	least, ruler *ir.Node
	weights, top *ir.Node // of what words describe
	layout       *ir.Node // of anyFloat
	nan          *ir.Node // nil if there is none
	tie, flip    *ir.Node // nil if ties go to even and signs stay
}

func (q fpCode) encoder(k *ir.Kernel) encoder {
	if q.mem == ir.MemE2M1 || q.name == "E2M1" {
		return encoder{fpCode: q, k: k, least: k.Int(e2m1.least << 23), ruler: k.Int(int32(e2m1.ruler())).As(ir.F32)}
	}
	bytes := func(name string) *ir.Node { return k.Word(name, ir.MemI32).As(ir.I8) }
	e := encoder{fpCode: q, k: k, least: k.Word("least", ir.MemI32), ruler: k.Word("ruler", ir.MemF32), weights: k.Word("weights", ir.MemI32), top: bytes("top")}
	if q.mem != ir.MemU6 {
		e.nan = bytes("nan")
	}
	if q.mem == ir.MemFloat {
		e.layout = k.Word("layout", ir.MemI32)
	}
	return e
}

// ruler is what an exponent field is multiplied by to make the power of two whose
// last place is the grid's step. Each exponent is 1<<mantissa steps: its lower half
// takes those of the least away.
func (f format) ruler() uint32 {
	place := 23 - f.mantissa
	return (127+place)<<23 | uint32(-(f.least+int32(place))<<f.mantissa)&0xffff
}

// steps is what the code of |v|, rounded to the format, is made of: with M the
// power of two whose last place is the grid's step at v, |v|+M counts steps in its
// lower half, and has M's exponent in its upper one.
func (e encoder) steps(v *ir.Node) *ir.Node {
	if e.tie != nil {
		return e.stepsByTie(v)
	}
	return exponent(e.k, v).UMax(e.least).As(ir.F32).MulAdd(e.ruler, v.Magnitude()).As(ir.I32)
}

// stepsByTie is steps of E2M1 with |v| times a word instead of 1. So that this costs no
// product, M is the power of two of v's own exponent, and the word is what makes |v| as
// much less: 2^-22, or the number below that, so that ties go toward zero. What it takes
// from a float32 above a tie is less than a last place: no tie has more than two mantissa bits.
func (e encoder) stepsByTie(v *ir.Node) *ir.Node {
	base := -e2m1.least << e2m1.mantissa & 0xffff
	m := e.k.Int(base).OrAnd(v.As(ir.I32), e.k.Int(0x7f800000)).UMax(e.k.Int(e2m1.least<<23 | base))
	return v.Magnitude().MulAdd(e.tie, m.As(ir.F32)).As(ir.I32)
}

// codes is the codes that steps stand for, with the sign of x; not in order. Codes
// of subnormals and carries into the exponent need no case. Codes are clipped, not
// values, as there are four to a lane; those of e2m1 by saturation.
func (e encoder) codes(steps, x *ir.Node) *ir.Node {
	if e.weights == nil {
		sign := x.Signs().Shr(4)
		if e.flip != nil {
			sign = sign.Xor(e.flip)
		}
		return steps.Halves(7-e2m1.mantissa, 3).ShuffledU8().OrAnd(sign, e.k.Byte(8))
	}
	c := steps.HalvesBy(e.weights).ShuffledU8().MinU8(e.top)
	sign := x.Signs()
	if e.mem == ir.MemU6 {
		return c.OrAnd(sign.Shr(2), e.k.Byte(0x20))
	}
	if e.oneZero {
		sign = sign.And(c.Sub8(e.k.Byte(0x81))) // which has the sign's bit unless c is 0
	}
	return c.OrAnd(sign, e.k.Byte(0x80))
}

// quantize writes the codes of quotients v, and rarely those of what is instead of
// v where it has a NaN: that of arithmetic, which has no sign.
func (e encoder) quantize(v *ir.Node, rare func() *ir.Node) {
	e.store("q", v, rare, false)
}

// store writes the codes of v, and rarely those of what is instead of v where
// it has a NaN, whose sign may be kept.
func (e encoder) store(name string, v *ir.Node, rare func() *ir.Node, signed bool) {
	k := e.k
	put := func(steps, v, is *ir.Node) { // is, if there is one, has zeros where there is a NaN
		missing := func() *ir.Node { return is.Bytes().Sub8(k.Byte(1)) }
		if e.layout != nil {
			var nan *ir.Node
			if is != nil {
				nan = missing().And(e.nan)
			}
			k.StoreFloat(name, e.layout, steps.HalvesHigh(e.weights), v.Signs16(), e.top, e4m3.codes(e2m1), nan)
			return
		}
		code := e.codes(steps, v).InOrder()
		if is != nil && e.nan != nil {
			code = code.OrAnd(missing(), e.nan)
		}
		k.Store(name, e.mem, code)
	}
	put(e.steps(v.OrAlarm()), v, nil)
	k.Rarely(func() {
		v := rare()
		is := v.Ordered()
		steps := is.Keep(e.steps(v))
		if !signed || e.nan == nil {
			v = is.Keep(v)
		}
		put(steps, v, is)
	})
}

func quantizeFp(t tensor) []*ir.Kernel {
	k := ir.New("quantizefp"+t.name, "QuantizeFp", `sets q to the code of x/scale, clipped and rounded to the format.
recip is Prepare's.`+anyFloatWords, t.elem())
	e, x := anyFloat.encoder(k), k.Load("x", t.mem)
	s, r := k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32)
	e.quantize(t.quotient(x, s, r, signedQuotient(x, s, r)), func() *ir.Node { return x.Div(s) })

	p := ir.New("quantizefp"+t.name, "QuantizeFpPowerOfTwo", `is QuantizeFp with scales that are powers of two, 1/recip: then the product is the quotient.`,
		t.elem())
	e = anyFloat.encoder(p)
	v := p.Load("x", t.mem).Mul(p.Param("recip", ir.MemF32))
	e.quantize(v, func() *ir.Node { return v })
	return []*ir.Kernel{k, p}
}

// quantizeE2M1 is QuantizeFp of E2M1Packed as libraries other than the reference have it.
func quantizeE2M1() []*ir.Kernel {
	k := ir.New("quantizefp", "QuantizeE2M1", `sets q to the E2M1 code of x/scale, clipped and rounded, with +0 for -0; a NaN counts as instead.
recip is Prepare's.`)
	zero, instead := k.Const(0), k.Word("instead", ir.MemF32)
	x, s, r := k.Load("x", ir.MemF32), k.Param("scale", ir.MemF32), k.Param("recip", ir.MemF32)
	e2m1Packed.encoder(k).quantize(quotient(x, s, r), func() *ir.Node {
		v := x.Div(s).Add(zero)
		return v.Ordered().Select(v, instead)
	})

	p := ir.New("quantizefp", "QuantizeE2M1PowerOfTwo", `is QuantizeE2M1 with scales that are powers of two, 1/factor: then the product is the quotient.
tie is 2^-22, or the number below that if ties go toward zero; and a sign is flipped where flip, a byte four times, has the bit of a code's sign.`)
	zero, instead = p.Const(0), p.Word("instead", ir.MemF32)
	x, r = p.Load("x", ir.MemF32), p.Param("factor", ir.MemF32)
	e := e2m1Packed.encoder(p)
	e.tie, e.flip = p.Word("tie", ir.MemF32), p.Word("flip", ir.MemI32).As(ir.I8)
	e.quantize(x.MulAdd(r, zero), func() *ir.Node {
		v := x.Mul(r).Add(zero)
		return v.Ordered().Select(v, instead)
	})
	return []*ir.Kernel{k, p}
}

// scaled stores the values of codes times s, which is finite, to y. E4M3 is read as
// 1/256 of what it is, for which s has a factor, and its NaN takes the rare way; so do the
// NaNs of E5M2, and its infinities, of which 0 makes NaNs.
func (f format) scaled(k *ir.Kernel, codes string, t tensor, s *ir.Node, listed bool) {
	y := f.load(k, codes, listed).Mul(s)
	k.Store("y", t.mem, y)
	switch {
	case f.code == ir.MemE4M3:
		if listed { // a NaN is the code 0xff then
			k.AlarmCode(codes, ir.MemListed, k.Int(0))
		} else {
			k.AlarmCode(codes, f.code, k.Int(signs))
		}
		k.Rarely(func() {
			k.Store("y", t.mem, orNaN(k, codes, y))
		})
	case f.code == ir.MemE5M2:
		k.AlarmCode(codes, f.code, k.Int(signs|0x03030303))
		k.Rarely(func() { k.Store("y", t.mem, y.OneNaN()) })
	}
}

// signs in four codes leave 0xff of a NaN.
const signs = -0x7f7f7f80

// orNaN is y, or NaN where a code of E4M3 is one.
func orNaN(k *ir.Kernel, codes string, y *ir.Node) *ir.Node {
	isNaN := k.Load(codes, ir.MemU8).And(k.Int(0x7f)).IEq(k.Int(0x7f))
	return isNaN.Select(k.Const(float32(math.NaN())), y)
}

func dequantizeFp(t tensor, formats []format, listed bool) []*ir.Kernel {
	var ks []*ir.Kernel
	for _, f := range formats {
		k := ir.New("dequantizefp"+t.name, "DequantizeFp", `sets y = q*(scale*times), the product finite. Times has 256 as a factor for E4M3.`, Codes.Of(f.name), t.elem())
		f.scaled(k, "q", t, k.Word("times", ir.MemF32).Mul(k.Param("scale", ir.MemF32)), listed)
		ks = append(ks, k)
	}
	return ks
}

// Powers records a kernel of which AVX-512 has no need, as it rounds by few instructions.
func Powers() []*ir.Kernel {
	k := ir.New("dequantizefpF16BF16", "DequantizePowers", `sets y to the bfloat16 q*(scale*times), for products that are such or zeros: scales and times are powers of two.
A code, moved to the upper byte of 16 bits and down again by so many, has in keep, twice, the bits of a float16; times has for a factor what is missing then.
It runs over groups >= 1, each of length >= 32 elements, a multiple of 32, and stops at one with a code whose lower seven bits are above top, a byte four times.
It sets groups to how many are left.`)
	k.Powers, k.UpTo256 = true, true
	return []*ir.Kernel{k}
}

// load loads codes, those of E4M3 listed if that is asked for.
func (f format) load(k *ir.Kernel, name string, listed bool) *ir.Node {
	if listed && f.code == ir.MemE4M3 {
		values := f.values(7, false)
		for i := range values {
			values[i] /= 256
		}
		return k.LoadListed(name, values)
	}
	return k.Load(name, f.code)
}

// values lists the values of the codes, with so many bits beside the sign and
// anything above it, of a format without infinity. A NaN has its code's sign, or
// none.
func (f format) values(bits uint32, signedNaN bool) *[256]float32 {
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
			if signedNaN && code&sign != 0 {
				values[code] = math.Float32frombits(0xffc00000)
			}
		}
	}
	return &values
}
