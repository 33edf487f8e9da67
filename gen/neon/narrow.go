package neon

import (
	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// A tile of elements of which a word says whether they are float16 or bfloat16 is loaded behind one comparison, and
// stored behind two. bfloat16 goes straight on, float16 aside.

// byElem prints what is done with the elements of a tile.
func (m *Machine) byElem(s *plan.Seg, word string, bf16, f16 func()) {
	other, done := m.newLabel("half"), m.newLabel("halfdone")
	m.compareBy(s, word, ir.ElemBF16)
	m.BNE(other)
	bf16()
	m.Label(done)
	s.Aside(func() {
		m.Label(other)
		f16()
		m.B(done)
	})
}

// loadNarrow widens a slot of a tile, and all others with the first.
func (m *Machine) loadNarrow(s *plan.Seg, n *ir.Node, slot int, at plan.Addr) plan.V {
	at.Disp -= 8 * slot
	return s.Tile(n, func() []plan.V {
		var tile []plan.V
		for range s.Registers() {
			tile = append(tile, s.New(plan.Vec))
		}
		s.Add(plan.Inst{Defs: tile, Emit: func(d, _ []int) {
			widen := func(lower, upper func(d, a asm.V)) func() {
				return func() {
					for pair := range len(d) / 2 {
						at := at
						at.Disp += 16 * pair
						a, b := asm.V(d[2*pair]), asm.V(d[2*pair+1])
						m.LDR(asm.Q, b, m.mem(at))
						lower(a, b)
						upper(b, b)
					}
				}
			}
			m.byElem(s, n.Kind, widen(
				func(d, a asm.V) { m.SHLL(asm.S, d, a) },
				func(d, a asm.V) { m.SHLL2(asm.S, d, a) },
			), widen(m.FCVTL, m.FCVTL2))
		}})
		return tile
	})[slot]
}

// widenUpper widens what is in the upper halves of lanes, where bfloat16 is float32 already.
func (m *Machine) widenUpper(s *plan.Seg, n *ir.Node, v plan.V) plan.V {
	return s.OpTied(plan.Vec, func(d int, u []int) {
		r := asm.V(d)
		if d != u[0] {
			m.MOV(r, asm.V(u[0]))
		}
		m.byElem(s, n.Kind, func() {}, func() {
			m.UZP2(asm.H, r, r, r)
			m.FCVTL(r, r)
		})
	}, v)
}

// storeNarrow rounds two registers to elements.
func (m *Machine) storeNarrow(s *plan.Seg, n *ir.Node, args [][]plan.V, at plan.Addr) {
	uses := append(append([]plan.V(nil), args[0]...), args[1][0], args[2][0])
	temps := []plan.V{s.New(plan.Vec), s.New(plan.Vec), s.New(plan.Vec)}
	s.Add(plan.Inst{Defs: temps, Uses: uses, Apart: true, Emit: func(d, u []int) {
		h, a, b := asm.V(d[0]), asm.V(u[0]), asm.V(u[1])
		m.byElem(s, n.Kind, func() { // as of MemBF16
			for i, x := range []asm.V{a, b} {
				t := asm.V(d[1+i])
				m.CMTST(asm.S, t, x, asm.V(u[2]))
				m.SUB(asm.S, t, asm.V(u[3]), t)
			}
			m.ADDHN(asm.S, h, a, asm.V(d[1]))
			m.ADDHN2(asm.S, h, b, asm.V(d[2]))
			m.STR(asm.Q, m.mem(at), h)
		}, func() {
			m.FCVTN(h, a)
			m.FCVTN2(h, b)
			m.STR(asm.Q, m.mem(at), h)
		})
	}})
}

// roundElem rounds numbers to the element type that a word says. float32 goes straight on.
func (m *Machine) roundElem(s *plan.Seg, n *ir.Node, v plan.V) plan.V {
	rounded := s.New(plan.Vec)
	s.Add(plan.Inst{Defs: []plan.V{rounded, s.New(plan.Vec)}, Uses: []plan.V{v, s.Extra(n, 0)}, Apart: true, Emit: func(d, u []int) {
		x, most, y, t := asm.V(u[0]), asm.V(u[1]), asm.V(d[0]), asm.V(d[1])
		other, half, done := m.newLabel("elem"), m.newLabel("half"), m.newLabel("elemdone")
		m.MOV(y, x)
		m.compareBy(s, n.Kind, ir.ElemF32)
		m.BNE(other)
		m.Label(done)
		s.Aside(func() {
			m.Label(other)
			m.compareBy(s, n.Kind, ir.ElemBF16)
			m.BNE(half)
			m.SHL(asm.S, t, x, 15)
			m.USHR(asm.S, t, t, 31)
			m.ADD(asm.S, t, t, most)
			m.ADD(asm.S, t, t, x)
			m.USHR(asm.S, t, t, 16)
			m.SHL(asm.S, t, t, 16)
			m.FCMEQ(y, x, x)
			m.BSL(y, t, x) // NaN stays what it is
			m.B(done)
			m.Label(half)
			m.FCVTN(y, x)
			m.FCVTL(y, y)
			m.B(done)
		})
	}})
	return rounded
}
