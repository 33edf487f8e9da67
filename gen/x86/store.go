package x86

import (
	"fmt"
	"slices"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// What packs codes of four and of two bits: weights of bytes, the bits that count, weights of pairs.
var (
	nibbleWords = []uint32{0x10011001, 0x0f0f0f0f}
	crumbWords  = []uint32{0x04010401, 0x03030303, 0x00100001}
)

// roundExtras are, with AVX-512, the last bits kept, half, and the order of lower and
// of upper words. AVX2 has few registers, and takes from memory what it needs.
func (m *Machine) roundExtras(k *ir.Kernel) []*ir.Node {
	if !m.wide {
		return nil
	}
	var lower, upper []uint32 // where the words of two registers are
	for i := range uint32(m.Width()) {
		lower = append(lower, (4*i+2)<<16|4*i)
		upper = append(upper, (4*i+3)<<16|(4*i+1))
	}
	return []*ir.Node{k.Int(0x00010001), k.Int(-0x7fff8000), k.TableConst(lower), k.TableConst(upper)}
}

func (m *Machine) storeExtras(n *ir.Node) []*ir.Node {
	k := ir.Of(n)
	words := func(of []uint32) (nodes []*ir.Node) {
		for _, w := range of {
			nodes = append(nodes, k.Int(int32(w)))
		}
		return nodes
	}
	switch n.Mem {
	case ir.MemBF16, ir.MemNarrow:
		return m.roundExtras(k)
	case ir.MemU16:
		if !m.wide {
			return []*ir.Node{k.Int(0xffff)}
		}
	case ir.MemCodes: // as of OpNarrowS8, MemU4 and MemU2
		extras := []*ir.Node{k.TableConst(m.order())}
		if m.wide {
			extras = slices.Concat(extras, words(nibbleWords), words(crumbWords))
		}
		return extras
	case ir.MemFloat:
		return []*ir.Node{k.TableConst(m.order()), k.Byte(0x80)}
	case ir.MemMask: // as of OpBytes, and of OpInside
		if m.wide {
			return []*ir.Node{k.Int(0x01010101)}
		}
		var extras []*ir.Node
		if n.Equality() == ir.OpInside {
			extras = append(extras, k.Int(1<<31-1), n.Args[0].Args[1])
		}
		if early(n) {
			extras = append(extras, n.Args[0].Eq(n.Args[1]))
		}
		return extras
	case ir.MemE2M1: // low + 16*high
		return []*ir.Node{k.Int(0x10011001)}
	case ir.MemU4: // the same; the bits that count
		return words(nibbleWords)
	case ir.MemU6:
		return m.sixExtras(n)
	case ir.MemU2: // low + 4*high, and then low + 16*high
		return words(crumbWords)
	}
	return nil
}

// store writes one slot of a stream.
func (m *Machine) store(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr) {
	v := args[0]
	masked := m.wide && s.Tail && !at.Stack
	emit := func(f func(u []int), v ...plan.V) { s.Add(plan.Inst{Uses: v, Emit: func(_, u []int) { f(u) }}) }
	switch n.Mem {
	case ir.MemF32, ir.MemI32:
		emit(func(u []int) {
			if masked {
				m.i("VMOVUPS", m.vec(u[0]), m.lanes(slot), m.mem(at, 0))
			} else {
				m.i("VMOVUPS", m.vec(u[0]), m.mem(at, 0))
			}
		}, v[0])
	case ir.MemI16:
		emit(func(u []int) {
			if masked {
				m.i("VMOVDQU16", m.vec(u[0]), m.lanes(2*slot), m.mem(at, 0))
			} else {
				m.i("VMOVUPS", m.vec(u[0]), m.mem(at, 0))
			}
		}, v[0])
	case ir.MemI8, ir.MemU8, ir.MemByte:
		emit(func(u []int) {
			if masked {
				m.i("VMOVDQU8", m.vec(u[0]), m.lanes(0), m.mem(at, 0))
			} else {
				m.i("VMOVUPS", m.vec(u[0]), m.mem(at, 0))
			}
		}, v[0])
	case ir.MemF16:
		h := v[0]
		if n.Args[0].Op != ir.OpOfHalf {
			h = m.ofHalf(s, 0, h)
		}
		emit(func(u []int) { m.storeHalf(u[0], slot, at, masked) }, h)
	case ir.MemU16:
		m.storeLower(s, slot, v, args[1:], at, masked)
	case ir.MemNarrow:
		m.storeNarrow(s, n, slot, args, at, masked)
	case ir.MemBF16:
		m.storeBF16(s, slot, v, args[1:], at, masked)
	case ir.MemU6:
		m.storeSixes(s, v[0], args[1:], at)
	case ir.MemU4, ir.MemU2, ir.MemE2M1:
		m.storePacked(s, v[0], args[1:], at, masked)
	case ir.MemBits:
		if m.wide {
			emit(func(u []int) { m.i("KMOVQ", ks[u[0]], m.mem(at, 0)) }, m.gather64(s, v))
			return
		}
		emit(func(u []int) {
			for i, r := range u {
				m.i("VMOVMSKPS", m.vec(r), scratch.As32())
				m.i("MOVB", scratch.As8(), m.mem(at, i))
			}
		}, v...)
	case ir.MemMask:
		m.storeMask(s, n, args, at)
	case ir.MemCodes:
		m.storeCodes(s, n, args, at, masked)
	case ir.MemFloat:
		m.storeFloat(s, n, args, at, masked)
	default:
		panic(fmt.Sprintf("x86: cannot store memory type %d", n.Mem))
	}
}

// early reports whether numbers are compared before it is known if a mask is wanted,
// as there are no registers to keep them until then: where there are minvals.
func early(n *ir.Node) bool {
	return slices.ContainsFunc(ir.Of(n).Params, func(p *ir.Node) bool { return p.Name == "minval" })
}

// storeMask compares, and stores the mask of the kind that a word says, and brings
// the pointer behind it.
func (m *Machine) storeMask(s *plan.Seg, n *ir.Node, args [][]plan.V, at plan.Addr) {
	w := maskWriter{m, s, n, at, "VPCMPEQD", 0}
	a, b := args[0], args[1]
	switch {
	case n.Equality() == ir.OpEq:
		w.compares = "VCMPPS"
	case n.Args[0].Type == ir.I16:
		w.compares = "VPCMPEQW"
	case n.Equality() == ir.OpInside && !m.wide: // the magnitude is no more than that to which it was clipped
		most := args[3][0]
		w.compares, w.predicate, a, b = "VCMPPS", 2, b, []plan.V{most, most, most, most, args[2][0]}
	}
	if m.wide {
		w.toMasks(a, b, args[2][0])
		return
	}
	// Comparisons take the places of what is compared: few registers are left.
	if early(n) {
		w.inPlace(args[2], args[2])
	} else {
		w.inPlace(a, slices.Concat(a, b))
	}
}

// maskWriter stores a tile's mask.
type maskWriter struct {
	*Machine
	s         *plan.Seg
	n         *ir.Node
	at        plan.Addr
	compares  string // an instruction
	predicate uint64 // of VCMPPS
}

func (w maskWriter) compare(a, b int, to reg.Register) {
	if w.compares == "VCMPPS" {
		w.i(w.compares, operand.Imm(w.predicate), w.vec(b), w.vec(a), to)
	} else {
		w.i(w.compares, w.vec(b), w.vec(a), to)
	}
}

// advance brings the pointer behind a tile's mask of so many bits for each element; a tail in the frame has that done at its end.
func (w maskWriter) advance(bits int) {
	if !w.at.Stack {
		w.AddImm(w.at.Reg, 4*w.Width()*bits/8)
	}
}

// toMasks compares to mask registers, with AVX-512. Ones are for masks of bytes.
func (w maskWriter) toMasks(a, b []plan.V, ones plan.V) {
	m, s, slots := w.Machine, w.s, len(a)
	temps := []plan.V{s.New(plan.Vec), s.New(plan.Mask), s.New(plan.Mask), s.New(plan.Mask)}
	s.Add(plan.Inst{Defs: temps, Uses: append(slices.Concat(a, b), ones), Apart: true, Emit: func(d, u []int) {
		all, lower, upper := ks[d[1]], ks[d[2]], ks[d[3]]
		m.maskKind(s, w.n.Kind, func() {
			compare := func(slot int, to reg.Register) { w.compare(u[slot], u[slots+slot], to) }
			compare(0, all)
			compare(1, lower)
			if slots == 2 {
				m.i("KUNPCKDQ", all, lower, all)
			} else {
				m.i("KUNPCKWD", all, lower, all)
				compare(2, lower)
				compare(3, upper)
				m.i("KUNPCKWD", lower, upper, lower)
				m.i("KUNPCKDQ", all, lower, all)
			}
		}, func(bits int) {
			if bits == 1 {
				m.i("KMOVQ", all, m.mem(w.at, 0))
			} else {
				m.i("VMOVDQU8_Z", m.vec(u[2*slots]), all, m.vec(d[0]))
				m.i("VMOVUPS", m.vec(d[0]), m.mem(w.at, 0))
			}
			w.advance(bits)
		})
	}})
}

// inPlace compares in the places of four registers, with AVX2, unless they are comparisons already.
func (w maskWriter) inPlace(places, uses []plan.V) {
	m, s := w.Machine, w.s
	s.Add(plan.Inst{Defs: append([]plan.V{s.New(plan.Vec)}, places...), Uses: uses, Apart: true, Emit: func(d, u []int) {
		m.maskKind(s, w.n.Kind, func() {}, func(bits int) { // small calls are faster with the branches side by side
			t, is := m.vec(d[0]), []reg.VecPhysical{m.vec(d[1]), m.vec(d[2]), m.vec(d[3]), m.vec(d[4])}
			for slot := 0; slot < 4 && !early(w.n); slot++ {
				if len(u) > 8 {
					m.i("VPAND", m.vec(u[8]), is[slot], is[slot])
				}
				w.compare(u[slot], u[4+slot], is[slot])
			}
			if bits == 1 {
				for slot := range 4 {
					m.i("VMOVMSKPS", is[slot], scratch.As32())
					m.i("MOVB", scratch.As8(), m.mem(w.at, slot))
				}
			} else {
				m.i("VPACKSSDW", is[1], is[0], is[0])
				m.i("VPACKSSDW", is[3], is[2], is[2])
				m.i("VPACKSSWB", is[2], is[0], is[0])
				m.i("VMOVUPS", m.constant(littleEndian(m.order())), t)
				m.i("VPERMD", is[0], t, is[0])
				m.i("VPABSB", is[0], is[0])
				m.i("VMOVUPS", is[0], m.mem(w.at, 0))
			}
			w.advance(bits)
		})
	}})
}

// ofHalf rounds to float16, to nearest by 0 and toward zero by 3.
func (m *Machine) ofHalf(s *plan.Seg, rounding uint64, x plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { m.i("VCVTPS2PH", operand.Imm(rounding), m.vec(u[0]), m.narrow(d)) }, x)
}

func (m *Machine) storeHalf(u, slot int, at plan.Addr, masked bool) {
	if masked {
		m.i("VMOVDQU16", half(u), m.lanes(slot), m.mem(at, 0))
	} else {
		m.i("VMOVUPS", m.narrow(u), m.mem(at, 0))
	}
}

// storeBF16 rounds two registers.
func (m *Machine) storeBF16(s *plan.Seg, slot int, v []plan.V, c [][]plan.V, at plan.Addr, masked bool) {
	if m.wide {
		m.storeWideBF16(s, slot, v, c, at, masked)
		return
	}
	temps := []plan.V{s.New(plan.Vec), s.New(plan.Vec), s.New(plan.Vec)}
	s.Add(plan.Inst{Defs: temps, Uses: v, Apart: true, Emit: func(d, u []int) {
		m.storeRounded(m.vec(u[0]), m.vec(u[1]), m.vec(d[0]), m.vec(d[1]), m.vec(d[2]), at)
	}})
}

// storeRounded rounds the numbers of a and b to bfloat16 with AVX2, and stores them.
func (m *Machine) storeRounded(a, b, high, low, t reg.VecPhysical, at plan.Addr) {
	m.roundWords(a, b, high, low, t)
	m.i("VPSHUFB", m.whole(slices.Repeat([]uint32{0x05040100, 0x0d0c0908, 0x07060302, 0x0f0e0b0a}, 2)), high, high)
	m.i("VPERMQ", operand.Imm(0xd8), high, high)
	m.i("VMOVUPS", high, m.mem(at, 0))
}

// roundWords does so to words of high, those of a and of b in turn. The upper words of both lie together, and the
// lower ones do: an upper word is one more where the lower one is more than half, or is half and the upper one odd. The lower words
// come to low, which may be a; high is another, and t too, or b.
func (m *Machine) roundWords(a, b, high, low, t reg.VecPhysical) {
	const fromB = 0b10101010
	m.i("VPSRLD", operand.Imm(16), a, high)
	m.i("VPBLENDW", operand.Imm(fromB), b, high, high)
	m.i("VPSLLD", operand.Imm(16), b, t)
	m.i("VPBLENDW", operand.Imm(fromB), t, a, low)
	m.i("VPANDN", m.every(0x00010001), high, t)
	m.i("VPSUBUSW", t, low, low) // at least 2^15 where it carries
	m.i("VPSRLW", operand.Imm(15), low, low)
	m.i("VPADDW", low, high, high)
}

// storePair stores two registers of numbers below 2^16 as one, with AVX2.
func (m *Machine) storePair(s *plan.Seg, a, b plan.V, at plan.Addr) {
	p := m.binary(s, "VPACKUSDW", a, b)
	s.Add(plan.Inst{Defs: []plan.V{s.New(plan.Vec)}, Uses: []plan.V{p}, Emit: func(d, u []int) {
		m.i("VPERMQ", operand.Imm(0xd8), m.vec(u[0]), m.vec(d[0]))
		m.i("VMOVUPS", m.vec(d[0]), m.mem(at, 0))
	}})
}

// storeLower stores the lower halves of two registers.
func (m *Machine) storeLower(s *plan.Seg, slot int, v []plan.V, c [][]plan.V, at plan.Addr, masked bool) {
	var r [2]plan.V
	for i, x := range v {
		if !m.wide {
			r[i] = s.Op(plan.Vec, func(d int, u []int) { m.i("VPAND", m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, x, c[0][0])
			continue
		}
		h := s.Op(plan.Vec, func(d int, u []int) { m.i("VPMOVDW", m.vec(u[0]), half(d)) }, x)
		at := at
		at.Disp += 2 * m.Width() * i
		s.Add(plan.Inst{Uses: []plan.V{h}, Emit: func(_, u []int) { m.storeHalf(u[0], 2*slot+i, at, masked) }})
	}
	if !m.wide {
		m.storePair(s, r[0], r[1], at)
	}
}

// storeWideBF16 does so with the upper words of two registers together, and with
// the lower ones: these carry if they are more than half, where the last bit kept
// counts as one more bit behind.
func (m *Machine) storeWideBF16(s *plan.Seg, slot int, v []plan.V, c [][]plan.V, at plan.Addr, masked bool) {
	words := func(table plan.V) plan.V {
		return s.OpTied(plan.Vec, func(d int, u []int) {
			if d != u[0] {
				m.i("VMOVDQA64", m.vec(u[0]), m.vec(d))
			}
			m.i("VPERMT2W", m.vec(u[2]), m.vec(u[1]), m.vec(d))
		}, v[0], table, v[1])
	}
	high, low := words(c[3][0]), words(c[2][0])
	low = m.orAnd(s, low, high, c[0][0])
	carry := m.above(s, low, c[1][0])
	s.Add(plan.Inst{Defs: []plan.V{high}, Uses: []plan.V{high, c[0][0], carry}, Emit: func(d, u []int) { m.i("VPADDW", m.vec(u[1]), m.vec(d[0]), ks[u[2]], m.vec(d[0])) }})
	s.Add(plan.Inst{Uses: []plan.V{high}, Emit: func(_, u []int) {
		m.storeWords(u[0], 2*slot, at, masked)
	}})
}

// storeWords stores a register of words, from a slot on.
func (m *Machine) storeWords(u, slot int, at plan.Addr, masked bool) {
	if masked {
		m.i("VMOVDQU16", m.vec(u), m.lanes(slot), m.mem(at, 0))
	} else {
		m.i("VMOVUPS", m.vec(u), m.mem(at, 0))
	}
}

// storePacked packs the low bits of a tile's bytes: pairs become their weighted
// sums, and if they have two bits pairs of pairs do. Codes of floats have no
// more bits.
func (m *Machine) storePacked(s *plan.Seg, v plan.V, c [][]plan.V, at plan.Addr, masked bool) {
	uses := []plan.V{v}
	for _, a := range c {
		uses = append(uses, a[0])
	}
	s.Add(plan.Inst{Defs: []plan.V{s.New(plan.Vec)}, Uses: uses, Apart: true, Emit: func(d, u []int) {
		var weights []operand.Op
		for _, w := range u[1:] {
			weights = append(weights, m.vec(w))
		}
		m.packLow(d[0], u[0], weights, at, masked)
	}})
}

// packLow does so by way of register r. First of the constants are the first weights; behind them are
// what is kept of each byte, and the second weights.
func (m *Machine) packLow(r, v int, c []operand.Op, at plan.Addr, masked bool) {
	d, from, quads := m.vec(r), m.vec(v), len(c) == 3
	if len(c) > 1 {
		m.bitwise("VPAND", c[1], from, d)
		from = d
	}
	if masked { // what is behind the last element is zero
		m.i("VMOVDQU8_Z", from, m.lanes(0), d)
		from = d
	}
	m.i("VPMADDUBSW", c[0], from, d)
	narrow, toByte, out := "VPMOVWB", 2, half(r)
	if quads {
		m.i("VPMADDWD", c[2], d, d)
		narrow, toByte, out = "VPMOVDB", 4, xs[r]
	}
	switch {
	case masked:
		m.i(narrow, d, out)
		m.bytesMask(toByte, 0)
		m.i("VMOVDQU8", out, ks[7], m.mem(at, 0))
	case m.wide:
		m.i(narrow, d, out)
		m.i("VMOVUPS", out, m.mem(at, 0))
	case quads:
		m.i("VPACKUSDW", d, d, d)
		m.i("VPERMQ", operand.Imm(0x08), d, d)
		m.i("VPACKUSWB", xs[r], xs[r], xs[r])
		m.i("VMOVQ", xs[r], m.mem(at, 0))
	default:
		m.i("VPACKUSWB", d, d, d)
		m.i("VPERMQ", operand.Imm(0x08), d, d)
		m.i("VMOVUPS", xs[r], m.mem(at, 0))
	}
}
