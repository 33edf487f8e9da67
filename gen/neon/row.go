package neon

import (
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Where groups meet each element's parameters are chosen by TBL, so that a group's number is that of
// the four bytes of its parameter. Routines find what the group at hand has left, the groups' length
// and two registers that are free in the last ones of plan's. Four others have the numbers behind the table.
const (
	rowLeft, rowLength, rowFree, rowIndex = asm.R(12), asm.R(13), asm.R(14), asm.R(15)
	rowWhole, rowStep, rowSize, rowEnd    = asm.R(22), asm.R(23), asm.R(24), asm.R(25)
)

// LoadWords loads a register.
func (m *Machine) LoadWords(s *plan.Seg, at plan.Addr) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) { m.LDR(asm.Q, asm.V(d), m.mem(at)) })
}

// ChooseFrom takes for each number that lane.
func (m *Machine) ChooseFrom(s *plan.Seg, params, numbers plan.V) plan.V {
	return m.binary(s, func(d, a, b asm.V) { m.TBL(d, a, 1, b) }, params, numbers)
}

// Choose does so from memory.
func (m *Machine) Choose(s *plan.Seg, params, numbers plan.Addr) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) {
		m.LDR(asm.Q, spare, m.mem(params))
		m.LDR(asm.Q, asm.V(d), m.mem(numbers))
		m.TBL(asm.V(d), spare, 1, asm.V(d))
	})
}

// NumberGroups has a routine make the table.
func (m *Machine) NumberGroups(t plan.Numbers) {
	m.XFRAME(inFrame, t.Table.Disp)
	m.CALL(routine("number"))
}

// repeatUntil stores a register from p on until end, or until limit if that is less; it may go beyond.
func (m *Machine) repeatUntil(p, end, limit asm.R) {
	piece, ended := m.newLabel("piece"), m.newLabel("ended")
	m.Label(piece)
	m.ST1P(p, spare, 1)
	m.XCMP(p, end)
	m.BGE(ended)
	m.XCMP(p, limit)
	m.BLT(piece)
	m.Label(ended)
}

func (m *Machine) numberGroups() {
	const w = 4
	group := m.newLabel("group")
	m.LITERAL(spare, 0x0302010003020100, 0x0302010003020100)
	m.MOVI(0, 4)
	m.XMOV(rowIndex, inFrame)
	m.XADDI(rowFree, inFrame, 4*(8*w+2))
	m.XADDI(inMemory, inFrame, 4*(4*w+1))
	for i := range 4 {
		m.STR(asm.Q, asm.At(inFrame, 16*i), spare)
	}
	m.STR(asm.Q, asm.At(inMemory, -16), spare)
	m.Label(group)
	m.ADD(asm.B, spare, spare, 0)
	m.XMOV(inFrame, inMemory)
	m.XADDLSL(inMemory, inMemory, rowLength, 2)
	m.repeatUntil(inFrame, inMemory, rowFree)
	m.XCMP(inMemory, rowFree)
	m.BLT(group)
	m.XLDR(asm.B, r2, asm.At(rowFree, -4)) // of the element behind a tile, counted from its first group's end
	m.XMOVI(r3, 0)
	m.XADDLSR(r2, r3, r2, 2)
	m.XSUBI(r2, r2, 1)
	m.XMOV(rowWhole, r2)
	m.XMUL(r2, r2, rowLength)
	m.XMOVI(r1, 4*w)
	m.XSUB(r2, r1, r2)
	m.XADDLSL(rowStep, r3, r2, 2)
	m.XADDLSL(rowSize, r3, rowLength, 2)
	m.XADDI(rowEnd, rowIndex, 4*(4*w+1))
	keep := func(i int, r asm.R) { m.XSTR(asm.D, asm.At(rowIndex, 4*plan.NumbersLen(w)+8*i), r) }
	m.XADDI(r2, rowIndex, 4)
	keep(4, r2)
	keep(5, rowSize) // W times the length
	m.RET()
}

// PointNumbers sets index.
func (m *Machine) PointNumbers(table plan.Addr) {
	m.XFRAME(rowIndex, table.Disp+4*(4*m.Width()+1))
	m.XSUBLSL(rowIndex, rowIndex, rowLeft, 2)
}

// GroupLeft is the same the other way round.
func (m *Machine) GroupLeft(table plan.Addr) {
	m.XFRAME(r0, table.Disp+4*(4*m.Width()+1))
	m.XSUB(r0, r0, rowIndex)
	m.XMOVI(r1, 0)
	m.XADDLSR(rowLeft, r1, r0, 2)
}

// NextGroups goes on without branches.
func (m *Machine) NextGroups(_ plan.Numbers, params []plan.GPR) {
	m.XADD(rowIndex, rowIndex, rowStep)
	m.XSUB(r1, rowIndex, rowSize)
	m.XADDI(r0, rowWhole, 1)
	m.XCMP(rowEnd, rowIndex)
	m.XCSELLE(rowIndex, r1, rowIndex)
	m.XCSELLE(r0, r0, rowWhole)
	for _, p := range params {
		m.XADDLSL(asm.R(p), asm.R(p), r0, 2)
	}
}

// KeepEnd stores p + 4*groups.
func (m *Machine) KeepEnd(a plan.Addr, p, groups plan.GPR) {
	m.XADDLSL(r0, asm.R(p), asm.R(groups), 2)
	m.XSTR(asm.D, m.mem(a), r0)
}

// GroupsLeft is (end-p)/4.
func (m *Machine) GroupsLeft(d, p plan.GPR, end plan.Addr) {
	m.XLDR(asm.D, r0, m.mem(end))
	m.XSUB(r0, r0, asm.R(p))
	m.XMOVI(r1, 0)
	m.XADDLSR(asm.R(d), r1, r0, 2)
}

// BranchBelowKept jumps if r is less than what was kept, BranchAboveKept if it is greater.
func (m *Machine) BranchBelowKept(r plan.GPR, a plan.Addr, l string) {
	m.XLDR(asm.D, r0, m.mem(a))
	m.XCMP(asm.R(r), r0)
	m.BLT(l)
}
func (m *Machine) BranchAboveKept(r plan.GPR, a plan.Addr, l string) {
	m.XLDR(asm.D, r0, m.mem(a))
	m.XCMP(r0, asm.R(r))
	m.BLT(l)
}

func (m *Machine) repeat() {
	group, done, inside := m.newLabel("group"), m.newLabel("done"), m.newLabel("inside")
	end, groupEnd := rowFree, r2
	m.XADDLSL(end, inFrame, count, 2)
	m.XMOV(rowIndex, rowLeft)
	m.Label(group)
	m.LD1R(asm.S, spare, inMemory)
	m.XADDLSL(groupEnd, inFrame, rowIndex, 2)
	m.repeatUntil(inFrame, groupEnd, end)
	m.XMOV(inFrame, groupEnd)
	m.XCMP(groupEnd, end)
	m.BGE(done)
	m.XADDI(inMemory, inMemory, 4)
	m.XMOV(rowIndex, rowLength)
	m.B(group)
	m.Label(done)
	m.XSUB(r2, groupEnd, end)
	m.XMOVI(r3, 0)
	m.XADDLSR(rowIndex, r3, r2, 2)
	m.CBNZ(rowIndex, inside)
	m.XADDI(inMemory, inMemory, 4)
	m.XMOV(rowIndex, rowLength)
	m.Label(inside)
	m.XSUBLSL(inFrame, end, count, 2)
	m.XADDI(inFrame, inFrame, plan.Repeated.Room(m))
	m.XSTR(asm.D, pointer, inMemory)
	m.RET()
}

// rowRoutines prints those of tiles in which groups meet.
func (m *Machine) rowRoutines() {
	m.begin("number", "makes the table at R16 of the groups that 34 elements are of, for groups of so many as R13 says.")
	m.numberGroups()
	m.begin("repeat", "puts parameters from R17 on in the frame, once for each element: R12 times the first, and R13 times each that follows.")
	m.repeat()
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
func (m *Machine) Spill(_ plan.Class, v plan.V, at plan.Addr) plan.Inst {
	return plan.Inst{Uses: []plan.V{v}, Emit: func(_, u []int) { m.STR(asm.Q, m.mem(at), asm.V(u[0])) }}
}

func (m *Machine) Fill(_ plan.Class, v plan.V, at plan.Addr) plan.Inst {
	return plan.Inst{Defs: []plan.V{v}, Emit: func(d, _ []int) { m.LDR(asm.Q, asm.V(d[0]), m.mem(at)) }}
}
