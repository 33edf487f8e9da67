package neon

import (
	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// An alarm is a test of a tile that leaves for its rare way where the formula is not right for it.

// lowerAlarm lowers one, and reports whether the operation is one.
func (m *Machine) lowerAlarm(s *plan.Seg, n *ir.Node, args [][]plan.V, at plan.Addr) bool {
	switch n.Op {
	case ir.OpAlarmNaN, ir.OpAlarmLow:
		m.alarm(s, args[0])
	case ir.OpAlarmCode:
		m.alarmCode(s, args[0][0], args[1][0], at)
	case ir.OpAlarmAbove:
		m.alarmAbove(s, args[0], args[1][0])
	case ir.OpAlarmHalf:
		m.alarmHalf(s, n, args[0])
	default:
		return false
	}
	return true
}

// alarm leaves for the rare way if one of four registers has a NaN.
func (m *Machine) alarm(s *plan.Seg, x []plan.V) {
	m.alarmLane(s, m.binary(s, m.FMAX, m.binary(s, m.FMAX, x[0], x[1]), m.binary(s, m.FMAX, x[2], x[3])))
}

// alarmAbove leaves for the rare way if a word, less than 0x8000, is more than most.
func (m *Machine) alarmAbove(s *plan.Seg, x []plan.V, most plan.V) {
	is := m.binary(s, sized(asm.H, m.CMGT), m.binary(s, sized(asm.H, m.UMAX), x[0], x[1]), most)
	m.alarmLane(s, m.binary(s, sized(asm.S, m.CMTST), is, is)) // all ones are a NaN
}

// alarmHalf leaves for the rare way if a number is less than float16's least normal one, or NaN.
func (m *Machine) alarmHalf(s *plan.Seg, n *ir.Node, x []plan.V) {
	var v [4]plan.V
	for i, x := range x {
		v[i] = m.binary(s, m.AND, s.Extra(n, 0), x)
	}
	low := m.binary(s, m.FMIN, m.binary(s, m.FMIN, v[0], v[1]), m.binary(s, m.FMIN, v[2], v[3]))
	m.alarmLane(s, m.binary(s, m.ORR, low, m.binary(s, m.FCMGT, s.Extra(n, 1), low))) // all ones are a NaN
}

// alarmCode leaves for the rare way if a byte of a stream is 0xff where the bits
// of or are put in.
func (m *Machine) alarmCode(s *plan.Seg, or, ones plan.V, at plan.Addr) {
	b := m.binary(s, m.ORR, s.Op(plan.Vec, func(d int, _ []int) { m.LDR(asm.Q, asm.V(d), m.mem(at)) }), or)
	is := m.binary(s, sized(asm.B, m.CMEQ), b, ones)
	m.alarmLane(s, m.binary(s, sized(asm.S, m.CMTST), is, is)) // all ones are a NaN
}

// alarmLane leaves for the rare way if a lane is NaN.
func (m *Machine) alarmLane(s *plan.Seg, v plan.V) {
	s.Add(plan.Inst{Defs: []plan.V{v}, Uses: []plan.V{v}, Emit: func(d, u []int) {
		m.FMAXV(asm.V(d[0]), asm.V(u[0]))
		m.FCMP(asm.V(d[0]), asm.V(d[0]))
		m.BVS(s.RareLabel())
	}})
}
