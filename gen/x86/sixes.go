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
	order := make([]uint32, m.Width()) // three words of each four
	for i := range 3 * m.Width() / 4 {
		order[i] = uint32(i/3*4 + i%3)
	}
	join := table(func(int) [4]uint32 { return [4]uint32{0x04020100, 0x09080605, 0x0e0d0c0a, 0x80808080} })
	return []*ir.Node{k.Int(0x40014001), k.Int(0x10000001), join, k.TableConst(order)} // low + 64*high, low + 4096*high
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
		m.i("VPERMD", r, m.vec(u[4]), r)
		if m.wide {
			m.i("VMOVUPS", half(d[0]), m.mem(at, 0))
			m.i("VEXTRACTI32X4", operand.Imm(2), r, m.mem(at, 32))
		} else {
			m.i("VMOVUPS", xs[d[0]], m.mem(at, 0))
			m.i("VEXTRACTI128", operand.Imm(1), r, xs[d[0]])
			m.i("VMOVQ", xs[d[0]], m.mem(at, 16))
		}
	}})
}

// Floats of six bits become float16s, 32 of them from 24 bytes: in each 128 bits eight codes of
// six bytes. A word has the byte in which a code begins and the next one.

// sixFloatExtras are what brings four bytes with a tile's first 24 to their 128 bits, and its last 24,
// of which eight bytes more were loaded in front; then bytes to words, and the shifts that bring a
// code's sign to the top.
func sixFloatExtras(k *ir.Kernel) []*ir.Node {
	var first, last, bytes, shifts []uint32
	for lane := range uint32(4) {
		from := 6 * lane / 4
		for i := range uint32(4) {
			first, last = append(first, from+i%2), append(last, from+2+i%2)
			var word, shift uint32
			for j := range uint32(2) {
				bit := 6 * (2*i + j)
				at := 6*lane%4 + bit/8
				word |= (at | (at+1)<<8) << (16 * j)
				shift |= (10 - bit%8) << (16 * j)
			}
			bytes, shifts = append(bytes, word), append(shifts, shift)
		}
	}
	return []*ir.Node{k.TableConst(first), k.TableConst(last), k.TableConst(bytes), k.TableConst(shifts)}
}

// loadSixFloats reads the codes of two slots together.
func (m *Machine) loadSixFloats(s *plan.Seg, n *ir.Node, slot int, c [][]plan.V, at plan.Addr) plan.V {
	pair := slot / 2
	at.Disp += 16*pair - 12*slot
	return m.halfOf(s, slot%2, s.Once(n, pair, func() plan.V {
		return s.OpApart(plan.Vec, func(d int, u []int) {
			m.i("VMOVUPS", m.mem(at, 0), half(d))
			m.i("VPERMD", m.vec(d), m.vec(u[0]), m.vec(d))
			m.i("VPSHUFB", m.vec(u[1]), m.vec(d), m.vec(d))
			m.i("VPSLLVW", m.vec(u[2]), m.vec(d), m.vec(d))
			m.i("VPSRAVW", m.vec(u[3]), m.vec(d), m.vec(d))
			m.bitwise("VPAND", m.vec(u[4]), m.vec(d), m.vec(d))
		}, c[2+pair][0], c[4][0], c[5][0], c[0][0], c[1][0])
	}))
}
