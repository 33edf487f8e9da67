package x86

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// MixTemps: AVX2 has no masked broadcast.
func (m *Machine) MixTemps(s *plan.Seg) []plan.V {
	if m.wide {
		return nil
	}
	return []plan.V{s.New(plan.Vec), s.New(plan.Vec)}
}

// MixMask sets K7, or the first of two registers.
func (m *Machine) MixMask(behind plan.GPR, temps []int) {
	if m.wide { // shifts count modulo 32
		m.i("MOVL", operand.U32(0xffffffff), scratch.As32())
		m.i("SHLXL", gprs[behind].As32(), scratch.As32(), scratch.As32())
		m.i("SHRL", operand.Imm(16), scratch.As32())
		m.i("KMOVW", scratch.As32(), ks[7])
		return
	}
	m.i("LEAL", operand.Mem{Base: gprs[behind], Disp: m.Width() - 1}, scratch.As32())
	m.i("VMOVD", scratch.As32(), xs[temps[0]])
	m.i("VPBROADCASTD", xs[temps[0]], m.vec(temps[0]))
	b := make([]byte, 4*m.Width())
	for i := range m.Width() {
		b[4*i] = byte(i)
	}
	m.i("VMOVDQU", m.constant(string(b)), m.vec(temps[1]))
	m.i("VPCMPGTD", m.vec(temps[0]), m.vec(temps[1]), m.vec(temps[0]))
}

// MixParam replaces lanes by a parameter.
func (m *Machine) MixParam(d int, at plan.Addr, temps []int) {
	if m.wide {
		m.i("VBROADCASTSS", m.mem(at, 0), ks[7], m.vec(d))
		return
	}
	m.Spread(temps[1], at)
	m.Mix(d, temps[1], temps)
}

// Mix replaces lanes by those of v.
func (m *Machine) Mix(d, v int, temps []int) {
	if m.wide {
		m.i("VMOVAPS", m.vec(v), ks[7], m.vec(d))
	} else {
		m.i("VBLENDVPS", m.vec(temps[0]), m.vec(v), m.vec(d), m.vec(d))
	}
}

// Spread broadcasts a parameter.
func (m *Machine) Spread(d int, at plan.Addr) { m.i("VBROADCASTSS", m.mem(at, 0), m.vec(d)) }

// Spill stores a register, Fill loads one.
func (m *Machine) Spill(v plan.V, at plan.Addr) plan.Inst {
	return plan.Inst{Uses: []plan.V{v}, Emit: func(_, u []int) { m.i("VMOVUPS", m.vec(u[0]), m.mem(at, 0)) }}
}

func (m *Machine) Fill(v plan.V, at plan.Addr) plan.Inst {
	return plan.Inst{Defs: []plan.V{v}, Emit: func(d, _ []int) { m.i("VMOVUPS", m.mem(at, 0), m.vec(d[0])) }}
}

// SubBranch subtracts, and jumps if the result is negative.
func (m *Machine) SubBranch(r plan.GPR, imm int, l string) {
	m.AddImm(r, -imm)
	m.i("JLT", operand.LabelRef(l))
}

// BranchReach jumps if a >= b.
func (m *Machine) BranchReach(a, b plan.GPR, l string) {
	m.i("CMPQ", gprs[a], gprs[b])
	m.i("JGE", operand.LabelRef(l))
}

// BranchReaches jumps if behind + length >= 0.
func (m *Machine) BranchReaches(behind, length plan.GPR, l string) {
	m.i("MOVQ", gprs[behind], scratch)
	m.i("ADDQ", gprs[length], scratch)
	m.i("JGE", operand.LabelRef(l))
}

// BranchBelow jumps if a < b.
func (m *Machine) BranchBelow(a, b plan.GPR, l string) {
	m.i("CMPQ", gprs[a], gprs[b])
	m.i("JLT", operand.LabelRef(l))
}

// SetSlot notes a slot, and BranchSlot jumps if it is that.
func (m *Machine) SetSlot(slot int) { m.i("MOVL", operand.U32(uint32(slot)), reg.R14.As32()) }
func (m *Machine) BranchSlot(slot int, l string) {
	m.i("CMPL", reg.R14.As32(), operand.I8(int8(slot)))
	m.i("JEQ", operand.LabelRef(l))
}
