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
		m.transposeWords(bits)
	}
}

// transposeWords: a row to a register, and neighbours exchange what is not theirs.
func (m *Machine) transposeWords(bits int) {
	high, size := asm.V(128/bits), map[int]asm.Size{16: asm.H, 32: asm.S}[bits]
	m.Move(plan.Passing, plan.FromRow)
	for i := range high {
		m.LDR(asm.Q, i, m.mem(plan.Addr{Reg: plan.Passing}))
		m.Add(plan.Passing, plan.FromStride)
	}
	x, y := asm.V(0), high
	for side := asm.V(1); side < high; side *= 2 {
		for i := range high / 2 {
			m.ZIP1(size, y+2*i, x+i, x+i+high/2)
			m.ZIP2(size, y+2*i+1, x+i, x+i+high/2)
		}
		x, y = y, x
	}
	for i := range high {
		m.STR(asm.Q, m.mem(plan.Addr{Reg: plan.ToRow}), x+i)
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
