package neon

import (
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// transposeMasks is the first register with a mask of an exchange.
const transposeMasks = asm.V(9)

// BeginSquares loads masks.
func (m *Machine) BeginSquares(bits int) {
	if bits != 4 {
		return
	}
	for i, x := range plan.Exchanges {
		m.XMOVI(r0, int(x.Lower))
		m.DUPX(asm.S, transposeMasks+asm.V(i), r0)
	}
}

// Square transposes words or nibbles.
func (m *Machine) Square(bits int) {
	if bits == 4 {
		m.transposeNibbles()
	} else {
		m.transposeWords()
	}
}

// transposeWords: a row to a register, and neighbours exchange what is not theirs.
func (m *Machine) transposeWords() {
	m.Move(plan.Passing, plan.FromRow)
	for i := range asm.V(4) {
		m.LDR(asm.Q, i, m.mem(plan.Addr{Reg: plan.Passing}))
		m.Add(plan.Passing, plan.FromStride)
	}
	for x := asm.V(0); x < 8; x += 4 {
		y := 4 - x
		for i := range asm.V(2) {
			m.ZIP1(asm.S, y+2*i, x+i, x+i+2)
			m.ZIP2(asm.S, y+2*i+1, x+i, x+i+2)
		}
	}
	for i := range asm.V(4) {
		m.STR(asm.Q, m.mem(plan.Addr{Reg: plan.ToRow}), i)
		m.Add(plan.ToRow, plan.ToStride)
	}
	m.AddImm(plan.FromRow, 16)
}

// transposeNibbles exchanges halves, quarters and eighths of words.
func (m *Machine) transposeNibbles() {
	const moved = asm.V(8)
	for i := range asm.V(8) {
		m.LDR(asm.Q, i, m.mem(plan.Addr{Reg: plan.FromRow}))
		m.Add(plan.FromRow, plan.FromStride)
	}
	for i, x := range plan.Exchanges {
		for a, b := range x.Pairs() {
			lower, upper := asm.V(a), asm.V(b)
			m.USHR(asm.S, moved, lower, x.Bits)
			m.EOR(moved, moved, upper)
			m.AND(moved, moved, transposeMasks+asm.V(i))
			m.EOR(upper, upper, moved)
			m.SHL(asm.S, moved, moved, x.Bits)
			m.EOR(lower, lower, moved)
		}
	}
	m.Move(plan.Passing, plan.ToRow)
	for i := range asm.V(8) {
		m.STR(asm.Q, m.mem(plan.Addr{Reg: plan.Passing}), i)
		m.Add(plan.Passing, plan.ToStride)
	}
	m.Add(plan.ToRow, plan.FromStride)
}
