package neon

import (
	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Codes whose layout a word of the call says are read, and written, behind one comparison: the most common layout goes straight on,
// the others aside.

// loadCodes reads integer codes as float32. They are flipped by their sign, and so become numbers that are not negative.
func (m *Machine) loadCodes(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr) plan.V {
	const bytes, halves = 0, 1 // parts
	raw := s.Once(n, bytes, func() plan.V { return m.binary(s, m.EOR, m.readCodes(s, n, at), args[2][0]) })
	h := s.Once(n, halves+slot/2, func() plan.V {
		widen := []func(asm.Size, asm.V, asm.V){m.UXTL, m.UXTL2}[slot/2]
		return m.unary(s, func(d, a asm.V) { widen(asm.H, d, a) }, raw)
	})
	return m.floatOfBytes(s, slot, h, args)
}

// readCodes has a tile's codes as bytes, and brings the pointer behind them. Codes of a byte go straight on.
func (m *Machine) readCodes(s *plan.Seg, n *ir.Node, at plan.Addr) plan.V {
	v := s.New(plan.Vec)
	s.Add(plan.Inst{Defs: []plan.V{v, s.New(plan.Vec)}, Emit: func(d, _ []int) {
		other, crumbs, read := m.newLabel("other"), m.newLabel("crumbs"), m.newLabel("read")
		b, t := asm.V(d[0]), asm.V(d[1])
		get := func(size asm.Size, bits int) {
			m.LDR(size, b, m.mem(at))
			m.AddImm(at.Reg, 16*bits/8)
		}
		spread := func(bits int) { // what a shift brings down goes between what was there, and the low bits are kept
			for shift := 4; shift >= bits; shift /= 2 {
				m.USHR(asm.B, t, b, shift)
				m.ZIP1(asm.B, b, b, t)
			}
			m.MOVI(t, 1<<bits-1)
			m.AND(b, b, t)
			m.B(read)
		}
		m.compareBy(s, n.Kind, ir.LayoutCrumbs)
		m.BLE(other)
		get(asm.Q, 8)
		m.Label(read)
		s.Aside(func() {
			m.Label(other)
			m.BEQ(crumbs)
			get(asm.D, 4)
			spread(4)
			m.Label(crumbs)
			get(asm.S, 2)
			spread(2)
		})
	}})
	return v
}

// storeCodes narrows integers of 16 bits to bytes, clips these, and stores them as a word says, and brings
// the pointer behind them. Signed bytes go straight on.
func (m *Machine) storeCodes(s *plan.Seg, n *ir.Node, args [][]plan.V, at plan.Addr) {
	uses := []plan.V{args[0][0], args[0][1], args[1][0], args[2][0]}
	s.Add(plan.Inst{Defs: []plan.V{s.New(plan.Vec), s.New(plan.Vec)}, Uses: uses, Apart: true, Emit: func(d, u []int) {
		other, packed, crumbs, stored := m.newLabel("other"), m.newLabel("packed"), m.newLabel("crumbs"), m.newLabel("stored")
		b, t := asm.V(d[0]), asm.V(d[1])
		lo, hi, least, most := asm.V(u[0]), asm.V(u[1]), asm.V(u[2]), asm.V(u[3])
		put := func(size asm.Size, bits int) {
			m.STR(size, m.mem(at), b)
			m.AddImm(at.Reg, 16*bits/8)
		}
		signed := func() {
			m.SQXTN(asm.H, b, lo)
			m.SQXTN2(asm.H, b, hi)
			m.SMAX(asm.B, b, b, least)
			m.SMIN(asm.B, b, b, most)
		}
		m.compareBy(s, n.Kind, ir.LayoutSigned)
		m.BNE(other)
		signed()
		put(asm.Q, 8)
		m.Label(stored)
		s.Aside(func() {
			m.Label(other)
			m.BLT(packed)
			m.SQXTUN(asm.H, b, lo)
			m.SQXTUN2(asm.H, b, hi)
			m.UMAX(asm.B, b, b, least)
			m.UMIN(asm.B, b, b, most)
			put(asm.Q, 8)
			m.B(stored)
			m.Label(packed)
			signed()
			m.compareBy(s, n.Kind, ir.LayoutNibbles)
			m.BNE(crumbs)
			m.pairs(b, b, t, 4)
			put(asm.D, 4)
			m.B(stored)
			m.Label(crumbs)
			m.pairs(b, b, t, 2)
			m.pairs(b, b, t, 4)
			put(asm.S, 2)
			m.B(stored)
		})
	}})
}

// storeFloat narrows halves to bytes, clips these, and stores codes as a word says, and brings the pointer behind
// them. Bytes go straight on.
func (m *Machine) storeFloat(s *plan.Seg, n *ir.Node, args [][]plan.V, at plan.Addr) {
	uses := []plan.V{args[0][0], args[0][1], args[1][0], args[1][1]}
	for _, a := range args[2:] {
		uses = append(uses, a[0])
	}
	hasNaN := len(n.Args) > 3
	s.Add(plan.Inst{Defs: []plan.V{s.New(plan.Vec), s.New(plan.Vec)}, Uses: uses, Apart: true, Emit: func(d, u []int) {
		other, nibbles, stored := m.newLabel("other"), m.newLabel("nibbles"), m.newLabel("stored")
		b, t := asm.V(d[0]), asm.V(d[1])
		bytes := func() {
			m.SQXTUN(asm.H, b, asm.V(u[0]))
			m.SQXTUN2(asm.H, b, asm.V(u[1]))
			m.UZP2(asm.B, t, asm.V(u[2]), asm.V(u[3])) // the signs
			m.UMIN(asm.B, b, b, asm.V(u[4]))
		}
		put := func(size asm.Size, bits int) {
			m.STR(size, m.mem(at), b)
			m.AddImm(at.Reg, 16*bits/8)
		}
		putBytes := func() {
			if hasNaN {
				m.ORR(b, b, asm.V(u[5]))
			}
			put(asm.Q, 8)
		}
		m.compareBy(s, n.Kind, ir.LayoutUnsigned)
		m.BNE(other)
		bytes()
		m.AND(t, t, asm.V(u[len(u)-2]))
		m.ORR(b, b, t)
		putBytes()
		m.Label(stored)
		s.Aside(func() {
			m.Label(other)
			bytes()
			m.USHR(asm.B, t, t, 7)
			m.SLI(asm.B, b, t, 3)
			m.BLT(nibbles)
			m.TBL(b, asm.V(u[len(u)-1]), 1, b)
			putBytes()
			m.B(stored)
			m.Label(nibbles)
			m.pairs(b, b, t, 4)
			put(asm.D, 4)
			m.B(stored)
		})
	}})
}
