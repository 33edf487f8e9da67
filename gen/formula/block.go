package formula

import (
	"math"
	"slices"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// Dequantizing blocks of GGUF files, which package gguf describes. In a kernel codes are bytes; each is one number
// exactly, and so is its product with a scale, which is rounded before.

// BlockTypes are the types of blocks that have kernels.
var BlockTypes = &ir.Kind{Type: "Block", Doc: "Block is a type of GGUF's blocks."}

// blockTypes says how their blocks become elements.
var blockTypes = []struct {
	name          string
	bytes, length int
	doc           string
	dequantize    func(b block)
}{
	{"Q8_0", 34, 32, "y = q*d", func(b block) {
		d := b.scale(0)
		for i := 0; i < 32; i += 16 {
			b.Store(i, b.Load(2+i).Widen(true).Mul(d))
		}
	}},
	{"Q4_0", 18, 32, "y = (q-8)*d", func(b block) {
		d := b.scale(0)
		b.halves(0, b.Load(2), eights, func(q *ir.BlockNode) *ir.BlockNode { return q.Less(b.All(8)).Widen(true) },
			func(v *ir.BlockNode) *ir.BlockNode { return v.Mul(d) })
	}},
	{"Q4_1", 20, 32, "y = q*d + m", func(b block) {
		d, m := b.scales(0)
		b.halves(0, b.Load(4), plain, plainCode, func(v *ir.BlockNode) *ir.BlockNode { return v.MulAdd(d, m) })
	}},
	{"Q5_0", 22, 32, "y = (q-16)*d", func(b block) {
		d := b.scale(0)
		b.fifths(2, 16, func(q *ir.BlockNode) *ir.BlockNode { return q.Less(b.All(16)).Widen(true) }, d,
			func(v, d *ir.BlockNode) *ir.BlockNode { return v.Mul(d) })
	}},
	{"Q5_1", 24, 32, "y = q*d + m", func(b block) {
		d, m := b.scales(0)
		b.fifths(4, 0, plainCode, d, func(v, d *ir.BlockNode) *ir.BlockNode { return v.MulAdd(d, m) })
	}},
	{"IQ4_NL", 18, 32, "y = V[q]*d", func(b block) {
		d := b.scale(0)
		b.halves(0, b.Load(2), iq4, func(q *ir.BlockNode) *ir.BlockNode { return b.values(iq4).Shuffle(q).Widen(true) },
			func(v *ir.BlockNode) *ir.BlockNode { return v.Mul(d) })
	}},
	{"MXFP4", 17, 32, "y = K[q]*table[e]", func(b block) {
		d := b.Look(0)
		b.halves(0, b.Load(1), fp4, func(q *ir.BlockNode) *ir.BlockNode { return b.values(fp4).Shuffle(q).Widen(true) },
			func(v *ir.BlockNode) *ir.BlockNode { return v.Mul(d) })
	}},
	{"NVFP4", 36, 64, "y = K[q]*table[u]", func(b block) {
		for i := 0; i < 64; i += 32 {
			q := b.Load(4 + i/2)
			low, high := b.values(fp4).Shuffle(b.low(q)), b.values(fp4).Shuffle(b.high(q))
			twos := b.Same(4+i/2, 16, func(i int) byte { return byte(i/16*8 + i%8) }).HighNibbles(func(i int) bool { return i%16 >= 8 })
			for k, other := range []*ir.BlockNode{low.Lower(high).Widen(true), low.Upper(high).Widen(true)} {
				scale := b.Look(i/16 + k)
				nibbles := b.Gather(4+i/2+8*k, 8, func(i int) [4]int { return [4]int{i % 8, -1, -1, -1} }).ShiftRight(func(i int) uint32 { return uint32(i / 8 * 4) })
				b.Store(i+16*k, b.numbers(fp4).Mul(scale).Sixteenth(nibbles).Tabled(b.twosOf(fp4, twos, k).Mul(scale), other.Mul(scale)))
			}
		}
	}},
	{"Q2_K", 84, 256, "y = q*(d*s) - dmin*t", func(b block) {
		d, dmin := b.scales(80)
		s := b.Load(0)
		scales, least := b.low(s).Widen(false).Mul(d).Stash(), b.high(s).Widen(false).Mul(dmin.Negated()).Stash()
		b.Turns(2, func(half int) {
			b.pairs(16, half, func(element int, q *ir.BlockNode) {
				scale, least := scales.Pick(element/16), least.Pick(element/16)
				other := q.Widen(false).MulAdd(scale, least)
				looked := b.numbers(fours).MulAdd(scale, least).Fourth(b.Spread(16 + 32*half + element%32).Shift32(-element % 128 / 32 * 2))
				b.Store(element, looked.Tabled(looked, other))
			})
		})
	}},
	{"Q3_K", 110, 256, "y = (q-4)*(d*(s-32))", func(b block) {
		d, s := b.scale(108), b.Load(94) // the scales are two bytes behind
		low := b.eitherNibble(s.Shuffle(b.from(func(i int) int { return 2 + i%8 })), func(i int) bool { return i >= 8 })
		high := b.fourths(s.Shuffle(b.from(func(i int) int { return 10 + i%4 })), func(i int) int { return i / 4 })
		products := low.Or(high).Less(b.All(32)).Widen(true).Mul(d)
		six := b.sixBits(94, func(i int) (low, shift, high, part int) { return 2 + i%8, i / 8 * 4, 10 + i%4, i / 4 })
		scales, twos := six.Plus(-32).Float().Mul(d).Tabled(products, products).Stash(), products.Mul(b.Each(down)).Stash()
		// With tables of 32: of which bits of four codes the lowest two are taken, after how many, what becomes of them and of a
		// third with places for both in between, and the codes that they are then.
		thirds := [4]struct {
			bits        uint32
			first, then int
			code        func(i int) int
		}{
			{0xc3, 0, 0, func(i int) int { return i & 7 }},
			{3, 2, 0, func(i int) int { return i&3 | i>>1&4 }},
			{6, 3, 1, func(i int) int { return i&3 | i>>1&4 }},
			{0xc3, 0, 5, func(i int) int { return i>>1&3 | i<<2&4 }},
		}
		pair := func(element int, q *ir.BlockNode) {
			place, group := element/32, element/16
			other := q.Or(b.Load(element%32).Any(b.All(1<<place), b.All(4))).Less(b.All(4)).Widen(true).Mul(scales.Pick(group))
			codes := b.LoadTwos(32 + element/128*32).Shift(-2 * (place % 4)).And(b.AllTwos(3))
			codes = codes.Or(b.LoadTwos(0).Shift(2 - place).And(b.AllTwos(4))).Less(b.AllTwos(4))
			t := thirds[place%4]
			three := b.Spread(32+element/128*32+element%32).Shift32(-t.first).Select(t.bits, b.Spread(element%32).Shift32(2-element/128*4)).Shift32(-t.then)
			var numbers [16]int8
			for i := range numbers {
				numbers[i] = int8(t.code(i) - 4)
			}
			b.Store(element, b.numbers(numbers).Mul(scales.Pick(group)).Sixteenth(three).Tabled(codes.Half(group%2, ir.AtTop).Float().Mul(twos.Pick(group)), other))
		}
		b.pairs(32, 0, pair)
		b.pairs(32, 1, pair)
	}},
	{"Q4_K", 144, 256, "y = q*(d*s) - dmin*t", func(b block) {
		scale, least := b.scalesOfSix()
		b.Turns(4, func(turn int) {
			i := 64 * turn
			for k := range 2 {
				q := b.Load(16 + i/2 + 16*k)
				for half := range 2 {
					b.Store(i+16*k+32*half, b.nibble(q, half, plain, plainCode, func(v *ir.BlockNode) *ir.BlockNode {
						return v.MulAdd(scale(i/32+half), least(i/32+half))
					}))
				}
			}
		})
	}},
	{"Q5_K", 176, 256, "y = q*(d*s) - dmin*t", func(b block) {
		scale, least := b.scalesOfSix()
		for i := 0; i < 256; i += 64 {
			for k := range 2 {
				q, bits := b.Load(48+i/2+16*k), b.Load(16+16*k)
				// the fifth bits of two groups lie one beside the other
				pair := b.Spread(q.Off).Times(1<<1|1<<12).Select(0xf001e, b.Spread(bits.Off).Times(1|1<<14).Shift32(-i/32))
				for half := range 2 {
					group := i/32 + half
					value := func(v *ir.BlockNode) *ir.BlockNode { return v.MulAdd(scale(group), least(group)) }
					codes := nibblesOf(b, b.LoadTwos(48+i/2), half).Or(b.LoadTwos(16).Shift(4 - group).And(b.AllTwos(16)))
					b.Store(i+16*k+32*half, b.fifth(q, half, pair.Shift32(-15*half), bits.Any(b.All(1<<group), b.All(16)),
						value(codes.Half(k, ir.AtBottom).Float()), 0, plainCode, value))
				}
			}
		}
	}},
	{"Q6_K", 210, 256, "y = (q-32)*(d*s)", func(b block) {
		products := b.Load(192).Widen(true).Mul(b.scale(208))
		scales, twos := products.Stash(), products.Mul(b.Each(down)).Stash()
		b.Turns(2, func(turn int) {
			i := 128 * turn
			for k := range 2 {
				high := b.Load(128 + i/4 + 16*k)
				for half := range 2 {
					q := b.Load(i/2 + 32*half + 16*k)
					for upper, low := range []*ir.BlockNode{b.low(q), b.high(q)} {
						quarter := 2*upper + half
						element := i + 32*quarter + 16*k
						up := 4 - 2*quarter
						other := low.Or(high.Shift(up).And(b.All(0x30))).Less(b.All(32)).Widen(true).Mul(scales.Pick(element / 16))
						codes := nibblesOf(b, b.LoadTwos(i/2+32*half), upper).Or(b.LoadTwos(128 + i/4).Shift(up).And(b.AllTwos(0x30))).Less(b.AllTwos(32))
						b.Store(element, other.Tabled(codes.Half(k, ir.AtTop).Float().Mul(twos.Pick(element/16)), other))
					}
				}
			}
		})
	}},
	{"IQ4_XS", 136, 256, "y = V[q]*(d*(s-32))", func(b block) {
		scales := b.scalesOfIQ4_XS()
		b.Turns(8, func(i int) {
			b.halves(32*i, b.Load(8+16*i), iq4, func(q *ir.BlockNode) *ir.BlockNode { return b.values(iq4).Shuffle(q).Widen(true) },
				func(v *ir.BlockNode) *ir.BlockNode { return v.Mul(scales.Pick(i)) })
		})
	}},
}

// halfTypes says how they become elements of 16 bits, where kernels round. Types whose codes have four bits have a table of sixteen elements for
// each group.
var halfTypes = []struct {
	name       string
	dequantize func(b block)
}{
	{"Q8_0", func(b block) { b.Scaled(2, b.scale(0)) }},
	{"Q4_0", func(b block) { b.LookedUp(b.Entries(eights).Mul(b.scale(0)), b.LowThenHigh(2)) }},
	{"Q4_1", func(b block) {
		d, m := b.scales(0)
		b.LookedUp(b.Entries(plain).MulAdd(d, m), b.LowThenHigh(4))
	}},
	{"IQ4_NL", func(b block) { b.LookedUp(b.Entries(iq4).Mul(b.scale(0)), b.LowThenHigh(2)) }},
	{"MXFP4", func(b block) { b.LookedUp(b.Entries(fp4).Mul(b.Look(0)), b.LowThenHigh(1)) }},
	{"Q4_K", func(b block) {
		scale, least := b.scalesOfSix()
		for group := range 8 {
			b.LookedUp(b.Entries(plain).MulAdd(scale(group), least(group)), b.Nibbles(16+group/2*32, group%2))
		}
	}},
	{"IQ4_XS", func(b block) {
		scales := b.scalesOfIQ4_XS()
		for group := range 8 {
			b.LookedUp(b.Entries(iq4).Mul(scales.Pick(group)), b.LowThenHigh(8+16*group))
		}
	}},
}

func init() {
	for _, t := range blockTypes {
		BlockTypes.Choices = append(BlockTypes.Choices, "Block"+t.name)
		BlockTypes.Names = append(BlockTypes.Names, t.name)
	}
}

// dequantizeBlocks records a kernel for each type.
func dequantizeBlocks() []*ir.Kernel {
	var ks []*ir.Kernel
	for _, t := range blockTypes {
		k, b := ir.NewBlock("blocks", "DequantizeBlocks", `sets y to the elements of n >= 1 blocks: `+t.doc+`.
It sets check to NaN if a block has a float16 that is a NaN or an infinity, and then y means nothing, else to 0.`,
			t.bytes, t.length, BlockTypes.Of(t.name))
		t.dequantize(block{b})
		ks = append(ks, k)
	}
	return ks
}

// HalfBlocks records a kernel for each type that has one for elements of 16 bits.
func HalfBlocks() []*ir.Kernel {
	var ks []*ir.Kernel
	for _, half := range halfTypes {
		t := blockTypes[slices.Index(BlockTypes.Names, half.name)]
		k, b := ir.NewHalfBlock("blocks", "DequantizeHalves", `is DequantizeBlocks with float16s, or with bfloat16s if upper is 1.`,
			t.bytes, t.length, BlockTypes.Of(t.name))
		half.dequantize(block{b})
		ks = append(ks, k)
	}
	return ks
}

// The values of codes: K, twice those of e2m1, of which that of code 8 is not -0, and V, those of IQ4_NL.
var (
	fp4 = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}
	iq4 = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
)

// block has what types have in common.
type block struct{ *ir.Block }

// scale is a float16 that is finite.
func (b block) scale(off int) *ir.BlockNode {
	d := b.Float16(off)
	b.Finite(d)
	return d
}

// scales are two float16 that are finite.
func (b block) scales(off int) (d, m *ir.BlockNode) {
	d, m = b.Float16(off), b.Float16(off+2)
	first, second, both := b.Float16s(off)
	b.Finite(both.Tabled(both, d))
	b.Finite(both.Tabled(both, m))
	return first.Tabled(first, d), second.Tabled(second, m)
}

func (b block) low(q *ir.BlockNode) *ir.BlockNode  { return q.And(b.All(15)) }
func (b block) high(q *ir.BlockNode) *ir.BlockNode { return q.Shift(-4).And(b.All(15)) }

// from are the places of a shuffle.
func (b block) from(place func(i int) int) *ir.BlockNode {
	var bytes [16]byte
	for i := range bytes {
		bytes[i] = byte(place(i))
	}
	return b.Const(bytes)
}

// where has a byte in some places, and 0 elsewhere.
func (b block) where(v byte, is func(i int) bool) *ir.BlockNode {
	return b.from(func(i int) int {
		if is(i) {
			return int(v)
		}
		return 0
	})
}

func (b block) values(table [16]int8) *ir.BlockNode {
	return b.from(func(i int) int { return int(table[i]) })
}

// become is what numbers or codes become.
type become func(v *ir.BlockNode) *ir.BlockNode

// plainCode is a code's own number.
func plainCode(q *ir.BlockNode) *ir.BlockNode { return q.Widen(false) }

// plain are the numbers of such codes, and eights those of codes less 8.
var plain, eights = numbered(0), numbered(-8)

// fours are those of two bits of them.
var fours = [16]int8{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}

// numbered are sixteen numbers from one on.
func numbered(first int) (t [16]int8) {
	for i := range t {
		t[i] = int8(first + i)
	}
	return t
}

// spread are sixteen low nibbles, or the high ones, as integers.
func spread(bytes *ir.BlockNode, half int) *ir.BlockNode {
	if half == 1 {
		return bytes.Shift32(-4)
	}
	return bytes.Keep(15)
}

// nibblesOf are the low nibbles of 32 bytes, or the high ones.
func nibblesOf(b block, twos *ir.BlockNode, half int) *ir.BlockNode {
	return twos.Shift(-4 * half).And(b.AllTwos(15))
}

// nibble is what becomes of the numbers of sixteen low nibbles, or of the high ones: those of a table, of which all sixteen become it, on machines that
// have such tables. With tables of eight they are integers all the way, as bytes widen best while they are loaded, if the numbers are those from one on.
func (b block) nibble(q *ir.BlockNode, half int, numbers [16]int8, code, value become) *ir.BlockNode {
	n := b.low(q)
	if half == 1 {
		n = b.high(q)
	}
	var eights *ir.BlockNode
	switch first := numbers[0]; {
	case numbers != numbered(int(first)):
		eights = b.twosOf(numbers, b.twoNibbles(q.Off), half)
	case first != 0:
		eights = spread(b.Spread(q.Off), half).Plus(int32(first)).Float()
	default:
		eights = spread(b.Spread(q.Off), half).Float()
	}
	return b.sixteenth(q.Off, half, value(b.numbers(numbers))).Tabled(value(eights), value(code(n)))
}

// sixteenth is what a table of sixteen has for sixteen low nibbles, or for the high ones; the bits above do not count.
func (b block) sixteenth(off, half int, table *ir.BlockNode) *ir.BlockNode {
	return table.Sixteenth(b.Spread(off).Shift32(-4 * half))
}

// twoNibbles are the low nibbles of sixteen bytes, then the high ones.
func (b block) twoNibbles(off int) *ir.BlockNode {
	return b.Same(off, 16, func(i int) byte { return byte(i % 16) }).HighNibbles(func(i int) bool { return i >= 16 })
}

// twosOf are the numbers of a table that one of two sixteens says. They have no more bits than fit the upper half of a float32.
func (b block) twosOf(numbers [16]int8, twos *ir.BlockNode, half int) *ir.BlockNode {
	part := func(i int) *ir.BlockNode {
		var t []byte
		for _, v := range numbers {
			t = append(t, uint8(math.Float32bits(float32(v))>>(8*i)))
		}
		return b.Twos(t).Shuffle(twos)
	}
	return part(3).HalfOf(half, part(2))
}

// down takes a number at the top of integers back.
const down = 1. / (1 << 24)

// fifth is the same with a fifth bit of codes. On machines with tables of 32 it is below the others, and behind tables are the numbers of codes without it and
// with it in turn; zero is the code whose number is 0. With tables of eight it is eights.
func (b block) fifth(q *ir.BlockNode, half int, codes, bits, eights *ir.BlockNode, zero int, code, value become) *ir.BlockNode {
	n := b.low(q)
	if half == 1 {
		n = b.high(q)
	}
	var tables [2][16]int8
	for i := range 32 {
		tables[i/16][i%16] = int8(i/2 + i%2*16 - zero)
	}
	looked := codes.OfTwo(value(b.numbers(tables[0])), value(b.numbers(tables[1])))
	if zero == 0 { // sums take the place of an operand, which a table would be copied for
		looked = value(codes.OfTwo(b.numbers(tables[0]), b.numbers(tables[1])))
	}
	return looked.Tabled(eights, value(code(n.Or(bits))))
}

// numbers are those of a table.
func (b block) numbers(t [16]int8) *ir.BlockNode {
	var f [16]float32
	for i, v := range t {
		f[i] = float32(v)
	}
	return b.Numbers(f)
}

// halves stores what becomes of sixteen low nibbles, and behind it of the high ones.
func (b block) halves(element int, q *ir.BlockNode, numbers [16]int8, code, value become) {
	for half := range 2 {
		b.Store(element+16*half, b.nibble(q, half, numbers, code, value))
	}
}

// fifths does the same with nibbles that lie behind 32 bits, of which each has the fifth bit of a code, times d.
func (b block) fifths(off, zero int, code become, d *ir.BlockNode, value func(v, d *ir.BlockNode) *ir.BlockNode) {
	bits, q := b.Load(off), b.Load(off+4)
	bit := b.from(func(i int) int { return 1 << (i % 8) })
	twos := b.Same(off, 4, func(i int) byte { return byte(i / 8) }).Any(b.Spots(func(i int) byte { return 1 << (i % 8) }), b.AllTwos(16)).Or(b.twoNibbles(off + 4))
	place, unit := ir.AtBottom, d
	if zero > 0 {
		twos, place, unit = twos.Less(b.AllTwos(byte(zero))), ir.AtTop, d.Mul(b.Each(down))
	}
	// bit i of a word goes to the bottom and bit 16+i to the middle, and the nibbles above them
	codes := b.Spread(off+4).Times(1<<1|1<<13).Select(0x1e001e, b.Word(off).ShiftRight(func(i int) uint32 { return uint32(i) }))
	for half := range 2 {
		others := bits.Shuffle(b.from(func(i int) int { return 2*half + i/8 }))
		b.Store(16*half, b.fifth(q, half, codes.Shift32(-16*half), others.Any(bit, b.All(16)), value(twos.Half(half, place).Float(), unit), zero, code,
			func(v *ir.BlockNode) *ir.BlockNode { return value(v, d) }))
	}
}

// pairs visits codes of two bits, of the first 128 elements or of the others: of 32 bytes the lowest of all bytes, then the next, and so on.
func (b block) pairs(off, half int, visit func(element int, q *ir.BlockNode)) {
	for k := range 2 {
		q := b.Load(off + 32*half + 16*k)
		for pair := range 4 {
			visit(128*half+32*pair+16*k, q.Shift(-2*pair).And(b.All(3)))
		}
	}
}

// eitherNibble has the high nibble in some places, the low one elsewhere.
func (b block) eitherNibble(v *ir.BlockNode, high func(i int) bool) *ir.BlockNode {
	low := b.where(15, func(i int) bool { return !high(i) })
	return v.And(low).Or(v.Shift(-4).And(b.where(15, high)))
}

// fourths has two bits of each byte, the first, second, third or fourth, above four zeros.
func (b block) fourths(v *ir.BlockNode, which func(i int) int) *ir.BlockNode {
	part := func(k int) *ir.BlockNode {
		return v.Shift(4 - 2*k).And(b.where(0x30, func(i int) bool { return which(i) == k }))
	}
	return part(0).Or(part(1)).Or(part(2).Or(part(3)))
}

// sixBits are sixteen integers, on machines with tables of 32: of one of sixteen bytes four bits from a shift on, and above them two bits of another, the
// first part of four or one behind.
func (b block) sixBits(off int, from func(i int) (low, shift, high, part int)) *ir.BlockNode {
	bytes := b.Gather(off, 16, func(i int) [4]int {
		low, _, high, _ := from(i)
		return [4]int{low, high, -1, -1}
	})
	lower := bytes.ShiftRight(func(i int) uint32 {
		_, shift, _, _ := from(i)
		return uint32(shift)
	})
	upper := bytes.ShiftRight(func(i int) uint32 {
		_, _, _, part := from(i)
		return uint32(4 + 2*part)
	})
	return lower.Select(15, upper).Keep(63)
}

// scalesOfIQ4_XS are the products of d and the scales.
func (b block) scalesOfIQ4_XS() *ir.BlockNode {
	d, s := b.scale(0), b.Load(0)
	low := b.eitherNibble(s.Shuffle(b.from(func(i int) int { return 4 + i%8/2 })), func(i int) bool { return i%2 == 1 })
	high := b.fourths(s.Shuffle(b.from(func(i int) int { return 2 + i%8/4 })), func(i int) int { return i % 4 })
	six := b.sixBits(0, func(i int) (low, shift, high, part int) { return 4 + i%8/2, i % 2 * 4, 2 + i%8/4, i % 4 })
	products := low.Or(high).Less(b.All(32)).Widen(true).Mul(d)
	return six.Plus(-32).Float().Mul(d).Tabled(products, products).Stash()
}

// scalesOfSix are the products of d and dmin, -dmin for the sum, with the scales and minima of six bits behind them:
// of each the first four are the low bits of bytes, of which the two above belong to the others.
func (b block) scalesOfSix() (scale, least func(group int) *ir.BlockNode) {
	d, dmin := b.scales(0)
	v := b.Load(0)
	first := func(i int) bool { return i%8 < 4 }
	// of eight bytes those of the scales, then those of the minima
	low := v.Shuffle(b.from(func(i int) int {
		if first(i) {
			return 4 + i/8*4 + i%4
		}
		return 12 + i%4
	}))
	six := low.And(b.from(func(i int) int {
		switch {
		case first(i):
			return 63
		case i < 8:
			return 15
		}
		return 0
	})).Or(low.Shift(-4).And(b.where(15, func(i int) bool { return i >= 12 })))
	above := v.Shuffle(b.from(func(i int) int { return 4 + i/8*4 + i%4 }))
	six = six.Or(above.Shift(-2).And(b.where(0x30, func(i int) bool { return !first(i) })))
	gathered := b.sixBits(0, func(i int) (low, shift, high, part int) {
		low = 4 + i/8*4 + i%4
		if first(i) {
			return low, 0, low, 2
		}
		return 12 + i%4, i / 8 * 4, low, 3
	})
	numbers := six.Widen(false)
	numbers = gathered.Float().Tabled(numbers, numbers)
	scales, minima := numbers.Mul(d).Stash(), numbers.Mul(dmin.Negated()).Stash()
	return scales.Pick, func(group int) *ir.BlockNode { return minima.Pick(8 + group) }
}
