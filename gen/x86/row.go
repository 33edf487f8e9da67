package x86

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// Where groups meet each element's parameters are chosen by a permutation. Routines find what the
// group at hand has left, the groups' length and two registers that are free in the last ones.
var rowLeft, rowLength, rowFree, rowIndex = gprs[len(gprs)-4], gprs[len(gprs)-3], gprs[len(gprs)-2], gprs[len(gprs)-1]

// LoadWords loads a register.
func (m *Machine) LoadWords(s *plan.Seg, at plan.Addr) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) { m.i("VMOVUPS", m.mem(at, 0), m.vec(d)) })
}

// ChooseFrom takes for each number that lane.
func (m *Machine) ChooseFrom(s *plan.Seg, params, numbers plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { m.i("VPERMPS", m.vec(u[0]), m.vec(u[1]), m.vec(d)) }, params, numbers)
}

// Choose does so from memory.
func (m *Machine) Choose(s *plan.Seg, params, numbers plan.Addr) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) {
		m.i("VMOVUPS", m.mem(numbers, 0), m.vec(d))
		m.i("VPERMPS", m.mem(params, 0), m.vec(d), m.vec(d))
	})
}

// NumberGroups has a routine make the table.
func (m *Machine) NumberGroups(t plan.Numbers) {
	m.i("LEAQ", m.mem(t.Table, 0), inFrame)
	m.callRoutine("number")
}

func (m *Machine) numberGroups() {
	w := m.Width()
	entry := func(i int) operand.Mem { return operand.Mem{Base: inFrame, Disp: 4 * i} }
	behind := func(i int) operand.Mem { return operand.Mem{Base: rowIndex, Disp: 4*plan.NumbersLen(w) + 8*i} }
	keep := func(i int) { m.i("MOVQ", scratch, behind(i)) }
	group, piece, ended := m.newLabel("group"), m.newLabel("piece"), m.newLabel("ended")
	m.i("VPBROADCASTD", m.constant("\x01\x00\x00\x00"), m.vec(1))
	m.zero(0)
	for i := range 4 {
		m.i("VMOVUPS", m.vec(0), entry(w*i))
	}
	m.i("VMOVUPS", m.vec(0), entry(3*w+1))
	m.i("MOVQ", inFrame, rowIndex)
	m.i("LEAQ", entry(4*w+1), inMemory)
	m.i("LEAQ", entry(8*w+2), rowFree)
	m.ctx.Label(group)
	m.i("VPADDD", m.vec(1), m.vec(0), m.vec(0))
	m.i("MOVQ", inMemory, inFrame)
	m.i("LEAQ", operand.Mem{Base: inMemory, Index: rowLength, Scale: 4}, inMemory)
	m.ctx.Label(piece)
	m.i("VMOVUPS", m.vec(0), operand.Mem{Base: inFrame})
	m.i("ADDQ", immediate(4*w), inFrame)
	m.i("CMPQ", inFrame, inMemory)
	m.i("JGE", operand.LabelRef(ended))
	m.i("CMPQ", inFrame, rowFree)
	m.i("JLT", operand.LabelRef(piece))
	m.ctx.Label(ended)
	m.i("CMPQ", inMemory, rowFree)
	m.i("JLT", operand.LabelRef(group))
	m.i("MOVL", operand.Mem{Base: rowFree, Disp: -4}, scratch.As32()) // of the element behind a tile, counted from its first group's end
	m.i("DECQ", scratch)
	keep(0)
	m.i("IMULQ", rowLength, scratch)
	m.i("NEGQ", scratch)
	m.i("ADDQ", immediate(4*w), scratch)
	m.i("SHLQ", operand.Imm(2), scratch)
	keep(1)
	m.i("MOVQ", rowLength, scratch)
	m.i("SHLQ", operand.Imm(2), scratch)
	keep(2)
	m.i("LEAQ", operand.Mem{Base: rowIndex, Disp: 16*w + 3}, scratch) // numbers are four bytes apart
	keep(3)
	m.i("LEAQ", operand.Mem{Base: rowIndex, Disp: 4}, scratch)
	keep(4)
	m.i("MOVQ", rowLength, scratch)
	m.i("SHLQ", operand.Imm(uint64(log2(w))), scratch)
	keep(5)
	m.i("RET")
}

// PointNumbers sets index; what the group has left is GroupLeft's to tell from then on.
func (m *Machine) PointNumbers(table plan.Addr) {
	at := m.mem(table, 4*(4*m.Width()+1))
	at.Index, at.Scale = rowLeft, 4
	m.i("NEGQ", rowLeft)
	m.i("LEAQ", at, rowIndex)
}

// GroupLeft is the same the other way round.
func (m *Machine) GroupLeft(table plan.Addr) {
	m.i("LEAQ", m.mem(table, 4*(4*m.Width()+1)), rowLeft)
	m.i("SUBQ", rowIndex, rowLeft)
	m.i("SHRQ", operand.Imm(2), rowLeft)
}

// NextGroups goes on without branches.
func (m *Machine) NextGroups(t plan.Numbers, params []plan.GPR) {
	m.i("ADDQ", m.mem(t.Step, 0), rowIndex)
	m.i("MOVQ", rowIndex, rowFree)
	m.i("SUBQ", m.mem(t.Size, 0), rowFree)
	m.i("XORL", scratch.As32(), scratch.As32())
	m.i("CMPQ", m.mem(t.End, 0), rowIndex)
	m.i("CMOVQCS", rowFree, rowIndex)
	m.i("ADCQ", m.mem(t.Whole, 0), scratch)
	for _, p := range params {
		m.i("LEAQ", operand.Mem{Base: gprs[p], Index: scratch, Scale: 4}, gprs[p])
	}
}

// KeepEnd stores p + 4*groups.
func (m *Machine) KeepEnd(a plan.Addr, p, groups plan.GPR) {
	m.i("LEAQ", operand.Mem{Base: gprs[p], Index: gprs[groups], Scale: 4}, scratch)
	m.i("MOVQ", scratch, m.mem(a, 0))
}

// GroupsLeft is (end-p)/4.
func (m *Machine) GroupsLeft(d, p plan.GPR, end plan.Addr) {
	m.i("MOVQ", m.mem(end, 0), gprs[d])
	m.i("SUBQ", gprs[p], gprs[d])
	m.i("SHRQ", operand.Imm(2), gprs[d])
}

// BranchBelowKept jumps if r is less than what was kept, BranchAboveKept if it is greater.
func (m *Machine) BranchBelowKept(r plan.GPR, a plan.Addr, l string) {
	m.i("CMPQ", gprs[r], m.mem(a, 0))
	m.i("JLT", operand.LabelRef(l))
}
func (m *Machine) BranchAboveKept(r plan.GPR, a plan.Addr, l string) {
	m.i("CMPQ", gprs[r], m.mem(a, 0))
	m.i("JGT", operand.LabelRef(l))
}

func (m *Machine) repeat() {
	group, piece, ended, done, inside := m.newLabel("group"), m.newLabel("piece"), m.newLabel("ended"), m.newLabel("done"), m.newLabel("inside")
	end, groupEnd := rowFree, bytes
	m.i("LEAQ", operand.Mem{Base: inFrame, Index: count, Scale: 4}, end)
	m.i("MOVQ", rowLeft, rowIndex)
	m.ctx.Label(group)
	m.i("VBROADCASTSS", operand.Mem{Base: inMemory}, m.vec(0))
	m.i("LEAQ", operand.Mem{Base: inFrame, Index: rowIndex, Scale: 4}, groupEnd)
	m.ctx.Label(piece)
	m.i("VMOVUPS", m.vec(0), operand.Mem{Base: inFrame})
	m.i("ADDQ", immediate(4*m.Width()), inFrame)
	m.i("CMPQ", inFrame, groupEnd)
	m.i("JGE", operand.LabelRef(ended))
	m.i("CMPQ", inFrame, end)
	m.i("JLT", operand.LabelRef(piece))
	m.ctx.Label(ended)
	m.i("MOVQ", groupEnd, inFrame)
	m.i("CMPQ", groupEnd, end)
	m.i("JGE", operand.LabelRef(done))
	m.i("ADDQ", immediate(4), inMemory)
	m.i("MOVQ", rowLength, rowIndex)
	m.i("JMP", operand.LabelRef(group))
	m.ctx.Label(done)
	m.i("MOVQ", groupEnd, rowIndex)
	m.i("SUBQ", end, rowIndex)
	m.i("SHRQ", operand.Imm(2), rowIndex)
	m.i("JNE", operand.LabelRef(inside))
	m.i("ADDQ", immediate(4), inMemory)
	m.i("MOVQ", rowLength, rowIndex)
	m.ctx.Label(inside)
	m.i("MOVQ", count, inFrame)
	m.i("NEGQ", inFrame)
	m.i("LEAQ", operand.Mem{Base: end, Index: inFrame, Scale: 4}, inFrame)
	m.i("MOVQ", inMemory, pointer.Offset(plan.Repeated.Room(m)))
	m.passed(plan.Repeated)
}

// rowRoutines prints those of tiles in which groups meet.
func (m *Machine) rowRoutines() {
	m.begin("number", fmt.Sprintf("makes the table at RAX of the groups that %d elements are of, for groups of so many as %s says.", 8*m.Width()+2, rowLength.Asm()))
	m.numberGroups()
	m.begin("repeat", fmt.Sprintf("puts parameters from RCX on in the frame, once for each element: %s times the first, and %s times each that follows.", rowLeft.Asm(), rowLength.Asm()))
	m.repeat()
}

// Spill stores a register, Fill loads one.
func (m *Machine) Spill(c plan.Class, v plan.V, at plan.Addr) plan.Inst {
	return plan.Inst{Uses: []plan.V{v}, Emit: func(_, u []int) { m.i(moves[c], m.reg(c, u[0]), m.mem(at, 0)) }}
}

func (m *Machine) Fill(c plan.Class, v plan.V, at plan.Addr) plan.Inst {
	return plan.Inst{Defs: []plan.V{v}, Emit: func(d, _ []int) { m.i(moves[c], m.mem(at, 0), m.reg(c, d[0])) }}
}

var moves = [...]string{plan.Vec: "VMOVUPS", plan.Mask: "KMOVQ"}

// Mixes reports whether parameters are mixed: with AVX-512 a register has several groups more often.
func (m *Machine) Mixes() bool { return !m.wide }

// Unmixed prepares for tiles in which groups meet: masks are in memory for each place where a group may end,
// and rowFree counts the groups that have ended since the parameters' pointers were right.
func (m *Machine) Unmixed() {
	size := 8 * m.Width()
	m.i("XORL", rowFree.As32(), rowFree.As32())
	m.i("LEAQ", m.constant(strings.Repeat("\x00", size)+strings.Repeat("\xff", size)), rowIndex)
}

// ToMix makes what the group has left negative.
func (m *Machine) ToMix() { m.i("NEGQ", rowLeft) }

// Mixed makes what the group has left positive again.
func (m *Machine) Mixed() { m.i("NEGQ", rowLeft) }

// Cross begins slots with the parameters of the group at hand.
func (m *Machine) Cross(c plan.Crossing) {
	for i, now := range c.Now {
		if p := i % len(c.From); c.Kept {
			m.i("VMOVAPS", m.vec(c.Next[p]), m.vec(now))
		} else {
			m.next(c.From[p], now)
		}
	}
	m.i("ADDQ", immediate(c.Slots*m.Width()), rowLeft)
	m.i("JGT", operand.LabelRef(c.Label+"mix"))
	m.ctx.Label(c.Label)
}

// Mix puts the next group's parameters behind the end of the one at hand, and so on until a group goes beyond the slots.
func (m *Machine) Mix(c plan.Crossing) {
	w, mask := m.Width(), m.vec(c.Mask)
	m.ctx.Label(c.Label + "mix")
	m.i("INCQ", rowFree)
	for slot := range c.Slots {
		m.i("VMOVUPS", operand.Mem{Base: rowIndex, Index: rowLeft, Scale: 4, Disp: 4 * w * (2 - c.Slots + slot)}, mask)
		for p, from := range c.From {
			next, now := c.Next[min(p, len(c.Next)-1)], m.vec(c.Now[slot*len(c.From)+p])
			if slot == 0 || len(c.Next) < len(c.From) {
				m.next(from, next)
			}
			m.i("VBLENDVPS", mask, m.vec(next), now, now)
		}
	}
	m.i("SUBQ", rowLength, rowLeft)
	m.i("JGT", operand.LabelRef(c.Label+"mix"))
	m.i("JMP", operand.LabelRef(c.Label))
}

// next loads one of those.
func (m *Machine) next(from plan.Mixed, d int) {
	m.i("VBROADCASTSS", m.ended(from.At), m.vec(d))
	if from.ToFloat {
		m.i("VCVTDQ2PS", m.vec(d), m.vec(d))
	}
	if from.Times >= 0 {
		m.i("VMULPS", m.vec(d), m.vec(from.Times), m.vec(d))
	}
}

// ended is a parameter behind those of the groups that have ended.
func (m *Machine) ended(from plan.GPR) operand.Mem {
	return operand.Mem{Base: gprs[from], Index: rowFree, Scale: 4}
}

// NextMixed goes on.
func (m *Machine) NextMixed(params []plan.GPR) {
	for _, p := range params {
		m.i("LEAQ", m.ended(p), gprs[p])
	}
	m.i("XORL", rowFree.As32(), rowFree.As32())
}

// BranchOver jumps by the flags that are there.
func (m *Machine) BranchOver(l string) { m.i("JLT", operand.LabelRef(l)) }
