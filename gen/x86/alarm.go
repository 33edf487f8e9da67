package x86

import (
	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// An alarm is a test of a tile that leaves for its rare way where the formula is not right for it.

// lowerAlarm lowers one, and reports whether the operation is one.
func (m *Machine) lowerAlarm(s *plan.Seg, n *ir.Node, args [][]plan.V, at plan.Addr) bool {
	switch n.Op {
	case ir.OpAlarmNaN:
		m.alarmNaN(s, args[0])
	case ir.OpAlarmCode:
		m.alarmCode(s, args[0][0], args[1][0], at)
	case ir.OpAlarmAbove:
		m.alarmAbove(s, args[0], args[1][0])
	case ir.OpAlarmHalf:
		m.alarmHalf(s, n, args[0])
	case ir.OpAlarmLow:
		m.alarmLow(s, args[0], args[1][0])
	default:
		return false
	}
	return true
}

// alarm leaves for the rare way if a mask has a bit, with AVX-512 one of several.
func (m *Machine) alarm(s *plan.Seg, masks ...plan.V) {
	s.Add(plan.Inst{Uses: masks, Emit: func(_, u []int) {
		if m.wide {
			m.i("KORTESTQ", ks[u[0]], ks[u[len(u)-1]])
		} else {
			m.i("VPMOVMSKB", m.vec(u[0]), scratch.As32())
			m.i("TESTL", scratch.As32(), scratch.As32())
		}
		m.i("JNE", operand.LabelRef(s.RareLabel()))
	}})
}

// alarmNaN looks for NaN in a tile.
func (m *Machine) alarmNaN(s *plan.Seg, x []plan.V) {
	a, b := m.compare(s, 3, x[0], x[1]), m.compare(s, 3, x[2], x[3])
	if m.wide {
		m.alarm(s, a, b)
		return
	}
	m.alarm(s, m.binary(s, "VORPS", a, b))
}

// alarmAbove looks for words of a tile that are more than most.
func (m *Machine) alarmAbove(s *plan.Seg, x []plan.V, most plan.V) {
	m.alarm(s, m.above(s, m.binary(s, "VPMAXUW", x[0], x[1]), most))
}

// alarmHalf looks for numbers of a tile that are neither 0 nor within float16's normal ones. Twice their bits are no farther from those of 2 than these from
// that; those of 0 are farthest, which is the least integer, as no other is.
func (m *Machine) alarmHalf(s *plan.Seg, n *ir.Node, x []plan.V) {
	two, most := s.Extra(n, 0), s.Extra(n, 1)
	var far [4]plan.V
	for i, x := range x {
		twice := m.binary(s, "VPADDD", x, x)
		far[i] = m.unary(s, "VPABSD", s.Op(plan.Vec, func(d int, u []int) { m.bitwise("VPXOR", m.vec(u[0]), m.vec(u[1]), m.vec(d)) }, twice, two))
	}
	max := func(a, b plan.V) plan.V { return m.binary(s, "VPMAXSD", a, b) }
	m.alarm(s, s.Op(m.MaskClass(), func(d int, u []int) {
		if m.wide {
			m.i("VPCMPGTD", m.vec(u[1]), m.vec(u[0]), ks[d])
		} else {
			m.i("VPCMPGTD", m.vec(u[1]), m.vec(u[0]), m.vec(d))
		}
	}, max(max(far[0], far[1]), max(far[2], far[3])), most))
}

// above is where words of a, less than 0x8000, are more than those of b.
func (m *Machine) above(s *plan.Seg, a, b plan.V) plan.V {
	if !m.wide {
		return m.binary(s, "VPCMPGTW", a, b)
	}
	return s.Op(plan.Mask, func(d int, u []int) { m.i("VPCMPUW", operand.Imm(6), m.vec(u[1]), m.vec(u[0]), ks[d]) }, a, b)
}

// alarmLow looks for the least int16: VCVTPS2DQ gives the least integer for NaN
// and for all that is beyond integers, and VPACKSSDW keeps it so.
func (m *Machine) alarmLow(s *plan.Seg, x []plan.V, least plan.V) {
	m.alarm(s, m.equal(s, "VPCMPEQW", m.binary(s, "VPMINSW", x[0], x[1]), least))
}

// alarmCode looks for the byte 0xff in a stream where or's bits are put in.
func (m *Machine) alarmCode(s *plan.Seg, or, ones plan.V, at plan.Addr) {
	masked := m.wide && s.Tail && !at.Stack
	b := s.OpApart(plan.Vec, func(d int, u []int) {
		if masked {
			m.i("VMOVDQU8_Z", m.mem(at, 0), m.lanes(0), m.vec(d))
			m.bitwise("VPOR", m.vec(u[0]), m.vec(d), m.vec(d))
		} else {
			m.bitwise("VPOR", m.mem(at, 0), m.vec(u[0]), m.vec(d))
		}
	}, or)
	m.alarm(s, m.equal(s, "VPCMPEQB", b, ones))
}
