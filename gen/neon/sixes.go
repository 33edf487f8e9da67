package neon

import (
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Codes of six bits, four in three bytes: a register has twelve bytes of them.

// loadSixes loads a tile's codes, each to a byte of its own.
func (m *Machine) loadSixes(s *plan.Seg, args [][]plan.V, at plan.Addr) plan.V {
	load := func(size asm.Size, off int) plan.V {
		at := at
		at.Disp += off
		return s.Op(plan.Vec, func(d int, _ []int) { m.LDR(size, asm.V(d), m.mem(at)) })
	}
	x := m.binary(s, sized(asm.D, m.ZIP1), load(asm.D, 0), load(asm.S, 8))
	x = m.binary(s, func(d, a, b asm.V) { m.TBL(d, a, 1, b) }, x, args[0][0])
	for i, shift := range []int{4, 2} { // twelve bits to sixteen, and six to eight
		up := m.unary(s, func(d, a asm.V) { m.SHL(asm.S, d, a, shift) }, x)
		x = m.binary(s, m.ORR, m.binary(s, m.AND, x, args[1+2*i][0]), m.binary(s, m.AND, up, args[2+2*i][0]))
	}
	return x
}

// storeSixes stores the low six bits of a tile's bytes: what is above them gives way to the next.
func (m *Machine) storeSixes(s *plan.Seg, v, order plan.V, at plan.Addr) {
	temps := []plan.V{s.New(plan.Vec), s.New(plan.Vec)}
	s.Add(plan.Inst{Defs: temps, Uses: []plan.V{v, order}, Apart: true, Emit: func(d, u []int) {
		x, next := asm.V(d[0]), asm.V(d[1])
		m.ORR(x, asm.V(u[0]), asm.V(u[0]))
		for size := asm.H; size <= asm.S; size++ {
			bits := 8 << (size - asm.B)
			m.USHR(size, next, x, bits/2)
			m.SLI(size, x, next, bits*3/8)
		}
		m.TBL(x, x, 1, asm.V(u[1]))
		m.STR(asm.D, m.mem(at), x)
		at.Disp += 8
		m.ZIP2(asm.D, x, x, x)
		m.STR(asm.S, m.mem(at), x)
	}})
}
