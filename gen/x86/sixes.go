package x86

import (
	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Codes of six bits, four in three bytes: 128 bits have twelve bytes of them, each
// three in 32 bits.

// sixExtras are what loading and storing such codes takes.
func (m *Machine) sixExtras(n *ir.Node) []*ir.Node {
	k := ir.Of(n)
	table := func(of128 func(lane int) [4]uint32) *ir.Node {
		var words []uint32
		for lane := range m.Width() / 4 {
			four := of128(lane)
			words = append(words, four[:]...)
		}
		return k.TableConst(words)
	}
	if n.Op == ir.OpLoad { // the last 128 bits were loaded four bytes early; then what is kept of each step
		spread := table(func(lane int) [4]uint32 {
			first := [4]uint32{0x80020100, 0x80050403, 0x80080706, 0x800b0a09}
			if lane == m.Width()/4-1 {
				for i := range first {
					first[i] += 0x00040404
				}
			}
			return first
		})
		return []*ir.Node{spread, k.Int(0x00000fff), k.Int(0x0fff0000), k.Int(0x003f003f), k.Int(0x3f003f00)}
	}
	join := table(func(int) [4]uint32 { return [4]uint32{0x04020100, 0x09080605, 0x0e0d0c0a, 0x80808080} })
	extras := []*ir.Node{k.Int(0x40014001), k.Int(0x10000001), join} // low + 64*high, low + 4096*high
	if !m.wide {
		return extras
	}
	order := make([]uint32, m.Width()) // three words of each four
	for i := range 3 * m.Width() / 4 {
		order[i] = uint32(i/3*4 + i%3)
	}
	return append(extras, k.TableConst(order))
}

// loadSixes loads a tile's codes, each to a byte of its own.
func (m *Machine) loadSixes(s *plan.Seg, args [][]plan.V, at plan.Addr) plan.V {
	lanes := m.Width() / 4
	x := s.Op(plan.Vec, func(d int, u []int) {
		m.i("VMOVUPS", m.mem(at, 0), xs[d])
		for lane := 1; lane < lanes; lane++ {
			from := m.mem(at, 12*lane)
			if lane == lanes-1 {
				from = m.mem(at, 12*lane-4)
			}
			if m.wide {
				m.i("VINSERTI32X4", operand.Imm(uint64(lane)), from, m.vec(d), m.vec(d))
			} else {
				m.i("VINSERTI128", operand.Imm(uint64(lane)), from, m.vec(d), m.vec(d))
			}
		}
		m.i("VPSHUFB", m.vec(u[0]), m.vec(d), m.vec(d))
	}, args[0][0])
	for i, shift := range []uint64{4, 2} { // twelve bits to sixteen, and six to eight
		low, high := args[1+2*i][0], args[2+2*i][0]
		up := s.Op(plan.Vec, func(d int, u []int) { m.i("VPSLLD", operand.Imm(shift), m.vec(u[0]), m.vec(d)) }, x)
		down := s.Op(plan.Vec, func(d int, u []int) { m.bitwise("VPAND", m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, x, low)
		x = m.orAnd(s, down, up, high)
	}
	return x
}

// storeSixes stores the low six bits of a tile's bytes; there are no others.
func (m *Machine) storeSixes(s *plan.Seg, v plan.V, c [][]plan.V, at plan.Addr) {
	uses := []plan.V{v}
	for _, a := range c {
		uses = append(uses, a[0])
	}
	s.Add(plan.Inst{Defs: []plan.V{s.New(plan.Vec)}, Uses: uses, Apart: true, Emit: func(d, u []int) {
		r := m.vec(d[0])
		m.i("VPMADDUBSW", m.vec(u[1]), m.vec(u[0]), r)
		m.i("VPMADDWD", m.vec(u[2]), r, r)
		m.i("VPSHUFB", m.vec(u[3]), r, r)
		if m.wide {
			m.i("VPERMD", r, m.vec(u[4]), r)
			m.i("VMOVUPS", half(d[0]), m.mem(at, 0))
			m.i("VEXTRACTI32X4", operand.Imm(2), r, m.mem(at, 32))
		} else { // what is behind twelve bytes is written once more
			m.i("VMOVUPS", xs[d[0]], m.mem(at, 0))
			m.i("VEXTRACTI128", operand.Imm(1), r, xs[d[0]])
			m.i("VMOVQ", xs[d[0]], m.mem(at, 12))
			m.i("VPEXTRD", operand.Imm(2), xs[d[0]], m.mem(at, 20))
		}
	}})
}

// Floats of six bits become float16s, 16 of them from 12 bytes with AVX2 and 32 from 24 with AVX-512: in each 128 bits eight
// codes of six bytes. A word has the byte in which a code begins and the next one.

// What sixFloatExtras are.
const (
	sixesFirst = iota // what brings a tile's first codes to their 128 bits: with AVX2 bytes to words, with AVX-512 four bytes each
	sixesLast         // the same for its last ones, in front of which four bytes more were loaded, or eight
	sixesUp           // what brings a code's sign to the top: with AVX2 factors, with AVX-512 shifts
	sixesBytes        // bytes to words, with AVX-512
)

func (m *Machine) sixFloatExtras(k *ir.Kernel) []*ir.Node {
	var first, last, up, bytes []uint32
	for lane := range uint32(m.Width() / 4) {
		from := 6 * lane / 4
		for i := range uint32(4) {
			first, last = append(first, from+i%2), append(last, from+2+i%2)
			var word, shifts, factors uint32
			for j := range uint32(2) {
				bit := 6 * (2*i + j)
				at := 6*lane%4 + bit/8
				word |= (at | (at+1)<<8) << (16 * j)
				shifts |= (10 - bit%8) << (16 * j)
				factors |= 1 << (10 - bit%8 + 16*j)
			}
			bytes = append(bytes, word)
			if m.wide {
				up = append(up, shifts)
			} else {
				up = append(up, factors)
			}
		}
	}
	if m.wide {
		return []*ir.Node{k.TableConst(first), k.TableConst(last), k.TableConst(up), k.TableConst(bytes)}
	}
	for i := range bytes {
		first[i] = bytes[i] + 0x01010101*4*(uint32(i)/4) // where those of 128 bits begin is at a multiple of four
		last[i] = first[i] + 0x04040404
	}
	return []*ir.Node{k.TableConst(first), k.TableConst(last), k.TableConst(up)}
}

// loadSixFloats reads the codes of two slots together.
func (m *Machine) loadSixFloats(s *plan.Seg, n *ir.Node, slot int, c [][]plan.V, at plan.Addr) plan.V {
	pair := slot / 2
	at.Disp += m.Width()*pair - 3*m.Width()/4*slot
	tables := c[2:]
	uses := []plan.V{c[0][0], c[1][0], tables[sixesFirst+pair][0], tables[sixesUp][0]}
	if m.wide {
		uses = append(uses, tables[sixesBytes][0])
	}
	return m.halfOf(s, slot%2, s.Once(n, pair, func() plan.V {
		return s.OpApart(plan.Vec, func(d int, u []int) {
			r, down, keep, order, up := m.vec(d), m.vec(u[0]), m.vec(u[1]), m.vec(u[2]), m.vec(u[3])
			if m.wide {
				m.i("VMOVUPS", m.mem(at, 0), half(d))
				m.i("VPERMD", r, order, r)
				m.i("VPSHUFB", m.vec(u[4]), r, r)
				m.i("VPSLLVW", up, r, r)
			} else {
				m.i("VBROADCASTI128", m.mem(at, 0), r)
				m.i("VPSHUFB", order, r, r)
				m.i("VPMULLW", up, r, r)
			}
			m.i("VPMULHW", down, r, r)
			m.bitwise("VPAND", keep, r, r)
		}, uses...)
	}))
}
