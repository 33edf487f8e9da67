package neon

import (
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// MixTemps: a mask and a copy of it, which BSL destroys.
func (m *Machine) MixTemps(s *plan.Seg) []plan.V {
	return []plan.V{s.New(plan.Vec), s.New(plan.Vec)}
}

// MixMask compares lanes' numbers with the first lane's; max(i, first) is i from there on.
func (m *Machine) MixMask(behind plan.GPR, temps []int) {
	mask, first := asm.V(temps[0]), asm.V(temps[1])
	m.XADDI(r0, asm.R(behind), m.Width())
	m.DUPX(asm.S, first, r0)
	m.LITERAL(spare, 1<<32, 3<<32|2)
	m.SMAX(asm.S, mask, spare, first)
	m.CMEQ(asm.S, mask, mask, spare)
}

// MixParam replaces lanes by a parameter.
func (m *Machine) MixParam(d int, at plan.Addr, temps []int) {
	m.Spread(int(spare), at)
	m.Mix(d, int(spare), temps)
}

// Mix replaces lanes by those of v.
func (m *Machine) Mix(d, v int, temps []int) {
	mask, t := asm.V(temps[0]), asm.V(temps[1])
	m.MOV(t, mask)
	m.BSL(t, asm.V(v), asm.V(d))
	m.MOV(asm.V(d), t)
}

// Spread loads a parameter into all lanes.
func (m *Machine) Spread(d int, at plan.Addr) {
	p := asm.R(at.Reg)
	if at.Disp > 0 {
		m.XADDI(r0, p, at.Disp)
		p = r0
	}
	m.LD1R(asm.S, asm.V(d), p)
}

// Spill stores a register, Fill loads one.
func (m *Machine) Spill(v plan.V, at plan.Addr) plan.Inst {
	return plan.Inst{Uses: []plan.V{v}, Emit: func(_, u []int) { m.STR(asm.Q, m.mem(at), asm.V(u[0])) }}
}

func (m *Machine) Fill(v plan.V, at plan.Addr) plan.Inst {
	return plan.Inst{Defs: []plan.V{v}, Emit: func(d, _ []int) { m.LDR(asm.Q, asm.V(d[0]), m.mem(at)) }}
}

// SubBranch subtracts, and jumps if the result is negative.
func (m *Machine) SubBranch(r plan.GPR, imm int, l string) {
	m.AddImm(r, -imm)
	m.Branch(r, plan.Less, 0, l)
}

// BranchReach jumps if a >= b.
func (m *Machine) BranchReach(a, b plan.GPR, l string) {
	m.XCMP(asm.R(a), asm.R(b))
	m.BGE(l)
}

// BranchReaches jumps if behind + length >= 0.
func (m *Machine) BranchReaches(behind, length plan.GPR, l string) {
	m.XADD(r0, asm.R(behind), asm.R(length))
	m.XCMPI(r0, 0)
	m.BGE(l)
}

// BranchBelow jumps if a < b.
func (m *Machine) BranchBelow(a, b plan.GPR, l string) {
	m.XCMP(asm.R(a), asm.R(b))
	m.BLT(l)
}

// SetSlot notes a slot, and BranchSlot jumps if it is that.
func (m *Machine) SetSlot(slot int) { m.XMOVI(r4, slot) }
func (m *Machine) BranchSlot(slot int, l string) {
	m.XCMPI(r4, slot)
	m.BEQ(l)
}
