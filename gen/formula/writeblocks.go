package formula

import (
	"math"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// Quantizing to blocks of GGUF files whose scales need no search. Kernel MinMax finds what the elements of a block, or of
// a group of it, are between; from that BlockParams finds the parameters of sixteen blocks side by side, and QuantizeBlocks
// writes blocks. Blocks that are out of the ordinary, for which the formulas do not hold, are told by BlockParams, and
// others write them again. Q5_0 has the parameters of Q4_0, and Q5_1 those of Q4_1, but for a number.

// writtenTypes says how blocks are written: what it is that BlockParams leaves, and the codes.
var writtenTypes = []struct {
	name          string
	bytes, length int
	doc           string
	params        func(p blockParams)
	write         func(w writer)
}{
	{"Q8_0", 34, 32, "q = round(x*factor), half away from zero", func(p blockParams) {
		p.scale(p.magnitude().Div(p.Each(127)))
	}, func(w writer) {
		for i := 0; i < 4; i += 2 {
			q := w.Narrow([4]*ir.BlockNode{w.away(i, 0), w.away(i, 16), w.away(i+1, 0), w.away(i+1, 16)}, true).Ordered()
			w.Put(34*i+2, q, 0, 2)
			w.Put(34*i+36, q, 2, 2)
		}
		w.halves("scales", 34, 0)
	}},
	{"Q4_0", 18, 32, "q = min(trunc(x*factor + 8.5), 15)", blockParams.signed, func(w writer) {
		low, high := w.both(func(k, first int) *ir.BlockNode { return w.quotient(k, first).Add(w.Each(8.5)) }, false)
		w.nibbles(18, 2, low.Least(w.Codes(15)), high.Least(w.Codes(15)))
		w.halves("scales", 18, 0)
	}},
	{"Q5_0", 22, 32, "q = min(trunc(x*factor + 16.5), 31)", nil, func(w writer) {
		low, high := w.both(func(k, first int) *ir.BlockNode { return w.quotient(k, first).Add(w.Each(16.5)) }, false)
		w.fifths(22, 2, low.Least(w.Codes(31)), high.Least(w.Codes(31)))
		w.halves("scales", 22, 0)
	}},
	{"Q4_1", 20, 32, "q = trunc((x-low)*factor + 0.5)", blockParams.ranged, func(w writer) {
		low, high := w.ranged()
		w.nibbles(20, 4, low, high)
		w.halves("scales", 20, 0)
		w.halves("minima", 20, 2)
	}},
	{"Q5_1", 24, 32, "q = trunc((x-low)*factor + 0.5)", nil, func(w writer) {
		low, high := w.ranged()
		w.fifths(24, 4, low, high)
		w.halves("scales", 24, 0)
		w.halves("minima", 24, 2)
	}},
	{"MXFP4", 17, 32, "q = the nearest of K for x*factor/2, ties toward zero", func(p blockParams) {
		most := p.magnitude()
		power := most.Masked(0x7f800000, 0) // of two
		// The logarithm of what is just below a power of two is rounded up.
		p.usualIf(most, p.Each(0x1p-122))
		p.usualIf(power.Mul(p.Each(2-45*0x1p-23)), most)
		p.StoreRow("factors", power.Under(16-0x1p-20)) // the number below 16 of them
		p.StoreInts("scales", power.Mul(p.Each(0.25)).As(ir.BlockInts).Shift32(-23))
		p.store(most)
	}, func(w writer) {
		low, high := w.both(w.quotient, true)
		w.nibbles(17, 1, w.fp4(low), w.fp4(high))
		for k := range 4 {
			w.Copy(17*k, "scales", 4*k, 1, 16)
		}
	}},
	{"NVFP4", 36, 64, "q = the nearest of K for x*factor/2, ties toward zero", func(p blockParams) {
		quotient := p.magnitude().Div(p.Each(6))
		p.usualIf(p.Each(math.Nextafter32(550, 0)), quotient) // beyond, the errors of several codes are the same
		v := quotient.Min(p.Each(448))
		normal := v.As(ir.BlockInts).Plus(1 << 19).Shift32(-20).Plus(-120 << 3)
		normal = v.Where(p.Each(248), p.Bits(0x7e), normal)
		subnormal := v.Mul(p.Each(512)).Add(p.Each(0.5)).Min(p.Each(7.5)).Truncate()
		is := p.Each(0x1p-6)
		p.StoreInts("scales", v.Where(is, normal, subnormal))
		stands := v.Where(is, normal.Shift32(20).Plus(120<<23).As(ir.BlockFloats), subnormal.Float().Mul(p.Each(0x1p-9)))
		below := stands.Under(4).As(ir.BlockInts).Plus(-1).As(ir.BlockFloats)
		p.StoreRow("factors", stands.Where(p.Each(0x1p-9), below, p.Each(0)))
		p.store(quotient)
	}, func(w writer) {
		var q [2]*ir.BlockNode
		for i := range q {
			var m [4]*ir.BlockNode
			for k := range m {
				m[k] = w.Elements(64*i + 16*k).Mul(w.Element("factors", 4*i+k, 8)).Truncate()
			}
			n := w.Narrow(m, true).Ordered()
			q[i] = w.fp4(n.Least(w.Codes(31)).Most(w.Codes(0xe1)))
		}
		w.PutEights(4, 40, q[0].Lower(q[1]).Or(q[0].Upper(q[1]).Shift(4)))
		for k := range 8 {
			w.Copy(k/4*36+k%4, "scales", 4*k, 1, 32)
		}
	}},
}

// writeBlocks records two kernels for each type.
func writeBlocks() []*ir.Kernel {
	var ks []*ir.Kernel
	for _, t := range writtenTypes {
		if t.params == nil {
			continue
		}
		k, lanes := ir.NewLanes("writeblocks", "BlockParams", `finds the parameters of n >= 1 rows of sixteen groups whose elements are low to high.
checks and their sums are NaN for groups that are not usual, for which the others mean nothing, and else 0. The params are sixteen times
what the number of largest magnitude is multiplied by for Q4_0 and Q5_0, and the greatest code of Q4_1 and Q5_1.`, BlockTypes.Of(t.name))
		t.params(blockParams{lanes, new(*ir.BlockNode)})
		ks = append(ks, k)
	}
	for _, t := range writtenTypes {
		k, b := ir.NewWriter("writeblocks", "QuantizeBlocks", `writes blocks of n >= 1 times 128 elements: `+t.doc+".", t.bytes, t.length, BlockTypes.Of(t.name))
		t.write(writer{block{b}})
		ks = append(ks, k)
	}
	return append(ks, levelCodes(), productCodes())
}

// levelCodes rounds to levels with scales that are found before.
func levelCodes() *ir.Kernel {
	k, b := ir.NewCoder("writeblocks", "LevelCodes", `writes the codes of n >= 1 times 64 elements, a byte each, with a scale for each sixteen: code = min(max(round((x+offset)/scale), least), most) - zero.
The levels are least and most, and 12582912 + zero, zero being even. Quotients are below 2^31.`)
	w := writer{block{b}}
	w.coded(func(i int) *ir.BlockNode {
		return w.level(w.Elements(16 * i).Add(w.coder("offsets", i)).Div(w.coder("scales", i)))
	})
	return k
}

// productCodes rounds to the levels that a search has found.
func productCodes() *ir.Kernel {
	k, b := ir.NewCoder("writeblocks", "ProductCodes", `writes the codes of n >= 1 times 64 elements, a byte each, with a factor and a base for each sixteen:
code = min(max(round((x-base)*factor), least), most) - zero. The levels are those of LevelCodes. Products are below 2^31.`)
	w := writer{block{b}}
	w.coded(func(i int) *ir.BlockNode {
		return w.level(w.Elements(16 * i).Sub(w.coder("bases", i)).Mul(w.coder("factors", i)))
	})
	return k
}

// level is a number rounded to a level.
func (w writer) level(v *ir.BlockNode) *ir.BlockNode {
	return v.Max(w.Element("levels", 0, 0)).Min(w.Element("levels", 1, 0)).Add(w.Each(12582912)).Sub(w.Element("levels", 2, 0))
}

// coder is what the codes of sixteen elements are found with.
func (w writer) coder(name string, i int) *ir.BlockNode {
	return w.Element(name, i, ir.CodedAtOnce/16)
}

// coded stores codes, which are integers.
func (w writer) coded(code func(i int) *ir.BlockNode) {
	var v [ir.CodedAtOnce / 16]*ir.BlockNode
	for i := range v {
		v[i] = code(i).Truncate()
	}
	q := w.Narrow(v, false).Ordered()
	w.Put(0, q, 0, 2)
	w.Put(32, q, 2, 2)
}

// blockParams has what the kernels that find parameters have in common; the other field is what checks the groups so far.
type blockParams struct {
	*ir.Block
	check **ir.BlockNode
}

func (p blockParams) checked(v *ir.BlockNode) {
	if *p.check != nil {
		v = (*p.check).Add(v)
	}
	*p.check = v
}

// finite says that a group is usual only if a number is finite.
func (p blockParams) finite(v *ir.BlockNode) { p.checked(v.Mul(p.Each(0))) }

// usualIf says that a group is usual only if v >= c.
func (p blockParams) usualIf(v, c *ir.BlockNode) {
	p.checked(v.Where(c, p.Each(0), p.Bits(0x7fc00000)))
}

// store stores the checks, with that of a number.
func (p blockParams) store(v *ir.BlockNode) {
	p.finite(v)
	p.StoreRow("checks", *p.check)
	p.Sum(0, *p.check)
}

// magnitude is the largest.
func (p blockParams) magnitude() *ir.BlockNode {
	return unsigned(p.Row("high").Max(p.Row("low").Mul(p.Each(-1))))
}

// unsigned is the magnitude of a number.
func unsigned(v *ir.BlockNode) *ir.BlockNode { return v.Masked(0x7fffffff, 0) }

// scale stores a scale as float16, and as a factor its reciprocal, or 0 where it is 0.
func (p blockParams) scale(d *ir.BlockNode) {
	factor := unsigned(d).Where(p.Each(math.SmallestNonzeroFloat32), d.Under(1), p.Each(0))
	p.StoreHalves("scales", d)
	p.StoreRow("factors", factor)
	p.finite(d)
	p.store(factor)
}

// signed has a scale for the number of largest magnitude, which must be one only.
func (p blockParams) signed() {
	low, high := p.Row("low"), p.Row("high")
	minus := low.Mul(p.Each(-1))
	first, other := minus.Where(high, low, high), high.Where(minus, high, low)
	p.usualIf(first, other)
	p.scale(first.Mul(p.Lane(0)))
}

// ranged has a scale for what is above the least, whose sign must be known.
func (p blockParams) ranged() {
	low := p.Row("low")
	p.usualIf(unsigned(low), p.Each(math.SmallestNonzeroFloat32))
	p.StoreHalves("minima", low)
	p.finite(low)
	p.scale(p.Row("high").Sub(low).Div(p.Lane(0)))
}

// writer has what the kernels that write blocks have in common.
type writer struct{ block }

// quotient is of sixteen elements of block k.
func (w writer) quotient(k, first int) *ir.BlockNode {
	return w.Elements(32*k + first).Mul(w.Element("factors", k, 4))
}

// away is the quotient rounded half away from zero: the number below a half is added to it, with its sign.
func (w writer) away(k, first int) *ir.BlockNode {
	q := w.quotient(k, first)
	return q.Add(q.Masked(1<<31, math.Float32bits(math.Nextafter32(0.5, 0)))).Truncate()
}

// both has the first halves of four blocks, and the second ones, cut to integers.
func (w writer) both(value func(k, first int) *ir.BlockNode, signed bool) (low, high *ir.BlockNode) {
	var v [2][4]*ir.BlockNode
	for half := range v {
		for k := range v[half] {
			v[half][k] = value(k, 16*half).Truncate()
		}
	}
	return w.Narrow(v[0], signed), w.Narrow(v[1], signed)
}

// ranged are the codes above the least element.
func (w writer) ranged() (low, high *ir.BlockNode) {
	return w.both(func(k, first int) *ir.BlockNode {
		above := w.Elements(32*k + first).Sub(w.Element("low", k, 4))
		return above.Mul(w.Element("factors", k, 4)).Add(w.Each(0.5))
	}, false)
}

// nibbles stores codes below 16.
func (w writer) nibbles(bytes, off int, low, high *ir.BlockNode) {
	q := low.Or(high.Shift(4)).Ordered()
	for k := range 4 {
		w.Put(bytes*k+off, q, k, 1)
	}
}

// fifths stores codes below 32: their fifth bits, then the nibbles.
func (w writer) fifths(bytes, off int, low, high *ir.BlockNode) {
	low, high = low.Ordered(), high.Ordered()
	w.PutBits(off, bytes, low, w.Codes(16))
	w.PutBits(off+2, bytes, high, w.Codes(16))
	q := low.And(w.Codes(15)).Or(high.And(w.Codes(15)).Shift(4))
	for k := range 4 {
		w.Put(bytes*k+off+4, q, k, 1)
	}
}

// fp4 are the codes of e2m1 for twice the quotients, cut to integers from -31 to 31. The table has those below 16; from 20
// on they are 7, before 6. What is negative is not 0.
func (w writer) fp4(m *ir.BlockNode) *ir.BlockNode {
	table := w.Const([16]byte{0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6}).Repeated()
	size := m.Most(w.Codes(0).Less(m))
	code := table.Shuffle(size.Least(w.Codes(15)))
	code = code.Or(size.Less(w.Codes(256-108)).Any(w.Codes(0x80), w.Codes(1)))
	return code.Or(m.Any(w.Codes(0x80), w.Codes(8)))
}

// halves stores a float16 of each block.
func (w writer) halves(name string, bytes, off int) {
	for k := range 4 {
		w.Copy(bytes*k+off, name, 2*k, 2, 8)
	}
}
