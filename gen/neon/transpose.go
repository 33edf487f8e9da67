package neon

import (
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// The general registers of kernels that transpose: the arguments, and a pointer that passes.
const (
	toRow, fromRow, toStride, fromStride, squares, passing = plan.GPR(0), plan.GPR(1), plan.GPR(2), plan.GPR(3), plan.GPR(4), plan.GPR(5)
)

// Transpose prints the body of a kernel that transposes elements of so many bits.
func (m *Machine) Transpose(bits int) {
	for i, name := range []string{"dst", "src", "dstStride", "srcStride", "n"} {
		m.Arg(plan.GPR(i), name)
	}
	if bits == 4 {
		m.transposeNibbles()
	} else {
		m.transposeWords()
	}
	m.AddImm(squares, -1)
	m.Branch(squares, plan.NotEqual, 0, "squares")
}

// transposeWords: a row to a register, and neighbours exchange what is not theirs.
func (m *Machine) transposeWords() {
	m.LoopHead("squares")
	m.Move(passing, fromRow)
	for i := range asm.V(4) {
		m.LDR(asm.Q, i, m.mem(plan.Addr{Reg: passing}))
		m.Add(passing, fromStride)
	}
	for x := asm.V(0); x < 8; x += 4 {
		y := 4 - x
		for i := range asm.V(2) {
			m.ZIP1(asm.S, y+2*i, x+i, x+i+2)
			m.ZIP2(asm.S, y+2*i+1, x+i, x+i+2)
		}
	}
	for i := range asm.V(4) {
		m.STR(asm.Q, m.mem(plan.Addr{Reg: toRow}), i)
		m.Add(toRow, toStride)
	}
	m.AddImm(fromRow, 16)
}

// transposeNibbles exchanges halves, quarters and eighths of words.
func (m *Machine) transposeNibbles() {
	const moved, masks = asm.V(8), asm.V(9)
	stages := []struct {
		shift int
		low   uint32
	}{{16, 0x0000ffff}, {8, 0x00ff00ff}, {4, 0x0f0f0f0f}}
	for i, stage := range stages {
		m.XMOVI(r0, int(stage.low))
		m.DUPX(asm.S, masks+asm.V(i), r0)
	}
	m.LoopHead("squares")
	for i := range asm.V(8) {
		m.LDR(asm.Q, i, m.mem(plan.Addr{Reg: fromRow}))
		m.Add(fromRow, fromStride)
	}
	for i, stage := range stages {
		for lower := range asm.V(8) {
			if int(lower)&(stage.shift/4) != 0 {
				continue
			}
			upper := lower + asm.V(stage.shift/4)
			m.USHR(asm.S, moved, lower, stage.shift)
			m.EOR(moved, moved, upper)
			m.AND(moved, moved, masks+asm.V(i))
			m.EOR(upper, upper, moved)
			m.SHL(asm.S, moved, moved, stage.shift)
			m.EOR(lower, lower, moved)
		}
	}
	m.Move(passing, toRow)
	for i := range asm.V(8) {
		m.STR(asm.Q, m.mem(plan.Addr{Reg: passing}), i)
		m.Add(passing, toStride)
	}
	m.Add(toRow, fromStride)
}
